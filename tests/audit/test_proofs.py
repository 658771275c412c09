"""Proofs come out of the stored log, whatever its groups, and nothing false does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.audit.events import NOW, an_event
from wallet_api.audit.chain import AuditRow, chained, leaf_of, verify
from wallet_api.audit.checkpoint import Checkpoint
from wallet_api.audit.errors import LogDamaged, ProofPending
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.audit.merkle import Frontier, continues, included
from wallet_api.audit.ports import AuditStore
from wallet_api.audit.proofs import LogTree
from wallet_api.infra.ids import new_id

ROWS = chained("log1", [an_event(number % 9).to_json() for number in range(437)])


def checkpoint_at(size: int) -> Checkpoint:
    tree = Frontier()
    for row in ROWS[:size]:
        tree.append(leaf_of(row.event))
    return Checkpoint("log1", size, tree.root())


def proven(store: AuditStore, seq: int, size: int, since: int | None = None) -> None:
    seen = checkpoint_at(size)
    proof = LogTree(store, "log1").prove(ROWS[seq], seen, "text", since)
    assert included(leaf_of(proof.event), seq, size, proof.path, seen.root)
    if since is not None and proof.consistency is not None:
        old = checkpoint_at(since)
        assert proof.consistency.old_root == old.root
        assert continues(since, old.root, size, seen.root, proof.consistency.path)


def test_every_entry_is_proven_whatever_groups_it_was_stored_in(store: AuditStore) -> None:
    for first, past in ((0, 1), (1, 33), (33, 49), (49, 200), (200, 400), (400, 437)):
        store.append(ROWS[first:past])
    for seq, size, since in ((0, 1, 1), (0, 437, 1), (436, 437, 436), (255, 256, 64), (200, 301, 199)):
        proven(store, seq, size, since)


def test_rows_whose_writer_noted_nothing_are_proven_by_reading_all(store: AuditStore) -> None:
    store.append([replace(row, peaks=None) for row in ROWS[:150]])
    proven(store, 77, 150, 100)


class Counting(MemoryAuditStore):
    read = 0

    def run_up_to(self, log_id: str, last: int) -> list[AuditRow]:
        found = list(super().run_up_to(log_id, last))
        self.read += len(found)
        return found


def test_a_proof_reads_a_few_runs_and_not_the_log() -> None:
    store = Counting()
    rows = chained("log1", [{"at": "x", "n": number} for number in range(5000)])
    store.append(rows)
    tree = Frontier()
    for row in rows:
        tree.append(leaf_of(row.event))
    LogTree(store, "log1").prove(rows[1234], Checkpoint("log1", 5000, tree.root()), "text")
    assert store.read < 1500


def test_a_damaged_log_proves_nothing() -> None:
    for at, change in ((50, {"event": {}}), (100, {"peaks": bytes(32)}), (100, {"peaks": bytes(96)})):
        rows, store = list(ROWS[:300]), MemoryAuditStore()
        rows[at] = replace(rows[at], **change)  # type: ignore[arg-type]  # one field of a row
        store.append(rows)
        with pytest.raises(LogDamaged):
            LogTree(store, "log1").prove(ROWS[120], checkpoint_at(300), "text")
    store = MemoryAuditStore()
    store.append(ROWS[:125] + ROWS[126:300])
    with pytest.raises(LogDamaged):
        LogTree(store, "log1").prove(ROWS[120], checkpoint_at(300), "text")


def test_peaks_that_are_not_those_of_the_tree_are_named() -> None:
    assert verify(ROWS) is None
    for at, peaks in ((100, bytes(96)), (0, bytes(32)), (7, b"")):
        rows = list(ROWS)
        rows[at] = replace(rows[at], peaks=peaks)
        assert verify(rows) == at


def test_a_writer_notes_the_peaks_with_each_group() -> None:
    store = MemoryAuditStore()
    log = AccessLog(store, lambda: NOW)
    for number in range(5):
        log.append(an_event(number))
    log.close()
    ((log_id, _),) = store.logs().items()
    assert [row.peaks is None for row in store.rows(log_id, 9)] == [False] * 5
    assert verify(store.rows(log_id, 9)) is None


def test_what_a_checkpoint_does_not_cover_is_not_proven() -> None:
    store = MemoryAuditStore()
    store.append(ROWS)
    for seq, since in ((300, None), (5, 301), (5, 0)):
        with pytest.raises(ValueError):
            LogTree(store, "log1").prove(ROWS[seq], checkpoint_at(300), "text", since)


@pytest.fixture
def log(store: AuditStore) -> Iterator[AccessLog]:
    made = AccessLog(store, lambda: NOW)
    yield made
    made.close()


def test_a_log_without_a_signer_or_another_process_without_folders_proves_nothing(log: AccessLog) -> None:
    log.append(an_event(1))
    (entry,) = log.entries("an")
    found = log.entry(entry.log_id, entry.seq)
    assert found == entry and log.entry(entry.log_id, 7) is None and log.entry(new_id(), 0) is None
    for log_id in (entry.log_id, new_id()):
        with pytest.raises(ProofPending):
            log.prove(log_id, 0)
