"""Every table of wrapped keys keeps the same promises; no transaction can undo a key."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys, WrappedKey
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database, transaction
from wallet_api.stores.citizen_keys import INDEXES, MongoCitizenKeys

KEY = WrappedKey("an", "clinical", 1, "2026-11", b"wrapped")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def keys(request: pytest.FixtureRequest):
    if request.param == "memory":
        yield MemoryWrappedKeys()
        return
    if request.param == "embedded":
        db = request.getfixturevalue("embedded_db")
        ensure_indexes(db, INDEXES)
        yield MongoCitizenKeys(db)
        return
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if not uri:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")
    db = open_database(uri, f"test_{new_id()}")
    ensure_indexes(db, INDEXES)
    yield MongoCitizenKeys(db)
    db.client.drop_database(db.name)
    db.client.close()


def test_a_key_is_added_once(keys):
    assert keys.find("an", "clinical") is None
    assert keys.add(KEY)
    assert not keys.add(replace(KEY, wrapped=b"other"))
    assert keys.find("an", "clinical") == KEY
    assert keys.find("an", "contact") is None


def test_a_key_is_rewrapped_only_as_it_was_read(keys):
    keys.add(KEY)
    assert not keys.rewrap(replace(KEY, wrapped=b"stale"), b"new", "2026-12")
    assert keys.rewrap(KEY, b"new", "2026-12")
    assert not keys.rewrap(KEY, b"newer", "2027-01")
    assert keys.find("an", "clinical") == replace(KEY, wrapped=b"new", kek_id="2026-12")


def test_keys_are_found_by_their_kek(keys):
    rows = [replace(KEY, citizen_id=f"c{number}") for number in range(3)]
    for row in [*rows, replace(KEY, kek_id="2026-12")]:
        keys.add(row)
    assert set(keys.wrapped_by("2026-11", 10)) == set(rows)
    assert len(keys.wrapped_by("2026-11", 2)) == 2


def test_a_removed_key_is_gone(keys):
    keys.add(KEY)
    assert keys.remove("an", "clinical")
    assert not keys.remove("an", "clinical")
    assert keys.find("an", "clinical") is None
    assert not keys.rewrap(KEY, b"new", "2026-12")


def test_places_that_are_empty_are_filled_and_others_stay(keys):
    keys.add(KEY)
    contact = replace(KEY, retention_class="contact")
    assert set(keys.ensure([replace(KEY, wrapped=b"other"), contact])) == {KEY, contact}
    assert set(keys.ensure([replace(contact, wrapped=b"other"), KEY])) == {KEY, contact}
    assert keys.find("an", "contact") == contact


def test_one_place_filled_by_many_at_once_has_one_key(keys):
    def fill(number: int) -> tuple[WrappedKey, ...]:
        return keys.ensure([replace(KEY, wrapped=b"%d" % number), replace(KEY, retention_class="contact")])

    with ThreadPoolExecutor(8) as pool:
        seen = {
            row for rows in pool.map(fill, range(16)) for row in rows if row.retention_class == "clinical"
        }
    assert seen == {keys.find("an", "clinical")}


def test_what_was_sealed_before_opens_after_its_key_was_prepared(keys):
    keystore, place = MemoryKeyStore(), Place("an", "clinical", "records", "d", "f", 1)
    cipher = CitizenCipher(keys, keystore, lambda: NOW)
    blob = cipher.seal(place, b"sealed")
    other = CitizenCipher(keys, keystore, lambda: NOW)
    other.keys.prepare("an", "clinical", "contact")
    assert other.open(place, blob) == b"sealed"
    fresh = replace(place, retention_class="contact")
    assert cipher.open(fresh, other.seal(fresh, b"new")) == b"new"
    other.keys.look_up("nobody", "clinical")
    assert keys.find("nobody", "clinical") is None


def test_the_keys_of_many_are_made_where_there_are_none(keys):
    keystore, place = MemoryKeyStore(), Place("c1", "clinical", "records", "d", "f", 1)
    cipher, other = (CitizenCipher(keys, keystore, lambda: NOW) for _ in range(2))
    blob = cipher.seal(place, b"sealed")
    before = keys.find("c1", "clinical")
    whose = [f"c{number}" for number in range(20)]
    other.keys.prepare_many(whose, "clinical", "reminders")
    assert keys.find("c1", "clinical") == before and other.open(place, blob) == b"sealed"
    for each in whose:
        assert keys.find(each, "clinical") is not None and keys.find(each, "reminders") is not None
        again = replace(place, citizen_id=each)
        assert cipher.open(again, other.seal(again, b"new")) == b"new"


def test_keys_are_rewrapped_and_still_open(keys):
    clock, keystore = [NOW], MemoryKeyStore()
    cipher = CitizenCipher(keys, keystore, lambda: clock[0])
    places = [Place(f"c{number}", "clinical", "records", "d", "f", 1) for number in range(5)]
    blobs = [cipher.seal(place, b"sealed") for place in places]
    clock[0] = datetime(2026, 12, 2, tzinfo=UTC)
    assert cipher.keys.rewrap("2026-11", limit=2) == 2
    cipher.keys.retire_kek("2026-11")
    fresh = CitizenCipher(keys, keystore, lambda: clock[0])
    assert [fresh.open(place, blob) for place, blob in zip(places, blobs, strict=True)] == [b"sealed"] * 5
    assert keystore.kek_ids() == ("2026-12",)


class Undone(Exception):
    pass


def test_a_key_made_inside_a_transaction_outlives_its_undoing(embedded_db):
    ensure_indexes(embedded_db, INDEXES)
    keys, keystore = MongoCitizenKeys(embedded_db), MemoryKeyStore()
    cipher, place = (
        CitizenCipher(keys, keystore, lambda: NOW),
        Place("an", "clinical", "records", "d", "f", 1),
    )
    sealed: list[bytes] = []

    def work(session) -> None:
        sealed.append(cipher.seal(place, b"sealed"))
        embedded_db["records"].insert_one({"_id": "d", "f": sealed[-1]}, session=session)
        raise Undone

    with pytest.raises(Undone):
        transaction(embedded_db, work)
    assert embedded_db["records"].find_one({"_id": "d"}) is None
    assert CitizenCipher(keys, keystore, lambda: NOW).open(place, sealed[0]) == b"sealed"


def test_an_owner_with_a_separator_in_its_id_is_refused(embedded_db):
    with pytest.raises(ValueError, match="an owner of keys"):
        MongoCitizenKeys(embedded_db).find("an|clinical", "x")


def test_keys_are_found_by_kek_through_an_index(embedded_db):
    ensure_indexes(embedded_db, INDEXES)
    MongoCitizenKeys(embedded_db).add(KEY)
    found = embedded_db["citizen_keys"].find({"kek_id": "2026-11"}).explain()
    assert "IXSCAN" in str(found["queryPlanner"]["winningPlan"])
