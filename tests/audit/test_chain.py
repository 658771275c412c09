"""Tampering with a log is found, and the first bad entry is named."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from tests.audit.events import NOW, an_event, rows_of
from wallet_api.audit.chain import leaf_of, verify
from wallet_api.audit.checkpoint import Checkpoint, CheckpointSigner, open_checkpoint
from wallet_api.audit.errors import BadCheckpoint
from wallet_api.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from wallet_api.infra.crypto.keystore import MemoryKeyStore

EVENTS = [an_event(number) for number in range(10)]
ROWS = rows_of(EVENTS)


def root_of(leaves: list[bytes]) -> bytes:
    """The tree root by the letter of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def checkpoint_at(size: int, rows=ROWS) -> Checkpoint:
    return Checkpoint("log1", size, root_of([leaf_of(row.event) for row in rows[:size]]))


def test_an_honest_log_is_found_honest():
    assert verify([]) is None
    assert verify(ROWS) is None
    assert verify(ROWS, [checkpoint_at(size) for size in range(11)]) is None


@pytest.mark.parametrize("at", [0, 4, 9])
def test_a_changed_event_is_named(at: int):
    for changed in ({"decision": "refuse"}, {"citizen_id": "binh"}, {"extra": 1}, {"record_count": 1.5}):
        rows = list(ROWS)
        rows[at] = replace(rows[at], event={**rows[at].event, **changed})
        assert verify(rows) == at


@pytest.mark.parametrize("at", [0, 4, 9])
@pytest.mark.parametrize("name", ["hash", "prev"])
def test_a_flipped_byte_is_named(at: int, name: str):
    rows = list(ROWS)
    old = getattr(rows[at], name)
    rows[at] = replace(rows[at], **{name: bytes([old[0] ^ 1]) + old[1:]})
    assert verify(rows) == at


def test_every_later_row_vouches_for_each_earlier_one():
    other = rows_of([an_event(0, reason="other"), *EVENTS[1:]])
    assert not {row.hash for row in ROWS} & {row.hash for row in other}


def test_a_renamed_entry_is_named():
    rows = list(ROWS)
    rows[3] = replace(rows[3], entry_id="2020" + rows[3].entry_id[4:])
    assert verify(rows) == 3


def test_a_dropped_row_is_named():
    assert verify(ROWS[:4] + ROWS[5:]) == 4
    assert verify(ROWS[1:]) == 0


def test_two_rows_that_changed_places_are_named():
    rows = list(ROWS)
    rows[3], rows[6] = replace(rows[6], seq=3), replace(rows[3], seq=6)
    assert verify(rows) == 3


def test_a_swap_of_events_under_their_old_hashes_is_named():
    rows = list(ROWS)
    rows[3], rows[6] = replace(rows[3], event=rows[6].event), replace(rows[6], event=rows[3].event)
    assert verify(rows) == 3


def test_rows_out_of_order_are_named():
    assert verify([*ROWS[:2], ROWS[3], ROWS[2], *ROWS[4:]]) == 2


def test_a_row_of_another_log_is_named():
    assert verify([*ROWS[:5], *rows_of(EVENTS, "log2")[5:]]) == 5


def test_a_cut_tail_is_named_when_a_checkpoint_is_kept():
    assert verify(ROWS[:7]) is None
    assert verify(ROWS[:7], [checkpoint_at(10)]) == 7
    assert verify([], [checkpoint_at(10)]) == 0


def test_a_rebuilt_chain_is_named_when_checkpoints_are_kept():
    events = list(EVENTS)
    events[6] = an_event(6, citizen_id="binh")
    rebuilt = rows_of(events)
    assert verify(rebuilt) is None
    assert verify(rebuilt, [checkpoint_at(10)]) == 0
    assert verify(rebuilt, [checkpoint_at(10), checkpoint_at(3), checkpoint_at(6)]) == 6


def test_a_checkpoint_of_another_log_does_not_vouch():
    assert verify(ROWS, [replace(checkpoint_at(10), log_id="log2")]) == 0


def test_the_tree_is_the_one_of_rfc_6962():
    # Inputs and roots of the certificate-transparency test data.
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    known = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT
    for size, data in enumerate(inputs, 1):
        tree.append(leaf_hash(bytes.fromhex(data)))
        if size in known:
            assert tree.root().hex() == known[size]


def test_the_growing_tree_is_the_whole_tree():
    leaves = [leaf_hash(b"%d" % number) for number in range(70)]
    tree = Frontier()
    for size, leaf in enumerate(leaves, 1):
        tree.append(leaf)
        assert tree.root() == root_of(leaves[:size])


def test_a_checkpoint_is_a_c2sp_note_that_reads_back():
    keys = CheckpointSigner(MemoryKeyStore())
    text = keys.sign(checkpoint_at(10), NOW)
    assert text.split("\n")[:2] == ["health-wallet/access-log/log1", "10"]
    assert text.split("\n")[3:5] == ["at 2026-11-21T08:00:00.000Z", ""]
    assert text.split("\n")[5].startswith("\u2014 health-wallet/access-log/log1 ")
    assert keys.open(text) == checkpoint_at(10)


def test_a_checkpoint_signed_before_a_rotation_still_reads():
    store = MemoryKeyStore()
    text = CheckpointSigner(store).sign(checkpoint_at(10), NOW)
    store.rotate("checkpoint")
    assert CheckpointSigner(store).open(text) == checkpoint_at(10)


def test_a_forged_checkpoint_is_refused():
    keys = CheckpointSigner(MemoryKeyStore())
    text = keys.sign(checkpoint_at(10), NOW)
    changed = [
        text.replace(a, b)
        for a, b in [("\n10\n", "\n7\n"), ("log1", "log2"), ("2026-11", "2026-10"), ("log1 ", "log2 ")]
    ]
    for bad in [
        *changed,
        "",
        text[:-20] + "\n",
        text + text,
        CheckpointSigner(MemoryKeyStore()).sign(checkpoint_at(10), NOW),
    ]:
        assert bad != text
        with pytest.raises(BadCheckpoint):
            keys.open(bad)
    with pytest.raises(BadCheckpoint):
        open_checkpoint(text, [])
