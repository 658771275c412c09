"""The life of a consent: asking, narrowing, refusing, withdrawing, over the shipped memory store."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.access import ReadRefused
from consent.errors import (
    CoConsentRequired,
    GrantNotFound,
    NoticeOutdated,
    NotLicensed,
    RequestClosed,
    RequestNotFound,
    ScopeWidened,
    StaleVersion,
    TooManyGrants,
    UnknownCode,
)
from consent.model import Answer, Grant, Licence, Period
from consent.notices import LOCALES, notice_for
from consent.service import MOST_LIVE_GRANTS
from tests.consent.builders import ALL_CATEGORIES, NOW, make_actor, make_scope
from tests.consent.world import ACTOR, VERSION, World


@pytest.fixture
def world() -> World:
    return World()


def test_as_asked_is_granted_as_asked_and_recorded_with_its_evidence(world: World) -> None:
    grant = world.grant()
    assert grant.scope == make_scope()
    assert grant.held_back == ()
    assert grant.notice.sha256 == notice_for("TREAT", "vi").sha256
    assert grant.evidence == ACTOR.evidence
    assert [step.event for step in grant.history] == ["consent:grant:created"]
    assert world.consent.request("citizen", str(grant.request_id)).state == "granted"


def test_narrower_is_granted_and_the_difference_is_kept(world: World) -> None:
    answer = Answer(VERSION, "vi", categories=frozenset({"visit"}), uses=1, uses_given=True)
    grant = world.grant(answer)
    assert grant.scope.categories == {"visit"}
    assert grant.scope.uses == 1
    assert grant.held_back == ("categories", "frequency")


@pytest.mark.parametrize(
    ("answer", "dimension"),
    [
        ({"categories": frozenset({"visit", "lab_result"})}, "categories"),
        ({"record_period": Period(date(2019, 12, 31), date(2026, 12, 31))}, "record_period"),
        ({"record_period": Period(None, date(2026, 12, 31))}, "record_period"),
        ({"expires_at": NOW + timedelta(days=31)}, "expires_at"),
        ({"uses": 6, "uses_given": True}, "frequency"),
        ({"uses": None, "uses_given": True}, "frequency"),
        ({"labels": frozenset({"HIV"})}, "labels"),
    ],
)
def test_an_answer_wider_than_the_question_is_refused_and_nothing_is_written(
    world: World, answer: dict[str, object], dimension: str
) -> None:
    request = world.ask(uses=5)
    with pytest.raises(ScopeWidened) as refused:
        world.consent.approve("citizen", request.id, Answer(VERSION, "vi", **answer), ACTOR)
    assert refused.value.dimensions == (dimension,)
    assert world.consent.grants("citizen") == []
    assert world.consent.request("citizen", request.id).state == "requested"


categories = st.frozensets(st.sampled_from(sorted(ALL_CATEGORIES)), min_size=1)
periods = st.builds(
    Period,
    st.none() | st.dates(date(2020, 1, 1), date(2022, 1, 1)),
    st.none() | st.dates(date(2023, 1, 1), date(2026, 1, 1)),
)
answers = st.builds(
    Answer,
    st.just(VERSION),
    st.just("vi"),
    categories=st.none() | categories,
    record_period=st.none() | periods,
    expires_at=st.none() | st.integers(-2, 80).map(lambda days: NOW + timedelta(days=days)),
    uses=st.none() | st.integers(-1, 9),
    uses_given=st.booleans(),
    labels=st.none() | st.frozensets(st.sampled_from(["HIV", "PSY"])),
)


@given(asked_categories=categories, asked_period=periods, uses=st.none() | st.integers(1, 5), answer=answers)
def test_whatever_is_answered_the_grant_is_within_the_request(
    asked_categories: frozenset[str], asked_period: Period, uses: int | None, answer: Answer
) -> None:
    world = World()
    request = world.ask(
        categories=asked_categories, record_period=asked_period, uses=uses, labels=frozenset({"PSY"})
    )
    try:
        grant = world.consent.approve("citizen", request.id, answer, ACTOR)
    except (ScopeWidened, UnknownCode):
        assert world.consent.grants("citizen") == []
        return
    assert grant.scope.exceeds(request.scope) == ()
    assert grant.scope.categories <= request.scope.categories
    assert grant.scope.expires_at <= request.scope.expires_at
    assert request.scope.uses is None or (grant.scope.uses or 99) <= request.scope.uses


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"purpose": "BTG"}, "purpose"),
        ({"purpose": "NOPE"}, "purpose"),
        ({"categories": frozenset()}, "categories"),
        ({"categories": frozenset({"visit", "nope"})}, "categories"),
        ({"labels": frozenset({"nope"})}, "labels"),
        ({"record_period": Period(date(2026, 1, 2), date(2026, 1, 1))}, "record_period"),
        ({"expires_at": NOW}, "expires_at"),
        ({"expires_at": NOW + timedelta(days=367)}, "expires_at"),
        ({"uses": 0}, "frequency"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(world: World, over: dict[str, object], field: str) -> None:
    with pytest.raises(UnknownCode) as refused:
        world.ask(**over)
    assert refused.value.fields == (field,)


def test_an_organisation_asks_only_what_it_is_licensed_for(world: World) -> None:
    world.licence = Licence(frozenset({"TREAT"}), frozenset({"visit"}))
    with pytest.raises(NotLicensed):
        world.ask()


def test_a_text_that_is_not_in_force_grants_nothing(world: World) -> None:
    request = world.ask()
    with pytest.raises(NoticeOutdated):
        world.consent.approve("citizen", request.id, Answer("2020-01-01", "vi"), ACTOR)
    assert world.consent.grants("citizen") == []


def test_a_guardian_alone_cannot_consent_for_a_child_of_seven(world: World) -> None:
    request = world.ask()
    seventh = NOW.astimezone(UTC).date().replace(year=2019)
    with pytest.raises(CoConsentRequired):
        world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), make_actor("guardian", seventh))
    younger = make_actor("guardian", seventh + timedelta(days=1))
    assert world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), younger).state == "granted"


def test_the_seventh_birthday_begins_at_midnight_in_viet_nam(world: World) -> None:
    request = world.ask()
    actor = make_actor("guardian", date(2019, 11, 24))
    world.time = datetime(2026, 11, 23, 16, 59, 59, tzinfo=UTC)
    world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), actor)
    second = world.ask()
    world.time = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    with pytest.raises(CoConsentRequired):
        world.consent.approve("citizen", second.id, Answer(VERSION, "vi"), actor)


def test_fifty_approvals_at_once_make_one_grant(world: World) -> None:
    request = world.ask()
    outcomes: list[str] = []
    gate = threading.Barrier(50)

    def approve() -> None:
        gate.wait()
        try:
            world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR)
            outcomes.append("granted")
        except (StaleVersion, RequestClosed):
            outcomes.append("refused")

    threads = [threading.Thread(target=approve) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert outcomes.count("granted") == 1
    assert len(world.consent.grants("citizen")) == 1


def test_refused_expired_and_answered_requests_stay_closed(world: World) -> None:
    refused, late, answered = world.ask(), world.ask(), world.ask()
    world.consent.refuse("citizen", refused.id, "not_now", ACTOR)
    world.consent.approve("citizen", answered.id, Answer(VERSION, "vi"), ACTOR)
    world.time += timedelta(days=7)
    for request in (refused, late, answered):
        with pytest.raises(RequestClosed):
            world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR)
        with pytest.raises(RequestClosed):
            world.consent.refuse("citizen", request.id, None, ACTOR)
    assert world.consent.request("citizen", late.id).state_at(world.time) == "expired"


def test_strangers_find_no_request_and_no_grant(world: World) -> None:
    grant = world.grant()
    with pytest.raises(RequestNotFound):
        world.consent.request("stranger", str(grant.request_id))
    with pytest.raises(GrantNotFound):
        world.consent.withdraw("stranger", grant.id, None, ACTOR)
    with pytest.raises(RequestNotFound):
        world.consent.request_of_organisation("other", "citizen", str(grant.request_id))


def test_narrowing_replaces_the_grant_and_stops_what_was_taken_back(world: World) -> None:
    old = world.grant()
    fence = world.access.authorise(world.access.open_session("citizen", "org", "dr", "TREAT")).fence
    new = world.consent.narrow("citizen", old.id, Answer("", "", categories=frozenset({"visit"})), 1, ACTOR)
    assert world.consent.grant("citizen", old.id).state == "superseded"
    assert not world.access.still_holds(fence)
    opened = world.access.open_session("citizen", "org", "dr", "TREAT")
    assert opened.grant_ids == {new.id}
    with pytest.raises(ScopeWidened):
        world.consent.narrow(
            "citizen", new.id, Answer("", "", categories=frozenset({"visit", "immunization"})), 1, ACTOR
        )
    with pytest.raises(StaleVersion):
        world.consent.narrow("citizen", old.id, Answer("", ""), 1, ACTOR)


def test_narrowing_does_not_give_uses_back(world: World) -> None:
    old = world.grant(uses=2)
    world.access.open_session("citizen", "org", "dr", "TREAT")
    world.consent.narrow("citizen", old.id, Answer("", "", categories=frozenset({"visit"})), 1, ACTOR)
    world.access.open_session("citizen", "org", "dr", "TREAT")
    with pytest.raises(ReadRefused):
        world.access.open_session("citizen", "org", "dr", "TREAT")


def test_every_purpose_that_can_be_asked_has_a_text_in_both_languages() -> None:
    from consent.codes import PURPOSES

    for code in PURPOSES.codes.values():
        if code.more["requestable"]:
            texts = {notice_for(code.code, locale).text for locale in LOCALES}
            assert len(texts) == 2
    with pytest.raises(UnknownCode):
        notice_for("NO-SUCH", "vi")
    with pytest.raises(UnknownCode):
        notice_for("../codes/purposes", "vi")


def test_whoever_comes_second_is_told_that_the_request_is_closed_and_journals_nothing(world: World) -> None:
    request, journal = world.ask(), []
    first = replace(request, version=request.version + 1)

    def sneak_in(grant: Grant) -> None:
        journal.append(grant.id)

    world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR, sneak_in)
    world.store._requests[request.id] = replace(first, state="requested", version=7)
    world.store.save_request = _always_stale  # type: ignore[method-assign]  # somebody else was faster
    with pytest.raises(RequestClosed):
        world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR, sneak_in)
    assert len(journal) == 1


def _always_stale(request: object, *, expected: int) -> None:
    raise StaleVersion("version")


def test_a_log_that_fails_grants_nothing_and_leaves_the_request_open(world: World) -> None:
    request = world.ask()

    def broken(grant: Grant) -> None:
        raise OSError("the log is gone")

    with pytest.raises(OSError, match="gone"):
        world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR, broken)
    assert world.store.standing("citizen", "org").live == ()
    assert world.consent.approve("citizen", request.id, Answer(VERSION, "vi"), ACTOR).state == "granted"


def test_one_organisation_holds_no_more_live_grants_than_there_may_be(world: World) -> None:
    for _ in range(MOST_LIVE_GRANTS):
        world.grant()
    with pytest.raises(TooManyGrants):
        world.grant()
    world.time += timedelta(days=31)
    assert world.grant(expires_at=world.time + timedelta(days=1)).state == "granted"


def test_narrowing_by_nothing_changes_nothing(world: World) -> None:
    grant = world.grant()
    fence = world.access.authorise(world.access.open_session("citizen", "org", "dr", "TREAT")).fence
    assert world.consent.narrow("citizen", grant.id, Answer("", ""), 1, ACTOR) == grant
    assert world.access.still_holds(fence)


def test_taking_back_works_whatever_became_of_the_licence(world: World) -> None:
    grant = world.grant()
    world.licence = Licence()
    narrower = world.consent.narrow("citizen", grant.id, Answer("", "", uses=1, uses_given=True), 1, ACTOR)
    assert narrower.scope.uses == 1


def test_a_text_of_an_old_version_stays_readable() -> None:
    assert notice_for("TREAT", "vi", VERSION) == notice_for("TREAT", "vi")
    with pytest.raises(UnknownCode):
        notice_for("TREAT", "vi", "1999-01-01")
    with pytest.raises(UnknownCode):
        notice_for("A" * 5000, "vi")
