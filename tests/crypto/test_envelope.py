"""Sealed values open at their own place and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.infra.crypto import citizen_keys
from wallet_api.infra.crypto.envelope import OVERHEAD_BYTES, CitizenCipher, Place
from wallet_api.infra.crypto.errors import KekInUse, KeyUnavailable, SealBroken
from wallet_api.infra.crypto.keystore import MemoryKeyStore, ShelfKeyStore
from wallet_api.infra.crypto.shelf import MemoryShelf
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys, WrappedKey

NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 2, tzinfo=UTC)
HERE = Place("an", "clinical", "records", "doc1", "resource", 1)


class World:
    """One key store and key table, and any number of processes' worth of ciphers over them."""

    def __init__(self) -> None:
        self.now = NOVEMBER
        self.keystore = MemoryKeyStore()
        self.rows = MemoryWrappedKeys()

    def cipher(self) -> CitizenCipher:
        return CitizenCipher(self.rows, self.keystore, lambda: self.now)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_sealed_opens_again_in_any_process(world: World):
    blob = world.cipher().seal(HERE, b"sealed")
    assert world.cipher().open(HERE, blob) == b"sealed"
    assert len(blob) == len(b"sealed") + OVERHEAD_BYTES


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.booleans())))
def test_json_comes_back_as_it_went_in(value):
    cipher = World().cipher()
    assert cipher.open_json(HERE, cipher.seal_json(HERE, value)) == value


MOVES = [
    {"citizen_id": "binh"},
    {"retention_class": "contact"},
    {"collection": "people"},
    {"document_id": "doc2"},
    {"field": "note"},
    {"revision": 2},
    {"revision": 0},
]


@pytest.mark.parametrize("other", MOVES)
def test_a_value_moved_to_another_place_does_not_open(world: World, other):
    cipher, there = world.cipher(), replace(HERE, **other)
    blob = cipher.seal(HERE, b"sealed")
    cipher.seal(there, b"so that a key is there too")
    with pytest.raises(SealBroken):
        cipher.open(there, blob)


class OneKeyForAll(citizen_keys.OpenKey):
    """A key that makes no difference between purposes, so that only the binding to the place is left."""

    def cipher(self, purpose: str):
        return super().cipher("all")


@pytest.mark.parametrize("other", MOVES)
def test_the_place_is_bound_even_where_the_key_is_the_same(world: World, other, monkeypatch):
    cipher, key = world.cipher(), OneKeyForAll(1, bytes(32))
    monkeypatch.setattr(cipher.keys, "existing", lambda *_: key)
    monkeypatch.setattr(cipher.keys, "for_sealing", lambda *_: key)
    blob = cipher.seal(HERE, b"sealed")
    assert cipher.open(HERE, blob) == b"sealed"
    with pytest.raises(SealBroken):
        cipher.open(replace(HERE, **other), blob)


def test_each_purpose_has_a_key_of_its_own():
    key = citizen_keys.OpenKey(1, bytes(32))
    blobs = {key.cipher(purpose).encrypt(bytes(12), b"sealed", b"") for purpose in ("records", "people")}
    assert len(blobs) == 2


def test_neighbouring_names_are_not_run_together(world: World):
    cipher = world.cipher()
    blob = cipher.seal(replace(HERE, document_id="ab", field="c"), b"sealed")
    with pytest.raises(SealBroken):
        cipher.open(replace(HERE, document_id="a", field="bc"), blob)


def test_every_flipped_byte_and_every_cut_is_noticed(world: World):
    cipher = world.cipher()
    blob = cipher.seal(HERE, b"sealed")
    spoiled = [blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :] for i in range(len(blob))]
    for bad in [*spoiled, *(blob[:length] for length in range(len(blob))), blob + b"\0"]:
        with pytest.raises(SealBroken):
            cipher.open(HERE, bad)


def test_the_same_text_never_seals_the_same(world: World):
    cipher = world.cipher()
    assert len({cipher.seal(HERE, b"same") for _ in range(100)}) == 100


def test_what_opens_but_is_no_json_object_is_broken(world: World):
    cipher = world.cipher()
    for plain in (b"{", b"[]", b"\xff"):
        with pytest.raises(SealBroken):
            cipher.open_json(HERE, cipher.seal(HERE, plain))


def test_not_a_number_is_not_sealed(world: World):
    with pytest.raises(ValueError, match="JSON"):
        world.cipher().seal_json(HERE, {"dose": float("nan")})


def test_opening_makes_no_key(world: World):
    blob = world.cipher().seal(HERE, b"sealed")
    with pytest.raises(SealBroken):
        World().cipher().open(HERE, blob)
    assert world.rows.find("binh", "clinical") is None
    with pytest.raises(SealBroken):
        world.cipher().open(replace(HERE, citizen_id="binh"), blob)
    assert world.rows.find("binh", "clinical") is None


def test_a_wrapped_key_copied_to_another_citizen_does_not_open(world: World):
    world.cipher().seal(HERE, b"sealed")
    row = world.rows.find("an", "clinical")
    assert row is not None
    for claimed in (row, replace(row, citizen_id="binh")):
        world.rows._rows["binh", "clinical"] = claimed
        with pytest.raises(SealBroken):
            world.cipher().seal(replace(HERE, citizen_id="binh"), b"with the key of another")


def test_a_wrapped_key_names_the_kek_that_wraps_it(world: World):
    shelf = MemoryShelf()
    for month in ("2026-11", "2026-12"):
        shelf.put(f"kek-{month}", b"k" * 32)
    world.keystore = ShelfKeyStore(shelf, create=True)
    blob = world.cipher().seal(HERE, b"sealed")
    row = world.rows.find("an", "clinical")
    assert row is not None
    world.rows._rows["an", "clinical"] = replace(row, kek_id="2026-12")
    with pytest.raises(SealBroken):
        world.cipher().open(HERE, blob)


def test_a_wrapped_key_under_another_month_does_not_open(world: World):
    blob = world.cipher().seal(HERE, b"sealed")
    row = world.rows.find("an", "clinical")
    assert row is not None
    world.keystore.kek_for(DECEMBER)
    world.rows._rows["an", "clinical"] = replace(row, kek_id="2026-12")
    with pytest.raises(SealBroken):
        world.cipher().open(HERE, blob)


def test_without_its_kek_nothing_is_sealed_or_opened(world: World):
    blob = world.cipher().seal(HERE, b"sealed")
    world.keystore = MemoryKeyStore()
    with pytest.raises(KeyUnavailable):
        world.cipher().open(HERE, blob)
    with pytest.raises(KeyUnavailable):
        world.cipher().seal(HERE, b"more")


def test_a_citizen_whose_keys_are_destroyed_is_lost_and_nobody_else(world: World):
    cipher, other = world.cipher(), replace(HERE, citizen_id="binh")
    blob, kept = cipher.seal(HERE, b"sealed"), cipher.seal(other, b"kept")
    assert cipher.keys.destroy("an", "clinical")
    for each in (cipher, world.cipher()):
        with pytest.raises(SealBroken):
            each.open(HERE, blob)
        assert each.open(other, kept) == b"kept"


def test_a_restored_backup_of_an_erased_citizen_stays_shut_after_the_month(world: World):
    cipher, other = world.cipher(), replace(HERE, citizen_id="binh")
    blob, kept = cipher.seal(HERE, b"sealed"), cipher.seal(other, b"kept")
    backup = world.rows.find("an", "clinical")
    assert backup is not None
    cipher.keys.destroy("an", "clinical")
    world.now = DECEMBER
    cipher.keys.retire_kek("2026-11")
    assert world.rows.add(backup)
    with pytest.raises(KeyUnavailable):
        world.cipher().open(HERE, blob)
    assert world.cipher().open(other, kept) == b"kept"


def test_a_kek_is_not_retired_within_its_month(world: World):
    world.cipher().seal(HERE, b"sealed")
    with pytest.raises(KekInUse):
        world.cipher().keys.retire_kek("2026-11")


def test_many_first_writers_agree_on_one_key(world: World):
    ciphers = [world.cipher() for _ in range(16)]
    blobs: list[bytes] = []
    gate = threading.Barrier(16)

    def seal(cipher: CitizenCipher) -> None:
        gate.wait()
        blobs.append(cipher.seal(HERE, b"sealed"))

    _in_threads([lambda cipher=cipher: seal(cipher) for cipher in ciphers])
    assert [world.cipher().open(HERE, blob) for blob in blobs] == [b"sealed"] * 16


class LateRows(MemoryWrappedKeys):
    """A key table where somebody else's key is there, but shows only after some looks."""

    def __init__(self, hidden_for: int) -> None:
        super().__init__()
        self.hidden_for = hidden_for

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        self.hidden_for -= 1
        return None if self.hidden_for >= 0 else super().find(citizen_id, retention_class)


def test_the_loser_of_a_race_waits_for_the_winners_key(world: World, monkeypatch):
    monkeypatch.setattr(citizen_keys, "_SETTLE_PAUSE_SECONDS", 0.0)
    late = LateRows(0)
    world.rows = late
    blob = world.cipher().seal(HERE, b"winner")
    late.hidden_for = 4
    world.cipher().seal(HERE, b"loser")
    assert world.cipher().open(HERE, blob) == b"winner"
    late.hidden_for = 1000
    with pytest.raises(KeyUnavailable, match="elsewhere"):
        world.cipher().seal(HERE, b"never")


def test_a_key_destroyed_elsewhere_is_forgotten_after_a_minute(world: World, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(citizen_keys.time, "monotonic", lambda: clock[0])
    cipher = world.cipher()
    blob = cipher.seal(HERE, b"sealed")
    world.rows.remove("an", "clinical")
    clock[0] = 59.0
    assert cipher.open(HERE, blob) == b"sealed"
    clock[0] = 60.5
    with pytest.raises(SealBroken):
        cipher.open(HERE, blob)


def test_the_oldest_open_key_makes_room(world: World, monkeypatch):
    monkeypatch.setattr(citizen_keys, "HELD_KEYS", 2)
    cipher = world.cipher()
    blobs = {who: cipher.seal(replace(HERE, citizen_id=who), b"x") for who in ("an", "binh")}
    cipher.open(HERE, blobs["an"])
    cipher.seal(replace(HERE, citizen_id="chi"), b"x")
    assert [who for who, _ in cipher.keys._held] == ["an", "chi"]


def _in_threads(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
