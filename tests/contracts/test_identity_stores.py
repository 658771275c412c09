"""What the ports of people, families and organisations promise, asked of memory and database alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.identity.stores import mongo_stores, stores_for, winners
from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import (
    Account,
    Citizen,
    Guardianship,
    Identifier,
    Licence,
    Organisation,
    Practitioner,
    Profile,
    Review,
)
from wallet_api.identity.service import IdentityStores
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id

AT = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
PROFILE = Profile("Nguyễn Thị An", date(1994, 3, 12), "female", "+84900099001", "01")
NUMBER = Identifier("national_id", "001194999001", date(2026, 1, 1))
ACCOUNT = Account("https://vneid", "an")


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[IdentityStores]:
    yield from stores_for(request)


def citizen(**over: Any) -> Citizen:
    base = Citizen(new_id(), PROFILE, (NUMBER,), (ACCOUNT,), None, AT)
    return replace(base, **over)


def succeeds(work: Callable[[], object], *refusals: type[Exception]) -> bool:
    try:
        work()
    except refusals:
        return False
    return True


def test_a_citizen_comes_back_whole_and_is_found_by_number_and_account(stores: IdentityStores) -> None:
    one = citizen(deceased_on=date(2026, 11, 1))
    stores.citizens.create(one)
    assert stores.citizens.get(one.id) == one
    assert stores.citizens.by_account(ACCOUNT) == one.id
    owner = stores.citizens.owner("national_id", NUMBER.value)
    assert owner is not None
    assert (owner.citizen_id, owner.valid_from, owner.valid_to) == (one.id, date(2026, 1, 1), None)
    assert stores.citizens.owner("insurance_number", "0123456789") is None
    assert stores.citizens.by_account(Account("https://other", "an")) is None
    assert stores.citizens.get("nobody") is None


@pytest.mark.parametrize("over", [{"identifiers": (NUMBER,), "accounts": ()}, {"identifiers": ()}])
def test_a_number_or_account_in_use_adds_nothing_at_all(stores: IdentityStores, over: dict[str, Any]) -> None:
    stores.citizens.create(citizen())
    second = citizen(**over)
    with pytest.raises(Taken):
        stores.citizens.create(second)
    assert stores.citizens.get(second.id) is None


def test_sixteen_who_create_the_same_person_make_one(stores: IdentityStores) -> None:
    assert winners(lambda _: succeeds(lambda: stores.citizens.create(citizen()), Taken)) == 1


def test_a_citizen_is_saved_from_the_expected_version_only(stores: IdentityStores) -> None:
    one = citizen()
    stores.citizens.create(one)
    ended = replace(NUMBER, valid_to=date(2026, 11, 1))
    fresh = Identifier("national_id", "001394999001", date(2026, 11, 2))
    changed = replace(one, identifiers=(ended, fresh), version=2)
    stores.citizens.save(changed, expected=1)
    assert stores.citizens.get(one.id) == changed
    owner = stores.citizens.owner("national_id", NUMBER.value)
    assert owner is not None
    assert owner.valid_to == date(2026, 11, 1)
    with pytest.raises(StaleVersion):
        stores.citizens.save(changed, expected=1)


def test_a_save_that_takes_somebody_elses_number_changes_nothing(stores: IdentityStores) -> None:
    stores.citizens.create(citizen())
    other = citizen(identifiers=(), accounts=())
    stores.citizens.create(other)
    with pytest.raises(Taken):
        stores.citizens.save(replace(other, identifiers=(NUMBER,), version=2), expected=1)
    assert stores.citizens.get(other.id) == other


def test_two_who_are_linked_are_saved_together_or_not_at_all(stores: IdentityStores) -> None:
    kept = stores.citizens
    one, other = citizen(), citizen(identifiers=(), accounts=())
    kept.create(one)
    kept.create(other)
    linked = replace(one, joined=(other.id,), version=2), replace(other, continues_in=one.id, version=2)
    with pytest.raises(StaleVersion):
        kept.save_together([(linked[0], 1), (linked[1], 7)])
    assert (kept.get(one.id), kept.get(other.id)) == (one, other)
    kept.save_together([(linked[0], 1), (linked[1], 1)])
    assert (kept.get(one.id), kept.get(other.id)) == linked
    assert not linked[1].may_be_signed_in and linked[0].may_be_signed_in


def test_reviews_are_open_oldest_first(stores: IdentityStores) -> None:
    for hours in (2, 1):
        stores.reviews.add(Review(f"r{hours}", "number_conflict", "c", AT + timedelta(hours=hours)))
    found = stores.reviews.open()
    assert {one.id for one in found} == {"r1", "r2"}
    assert found[0].opened_at.tzinfo is not None


def guardianship(**over: Any) -> Guardianship:
    base = Guardianship(
        new_id(), "an", "minh", "minor", "proposed", "birth_certificate", date(2026, 1, 1), date(2043, 3, 31)
    )
    return replace(base, **over)


def test_a_pair_has_one_relation_that_has_not_ended(stores: IdentityStores) -> None:
    first = guardianship()
    stores.guardianships.add(first)
    with pytest.raises(Taken):
        stores.guardianships.add(guardianship())
    stores.guardianships.save(replace(first, state="ended", version=2), expected=1)
    second = guardianship(valid_to=None, verified_by="registrar", state="active")
    stores.guardianships.add(second)
    assert {one.id for one in stores.guardianships.for_pair("an", "minh")} == {first.id, second.id}
    assert stores.guardianships.get(second.id) == second
    with pytest.raises(StaleVersion):
        stores.guardianships.save(replace(first, version=3), expected=1)
    assert stores.guardianships.get("nobody") is None


def test_relations_are_found_from_both_sides_and_by_registrars(stores: IdentityStores) -> None:
    one, other = guardianship(), guardianship(guardian_id="binh", state="active")
    for relation in (one, other):
        stores.guardianships.add(relation)
    assert {found.id for found in stores.guardianships.of_dependent("minh")} == {one.id, other.id}
    assert stores.guardianships.of_guardian("binh") == [other]
    assert stores.guardianships.proposed() == [one]


def test_organisations_are_unique_versioned_and_found_by_word_beginnings(stores: IdentityStores) -> None:
    licence = Licence(frozenset({"TREAT"}), frozenset({"visit"}), frozenset({"visit", "checkup"}))
    one = Organisation(
        "h", "Bệnh viện Đa khoa", "General Hospital", "hospital", licence, "99001", "2990000990013"
    )
    stores.organisations.add(one)
    stores.organisations.add(Organisation("i", "Bảo hiểm", "Insurer", "insurer"))
    stores.organisations.add(Organisation("j", "Bảo hiểm hai", "Insurer two", "insurer"))
    assert stores.organisations.get("h") == one
    assert stores.organisations.search(["benh", "da"], 5) == [one]
    assert stores.organisations.search(["hosp"], 5) == [one]
    assert stores.organisations.search(["vi", "x"], 5) == []
    assert stores.organisations.search([], 5) == []
    assert len(stores.organisations.search(["bao"], 1)) == 1
    for clash in ({"gln": None}, {"facility_code": None}):
        with pytest.raises(Taken):
            stores.organisations.add(replace(one, id="k", **clash))
    with pytest.raises(Taken):
        stores.organisations.save(Organisation("i", "B", "I", "insurer", gln=one.gln, version=2), expected=1)
    with pytest.raises(StaleVersion):
        stores.organisations.save(replace(one, version=9), expected=8)


def test_a_roster_entry_is_replaced_and_kept_apart_by_organisation(stores: IdentityStores) -> None:
    one = Practitioner("d", "h", "BS. Khánh", "physician", date(2026, 1, 1))
    stores.rosters.put(one)
    stores.rosters.put(replace(one, organisation_id="s"))
    ended = replace(one, valid_to=date(2026, 11, 1))
    stores.rosters.put(ended)
    assert stores.rosters.get("h", "d") == ended
    assert stores.rosters.of("h") == [ended]
    assert stores.rosters.get("s", "d") == replace(one, organisation_id="s")
    assert stores.rosters.get("h", "nobody") is None


def test_a_dump_of_the_database_names_nobody(any_db: Any) -> None:
    stores = mongo_stores(any_db)
    one = citizen()
    stores.citizens.create(one)
    stores.guardianships.add(guardianship(dependent_id=one.id))
    dump = "".join(repr(list(any_db[name].find())) for name in any_db.list_collection_names())
    assert one.id in dump
    for secret in (
        PROFILE.name,
        "Nguy",
        NUMBER.value,
        "999001",
        "900099001",
        "1994-03-12",
        "2043",
        "https://vneid",
    ):
        assert secret not in dump


def test_numbers_and_accounts_are_still_found_and_unique_after_the_index_key_rotated(any_db: Any) -> None:
    keys = MemoryKeyStore()
    stores = mongo_stores(any_db, keys)
    one = citizen()
    stores.citizens.create(one)
    keys._shelf.put("index-2", b"k" * 32)
    keys._held.clear()
    assert stores.citizens.by_account(ACCOUNT) == one.id
    with pytest.raises(Taken):
        stores.citizens.create(citizen(accounts=()))
    stores.citizens.save(replace(one, version=2), expected=1)
    assert stores.citizens.by_account(ACCOUNT) == one.id


HOT = {
    "identifiers": {"_id": "1.x"},
    "accounts": {"_id": "1.x"},
    "sessions": {"subject_id": "s", "ended_at": None},
    "refresh_tokens": {"_id": "d"},
    "guardianships": {"guardian_id": "a", "dependent_id": "b"},
    "oauth_clients": {"_id": "his"},
    "rosters": {"_id": "1|h|d"},
}


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_do_not_scan(any_db: Any, name: str) -> None:
    mongo_stores(any_db)
    any_db[name].insert_many([{"_id": f"x{number}", "guardian_id": f"g{number}"} for number in range(50)])
    plan = repr(any_db[name].find(HOT[name]).explain())
    assert "COLLSCAN" not in plan
