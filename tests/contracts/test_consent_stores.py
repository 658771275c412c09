"""The consent stores keep the port's promises: whole, once, and never on a version that has moved on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from consent.errors import StaleVersion, VisitCodeInvalid
from consent.memory import MemoryConsents, MemoryVisitCodes
from consent.model import ConsentRequest, Grant, LiveGrant, NoticeShown, Period, Standing, Step
from consent.ports import Consents, VisitCodes
from tests.consent.builders import NOW, make_actor, make_scope
from tests.words import says
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.stores import consents as module
from wallet_api.stores import events, holdings, restrictions
from wallet_api.stores import visit_codes as code_module
from wallet_api.stores.consents import MongoConsents
from wallet_api.stores.visit_codes import MongoVisitCodes

Stores = tuple[Consents, VisitCodes]


def mongo(db: Database[dict[str, Any]]) -> tuple[MongoConsents, MongoVisitCodes]:
    for each in (module, code_module, restrictions, holdings, events):
        ensure_indexes(db, each.INDEXES)
    keys = MemoryKeyStore()
    cipher = CitizenCipher(MemoryWrappedKeys(), keys, lambda: NOW)
    return MongoConsents(db, cipher, BlindIndex(keys)), MongoVisitCodes(db, lambda: NOW)


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "memory":
        yield MemoryConsents(), MemoryVisitCodes()
    elif request.param == "embedded":
        yield mongo(request.getfixturevalue("embedded_db"))
    elif uri:
        db = open_database(uri, f"test_{new_id()}")
        yield mongo(db)
        db.client.drop_database(db.name)
        db.client.close()
    else:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")


@pytest.fixture
def consents(stores: Stores) -> Consents:
    return stores[0]


@pytest.fixture
def codes(stores: Stores) -> VisitCodes:
    return stores[1]


def a_request(**over: Any) -> ConsentRequest:
    base = ConsentRequest(
        id=new_id(),
        citizen_id="citizen",
        scope=make_scope(),
        requested_by="doctor",
        reason="tái khám",
        state="requested",
        version=1,
        created_at=NOW,
        closes_at=NOW + timedelta(days=7),
        in_visit=False,
        history=(Step("consent:request:created", "doctor", NOW),),
    )
    return replace(base, **over)


def a_grant(request: ConsentRequest, **over: Any) -> Grant:
    base = Grant(
        id=new_id(),
        citizen_id=request.citizen_id,
        request_id=request.id,
        scope=request.scope,
        state="granted",
        version=1,
        granted_at=NOW,
        notice=NoticeShown("2026-1", "vi", "ab" * 32),
        evidence=make_actor().evidence,
        held_back=("labels",),
        history=(Step("consent:grant:created", "citizen", NOW),),
    )
    return replace(base, **over)


def answered(request: ConsentRequest, grant: Grant | None = None) -> ConsentRequest:
    step = Step("consent:request:answered", "citizen", NOW, None if grant else "not_now")
    return replace(
        request,
        state="granted" if grant else "refused",
        version=request.version + 1,
        grant_id=grant.id if grant else None,
        history=(*request.history, step),
    )


def over_now(grant: Grant, state: Any = "withdrawn") -> Grant:
    step = Step(f"consent:grant:{state}", "citizen", NOW, "other")
    history = (*grant.history, step)
    return replace(
        grant, state=state, version=grant.version + 1, ended_at=NOW, end_reason="other", history=history
    )


def granted(consents: Consents, **scope: Any) -> Grant:
    request = a_request(scope=make_scope(**scope))
    grant = a_grant(request)
    consents.add_request(request)
    consents.approve(answered(request, grant), grant, expected=1)
    return grant


def all_of(consents: Consents, grant: Grant) -> tuple[Any, ...]:
    """Everything the store says about a grant's people."""
    return (
        consents.requests_of("citizen", 100),
        consents.grants_of("citizen", 100),
        consents.grant("citizen", grant.id),
        consents.standing("citizen", "org"),
    )


def at_once(work: Callable[[int], object], count: int) -> Counter[str]:
    """What came out of calling something many times together: True, False, None, or an error's name."""

    def tried(number: int) -> str:
        try:
            return str(work(number))
        except StaleVersion as why:
            return type(why).__name__

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(tried, range(count)))


def test_a_request_comes_back_whole_to_its_citizen_alone(consents: Consents) -> None:
    request = a_request(
        scope=make_scope(
            practitioner_id="bs", uses=3, labels=frozenset({"PSY"}), record_period=Period(None, None)
        )
    )
    consents.add_request(request)
    assert consents.request("citizen", request.id) == request
    assert consents.request("stranger", request.id) is None
    assert consents.request("citizen", "absent") is None
    assert consents.requests_of("stranger", 10) == []


def test_the_newest_requests_and_grants_come_first(consents: Consents) -> None:
    made = [a_request(created_at=NOW + timedelta(minutes=number)) for number in (2, 0, 1)]
    for request in made:
        consents.add_request(request)
        grant = a_grant(request, granted_at=request.created_at)
        consents.approve(answered(request, grant), grant, expected=1)
    for found in (consents.requests_of("citizen", 2), consents.grants_of("citizen", 2)):
        moments = [getattr(each, "created_at", None) or each.granted_at for each in found]  # type: ignore[union-attr]  # only grants lack the first
        assert moments == [NOW + timedelta(minutes=2), NOW + timedelta(minutes=1)]


def test_an_approval_changes_request_grant_and_standing_together(consents: Consents) -> None:
    request = a_request(scope=make_scope(uses=5))
    grant = a_grant(request)
    consents.add_request(request)
    assert consents.standing("citizen", "org") == Standing()
    consents.approve(answered(request, grant), grant, expected=1)
    assert consents.request("citizen", request.id) == answered(request, grant)
    assert consents.grant("citizen", grant.id) == grant
    assert consents.grant("stranger", grant.id) is None
    expected = Standing(1, (LiveGrant(grant.id, grant.scope, 5),), False, True)
    assert consents.standing("citizen", "org") == expected
    assert consents.settled_standing("citizen", "org") == expected
    assert consents.standing("citizen", "other") == consents.standing("other", "org") == Standing()


def test_an_approval_whose_answer_was_lost_may_be_made_again(consents: Consents) -> None:
    request = a_request()
    grant, other = a_grant(request), a_grant(request)
    consents.add_request(request)
    consents.approve(answered(request, grant), grant, expected=1)
    before = all_of(consents, grant)
    consents.approve(answered(request, grant), grant, expected=1)
    assert all_of(consents, grant) == before
    with pytest.raises(StaleVersion):
        consents.approve(answered(request, other), other, expected=1)


def test_a_stale_answer_changes_nothing(consents: Consents) -> None:
    request = a_request()
    grant = a_grant(request)
    consents.add_request(request)
    before = all_of(consents, grant)
    with pytest.raises(StaleVersion):
        consents.approve(answered(request, grant), grant, expected=2)
    with pytest.raises(StaleVersion):
        consents.save_request(answered(request), expected=0)
    with pytest.raises(StaleVersion):
        consents.approve(answered(replace(request, citizen_id="other"), grant), grant, expected=2)
    assert all_of(consents, grant) == before
    consents.save_request(answered(request), expected=1)
    with pytest.raises(StaleVersion):
        consents.approve(answered(request, grant), grant, expected=1)
    assert consents.grant("citizen", grant.id) is None
    assert consents.standing("citizen", "org") == Standing()


def test_an_end_takes_the_grant_off_the_standing_and_raises_the_epoch(consents: Consents) -> None:
    first, second = granted(consents), granted(consents)
    consents.end(over_now(first), expected=1)
    standing = consents.standing("citizen", "org")
    assert (standing.epoch, [each.id for each in standing.live]) == (3, [second.id])
    assert standing.known and consents.grant("citizen", first.id) == over_now(first)
    before = all_of(consents, first)
    with pytest.raises(StaleVersion):
        consents.end(over_now(first), expected=1)
    with pytest.raises(StaleVersion):
        consents.end(over_now(second), expected=2)
    assert all_of(consents, first) == before
    consents.end(over_now(second), expected=1)
    assert consents.standing("citizen", "org") == Standing(4, (), False, True)


def test_narrowing_puts_one_grant_in_the_place_of_the_other_with_the_uses_that_were_left(
    consents: Consents,
) -> None:
    old = granted(consents, uses=5)
    for _ in range(3):
        assert consents.use("citizen", "org", old.id)
    new = replace(old, id=new_id(), scope=replace(old.scope, uses=4, categories=frozenset({"visit"})))
    consents.narrow(over_now(old, "superseded"), new, expected=1)
    standing = consents.standing("citizen", "org")
    assert standing.live == (LiveGrant(new.id, new.scope, 2),) and standing.epoch == 2
    assert consents.grant("citizen", old.id) == over_now(old, "superseded")
    assert consents.grant("citizen", new.id) == new
    before = all_of(consents, new)
    with pytest.raises(StaleVersion):
        consents.narrow(over_now(old, "superseded"), replace(new, id=new_id()), expected=1)
    assert all_of(consents, new) == before


def test_narrowing_an_unlimited_grant_may_limit_it(consents: Consents) -> None:
    old = granted(consents)
    new = replace(old, id=new_id(), scope=replace(old.scope, uses=1))
    consents.narrow(over_now(old, "superseded"), new, expected=1)
    assert [each.uses_left for each in consents.standing("citizen", "org").live] == [1]


def test_uses_are_counted_to_the_last_and_only_on_the_grant_meant(consents: Consents) -> None:
    limited, other, free = granted(consents, uses=2), granted(consents, uses=1), granted(consents)
    assert [consents.use("citizen", "org", limited.id) for _ in range(3)] == [True, True, False]
    assert [consents.use("citizen", "org", free.id) for _ in range(3)] == [True] * 3
    left = {each.id: each.uses_left for each in consents.standing("citizen", "org").live}
    assert left == {limited.id: 0, other.id: 1, free.id: None}
    assert consents.standing("citizen", "org").epoch == 3, "counting a use ends nothing"
    for citizen, organisation, grant in (
        ("stranger", "org", free.id),
        ("citizen", "other", free.id),
        ("citizen", "org", "absent"),
    ):
        assert consents.use(citizen, organisation, grant) is False
    consents.end(over_now(free), expected=1)
    assert consents.use("citizen", "org", free.id) is False


def test_the_deny_list_raises_the_epoch_and_leaves_grants_alone(consents: Consents) -> None:
    grant = granted(consents)
    consents.set_blocked("citizen", "org", blocked=True)
    consents.set_blocked("citizen", "another", blocked=True)
    assert consents.blocked_by("citizen") == ["another", "org"]
    assert consents.blocked_by("stranger") == []
    standing = consents.standing("citizen", "org")
    assert (standing.epoch, standing.blocked, standing.known) == (2, True, True)
    assert [each.id for each in standing.live] == [grant.id]
    assert consents.standing("citizen", "another") == Standing(1, (), True, False)
    consents.set_blocked("citizen", "org", blocked=False)
    assert consents.blocked_by("citizen") == ["another"]
    later = granted(consents, organisation_id="another")
    standing = consents.standing("citizen", "another")
    assert (standing.blocked, [each.id for each in standing.live]) == (True, [later.id])


def test_twenty_answers_at_once_leave_one(consents: Consents) -> None:
    request = a_request()
    consents.add_request(request)
    grants = [a_grant(request) for _ in range(20)]

    def answer(number: int) -> object:
        if number % 2:
            return consents.save_request(answered(request), expected=1)
        grant = grants[number]
        return consents.approve(answered(request, grant), grant, expected=1)

    assert at_once(answer, 20) == {"None": 1, "StaleVersion": 19}
    found = consents.request("citizen", request.id)
    assert found is not None
    kept = [each.id for each in consents.grants_of("citizen", 100)]
    live = [each.id for each in consents.standing("citizen", "org").live]
    assert kept == live == ([found.grant_id] if found.state == "granted" else [])


def test_twenty_ends_and_narrowings_at_once_leave_one(consents: Consents) -> None:
    old = granted(consents)

    def change(number: int) -> object:
        if number % 2:
            return consents.end(over_now(old), expected=1)
        new = replace(old, id=new_id(), request_id=None)
        return consents.narrow(over_now(old, "superseded"), new, expected=1)

    assert at_once(change, 20) == {"None": 1, "StaleVersion": 19}
    standing, kept = consents.standing("citizen", "org"), consents.grants_of("citizen", 100)
    assert standing.epoch == 2
    assert [each.id for each in standing.live] == [each.id for each in kept if each.state == "granted"]


def test_twenty_uses_at_once_count_each(consents: Consents) -> None:
    grant = granted(consents, uses=7)
    assert at_once(lambda _: consents.use("citizen", "org", grant.id), 20) == {"True": 7, "False": 13}
    assert [each.uses_left for each in consents.standing("citizen", "org").live] == [0]


def test_grants_of_many_requests_at_once_are_all_on_the_standing(consents: Consents) -> None:
    requests = [a_request() for _ in range(8)]
    for request in requests:
        consents.add_request(request)

    def approve(number: int) -> object:
        grant = a_grant(requests[number])
        return consents.approve(answered(requests[number], grant), grant, expected=1)

    assert at_once(approve, 8) == {"None": 8}
    standing = consents.standing("citizen", "org")
    assert (standing.epoch, len(standing.live)) == (8, 8)


def test_a_visit_code_is_taken_once_by_one_and_in_time(codes: VisitCodes) -> None:
    codes.add("one", "citizen", NOW + timedelta(minutes=5))
    codes.add("late", "citizen", NOW + timedelta(minutes=5))
    assert codes.shown("absent", NOW) is None and not codes.take("absent", NOW)
    assert codes.shown("one", NOW) == codes.shown("one", NOW) == "citizen", "looking uses nothing up"
    assert at_once(lambda _: codes.take("one", NOW), 50) == {"True": 1, "False": 49}
    assert codes.shown("one", NOW) is None
    late = NOW + timedelta(minutes=5)
    assert codes.shown("late", late) is None and not codes.take("late", late)
    codes.add("one", "another", late)
    assert codes.shown("one", NOW) is None, "a used code stays used"


def test_a_request_and_the_code_it_was_bought_with_go_together(consents: Consents, codes: VisitCodes) -> None:
    codes.add("code", "citizen", NOW + timedelta(minutes=5))

    def spend(unit: object) -> None:
        if not codes.take("code", NOW, unit):
            raise VisitCodeInvalid("code")

    requests = [a_request() for _ in range(50)]

    def ask(number: int) -> str:
        try:
            consents.add_request(requests[number], spend)
        except VisitCodeInvalid:
            return "refused"
        return "kept"

    assert at_once(ask, 50) == {"kept": 1, "refused": 49}
    (kept,) = consents.requests_of("citizen", 100)
    assert ask(requests.index(kept)) == "kept", "the same request once more"
    assert len(consents.requests_of("citizen", 100)) == 1


def test_a_use_counts_once_an_act(consents: Consents) -> None:
    grant = granted(consents, uses=3)
    args = (grant.citizen_id, grant.scope.organisation_id, grant.id)

    def left() -> int | None:
        return consents.standing("citizen", "org").live[0].uses_left

    assert at_once(lambda _: consents.use(*args, "act"), 20) == {"True": 20} and left() == 2
    assert consents.use(*args, "other") and left() == 1
    consents.unuse(*args, "act")
    consents.unuse(*args, "act")
    assert left() == 2, "given back once"
    assert consents.use(*args) and consents.use(*args) and not consents.use(*args)
    assert consents.use(*args, "other") and not consents.use(*args, "third")


def test_a_failure_in_the_middle_of_an_approval_leaves_no_trace(
    any_db: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    consents, _ = mongo(any_db)
    request = a_request()
    grant = a_grant(request)
    consents.add_request(request)
    before = all_of(consents, grant)

    def fail(*args: Any, **more: Any) -> None:
        raise PyMongoError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(MongoConsents, "_shift", fail)
        with pytest.raises(PyMongoError, match="planted"):
            consents.approve(answered(request, grant), grant, expected=1)
    assert all_of(consents, grant) == before
    other = granted(consents)
    before = all_of(consents, other)
    for change in (
        lambda: consents.end(over_now(other), expected=1),
        lambda: consents.narrow(over_now(other, "superseded"), replace(other, id=new_id()), expected=1),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(MongoConsents, "_shift", fail)
            with pytest.raises(PyMongoError, match="planted"):
                change()
        assert all_of(consents, other) == before
    with pytest.raises(DuplicateKeyError):
        consents.narrow(over_now(other, "superseded"), other, expected=1)
    assert all_of(consents, other) == before


def test_the_reason_of_a_request_is_sealed(any_db: Database[dict[str, Any]]) -> None:
    consents, _ = mongo(any_db)
    request = a_request(reason="nghi ngờ lao phổi")
    consents.add_request(request)
    (kept,) = any_db["consent_requests"].find({})
    assert not says(str({name: value for name, value in kept.items() if name != "reason"}), "lao")
    assert isinstance(kept["reason"], bytes) and b"lao" not in kept["reason"]


def test_a_use_given_back_can_be_used_again_and_no_limit_stays_no_limit(consents: Consents) -> None:
    once, free = granted(consents, uses=1), granted(consents)
    for grant in (once, free):
        assert consents.use("citizen", "org", grant.id)
        consents.unuse("citizen", "org", grant.id)
    left = {each.id: each.uses_left for each in consents.standing("citizen", "org").live}
    assert left == {once.id: 1, free.id: None}


def test_what_has_expired_leaves_the_standing_when_something_comes(consents: Consents) -> None:
    old = granted(consents, expires_at=NOW - timedelta(days=1))
    assert [each.id for each in consents.standing("citizen", "org").live] == [old.id]
    new = granted(consents)
    assert [each.id for each in consents.standing("citizen", "org").live] == [new.id]


def test_an_organisation_left_out_takes_no_place_in_the_list(consents: Consents) -> None:
    wanted = a_request(created_at=NOW - timedelta(days=1))
    consents.add_request(wanted)
    for _ in range(3):
        consents.add_request(a_request(scope=make_scope(organisation_id="spam")))
    found = consents.requests_of("citizen", 2, frozenset({"spam"}))
    assert [each.id for each in found] == [wanted.id]


def test_the_settled_standing_is_the_standing(consents: Consents) -> None:
    granted(consents)
    assert consents.settled_standing("citizen", "org") == consents.standing("citizen", "org")


def test_no_label_of_a_scope_stands_in_clear(any_db: Database[dict[str, Any]]) -> None:
    consents, _ = mongo(any_db)
    grant = granted(consents, labels=frozenset({"HIV", "PSY"}))
    assert consents.grant("citizen", grant.id) == grant
    assert consents.standing("citizen", "org").live[0].scope == grant.scope
    everything = str([list(any_db[name].find()) for name in any_db.list_collection_names()])
    assert not says(everything, "HIV") and not says(everything, "PSY")
