"""What the identity ports promise, asked of the memory stores and of a database alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.identity.world import memory_stores
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
    Session,
)
from wallet_api.identity.oauth.model import AuthorizationCode, Client, LoginAttempt, RefreshLine, SignedIn
from wallet_api.identity.service import IdentityStores
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.stores import guardianships, identities, oauth_clients, organisations, sessions, sign_ins
from wallet_api.stores.citizen_keys import INDEXES as KEY_INDEXES
from wallet_api.stores.citizen_keys import MongoCitizenKeys

AT = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
PROFILE = Profile("Nguyễn Thị An", date(1994, 3, 12), "female", "+84900099001", "01")
NUMBER = Identifier("national_id", "001194999001", date(2026, 1, 1))
ACCOUNT = Account("https://vneid", "an")
MODULES = (guardianships, identities, oauth_clients, organisations, sessions, sign_ins)


def mongo_stores(db: Any, keys: MemoryKeyStore | None = None) -> IdentityStores:
    keys = keys or MemoryKeyStore()
    ensure_indexes(db, (index for module in MODULES for index in module.INDEXES))
    ensure_indexes(db, KEY_INDEXES)
    cipher, blind = CitizenCipher(MongoCitizenKeys(db), keys, system_now), BlindIndex(keys)
    return IdentityStores(
        citizens=identities.MongoCitizens(db, cipher, blind),
        reviews=identities.MongoReviews(db),
        guardianships=guardianships.MongoGuardianships(db, cipher),
        organisations=organisations.MongoOrganisations(db),
        rosters=organisations.MongoRosters(db),
        clients=oauth_clients.MongoClients(db),
        sessions=sessions.MongoSessions(db),
        attempts=sign_ins.MongoLoginAttempts(db),
        codes=sign_ins.MongoCodes(db),
        jtis=sign_ins.MongoJtis(db),
    )


@pytest.fixture(params=["memory", "database"])
def stores(request: pytest.FixtureRequest) -> IdentityStores:
    if request.param == "memory":
        return memory_stores()
    return mongo_stores(request.getfixturevalue("any_db"))


def citizen(**over: Any) -> Citizen:
    base = Citizen(new_id(), PROFILE, (NUMBER,), (ACCOUNT,), None, AT)
    return replace(base, **over)


def winners(work: Callable[[int], bool]) -> int:
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(work, range(16)))


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


def test_clients_come_back_whole(stores: IdentityStores) -> None:
    one = Client("his", "provider", "System", (), {"keys": [{"kid": "1", "kty": "EC"}]}, "h")
    stores.clients.add(one)
    assert stores.clients.get("his") == one
    with pytest.raises(Taken):
        stores.clients.add(one)
    stores.clients.save(replace(one, status="suspended", version=2), expected=1)
    assert stores.clients.of_organisation("h")[0].status == "suspended"
    with pytest.raises(StaleVersion):
        stores.clients.save(one, expected=1)
    assert stores.clients.get("nobody") is None


def session(**over: Any) -> Session:
    roles = frozenset({"operator"})
    base = Session(new_id(), "ops", "subject", "app", "Phone", AT, AT, AT, "2", roles)  # type: ignore[arg-type]
    return replace(base, **over)


def test_a_session_comes_back_and_ends_once(stores: IdentityStores) -> None:
    one, other = session(), session(subject_id="other")
    stores.sessions.add(one, "d1")
    stores.sessions.add(other, "d2")
    with pytest.raises(Taken):
        stores.sessions.add(one, "d3")
    assert stores.sessions.get(one.id) == one
    assert stores.sessions.of("subject") == [one]
    assert winners(lambda _: stores.sessions.end(one.id, AT)) == 1
    found = stores.sessions.get(one.id)
    assert found is not None
    assert (found.ended_at, found.version) == (AT, 2)
    assert stores.sessions.of("subject") == []
    assert stores.sessions.end_all("other", AT) == 1
    assert stores.sessions.end_all("other", AT) == 0
    assert stores.sessions.get("nobody") is None


def test_a_refresh_line_moves_from_where_it_is_for_one_of_sixteen(stores: IdentityStores) -> None:
    one = session()
    stores.sessions.add(one, "d1")
    start = RefreshLine(None, "d1")

    def move(number: int) -> bool:
        after = RefreshLine("d1", f"n{number}")
        return stores.sessions.rotate(one.id, before=start, after=after, at=AT + timedelta(hours=1))

    assert winners(move) == 1
    first = stores.sessions.issued("d1")
    assert first is not None
    assert (first.line.used, first.successor_of) == ("d1", None)
    fresh = stores.sessions.issued(first.line.waiting)
    assert fresh is not None
    assert fresh.successor_of == "d1"
    assert fresh.session.last_used_at == AT + timedelta(hours=1)
    assert stores.sessions.issued("nobody's") is None
    stores.sessions.end(one.id, AT)
    assert not stores.sessions.rotate(one.id, before=first.line, after=RefreshLine("x", "y"), at=AT)


def test_an_attempt_is_taken_by_one_of_sixteen(stores: IdentityStores) -> None:
    one = LoginAttempt("s", "b", "vneid", "app", "https://app.vn/x", "state", "challenge", AT)
    stores.attempts.add(one)
    assert stores.attempts.take("other") is None
    taken: list[LoginAttempt | None] = []
    assert winners(lambda _: bool(taken.append(stores.attempts.take("s"))) or taken[-1] is not None) >= 0
    assert [found for found in taken if found is not None] == [one]


def test_a_code_is_used_by_one_of_sixteen(stores: IdentityStores) -> None:
    person = SignedIn("ops", "p", "2", AT, frozenset({"operator"}))
    one = AuthorizationCode("d", "app", "https://app.vn/x", "challenge", person, "session", AT)
    stores.codes.add(one)
    assert stores.codes.get("d") == one
    assert winners(lambda _: stores.codes.use("d")) == 1
    stores.codes.mark_replayed("d")
    assert stores.codes.get("d") == replace(one, used=True, replayed=True)
    assert stores.codes.get("nobody's") is None
    assert not stores.codes.use("nobody's")


def test_an_assertion_id_is_good_once_for_each_client(stores: IdentityStores) -> None:
    assert winners(lambda _: stores.jtis.use("his", "j", AT)) == 1
    assert stores.jtis.use("other", "j", AT)
    assert not stores.jtis.use("his", "j", AT + timedelta(days=1))


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
    "sessions": {"_id": "s", "ended_at": None},
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
