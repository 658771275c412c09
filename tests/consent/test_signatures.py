"""Two yeses: never wider than either, no grant before both, and asked again at each age."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.ages import AGES, VIETNAM, reached_at
from consent.co_consent import CoConsentService
from consent.errors import CoConsentRequired, FirstSignatureMissing, GrantNotSuspended, RequestClosed
from consent.memory import MemoryConsents
from consent.model import (
    Actor,
    Answer,
    ConsentRequest,
    Evidence,
    Grant,
    NoticeShown,
    Period,
    Scope,
    Signature,
)
from consent.notices import notice_for
from consent.service import Proposal
from consent.signatures import ATTESTED, counted, holds_until, in_common, roles_needed
from tests.consent.builders import LICENCE, NOW, make_scope
from tests.examples import examples

BORN = date(2014, 6, 1)
VERSION = notice_for("TREAT", "vi").version
YES = Answer(VERSION, "vi")
CATEGORIES = ("immunization", "visit", "lab_result", "condition")
DAYS = st.none() | st.dates(date(2020, 1, 1), date(2026, 12, 31))


def evidence(person_id: str, relation: str = "guardian", channel: str = "app") -> Evidence:
    return Evidence(person_id, relation, "s", "app", NOW, "2", channel)  # type: ignore[arg-type]


def actor(person_id: str, born: date = BORN, **over: object) -> Actor:
    relation = "self" if person_id == "citizen" else "guardian"
    return Actor(evidence(person_id, relation), born, frozenset({"mother", "father"}), **over)  # type: ignore[arg-type]


def signature(role: str, person_id: str, channel: str = "app") -> Signature:
    relation = "guardian" if role == "representative" else "self"
    shown = NoticeShown(VERSION, "vi", "0" * 64)
    return Signature(role, evidence(person_id, relation, channel), shown, make_scope(), NOW)  # type: ignore[arg-type]


class Family:
    """A consent service over memory, and a request about a child of twelve."""

    def __init__(self) -> None:
        self.at, numbers = NOW, count(1)
        self.store = MemoryConsents()
        self.consent = CoConsentService(
            self.store, lambda _: LICENCE, lambda: self.at, lambda: f"id{next(numbers)}"
        )
        self.request: ConsentRequest = self.consent.propose(Proposal("citizen", make_scope(), "dr", "khám"))

    def both(self, first: Actor, second: Actor, one: Answer = YES, other: Answer = YES) -> Grant:
        self.consent.sign("citizen", self.request.id, one, first)
        return self.consent.complete("citizen", self.request.id, other, second)


@st.composite
def narrowed(draw: st.DrawFn) -> Scope:
    first, last = draw(DAYS), draw(DAYS)
    return make_scope(
        categories=frozenset(draw(st.sets(st.sampled_from(CATEGORIES), min_size=1))),
        record_period=Period(first, last),
        expires_at=NOW + timedelta(days=draw(st.integers(1, 30))),
        uses=draw(st.none() | st.integers(1, 5)),
        labels=frozenset(draw(st.sets(st.sampled_from(["HIV", "PSY"])))),
        record_ids=draw(st.none() | st.frozensets(st.sampled_from("abc"), min_size=1)),
        mode=draw(st.sampled_from(["VIEW", "STORE"])),
    )


@settings(max_examples=examples(200, 1000), deadline=None)
@given(st.lists(narrowed(), min_size=1, max_size=3))
def test_what_is_in_common_exceeds_no_answer_on_any_dimension(scopes: list[Scope]) -> None:
    shared = in_common(scopes)
    assert [shared.exceeds(each) for each in scopes] == [()] * len(scopes)
    assert in_common(reversed(scopes)) == shared, "whoever signs first"


@given(st.dates(date(1930, 1, 1), date(2030, 12, 31)), st.integers(0, 30))
def test_whose_yes_it_takes_changes_with_the_first_second_of_a_birthday(born: date, more: int) -> None:
    for years, before, after in (
        (AGES.co_consent, {"representative"}, {"child", "representative"}),
        (AGES.full_age, {"child", "representative"}, {"self"}),
    ):
        at = reached_at(born, years)
        assert roles_needed(born, at - timedelta(seconds=1)) == before
        assert roles_needed(born, at + timedelta(days=more)) == after
        assert at.astimezone(VIETNAM).time() == time(0)


def test_a_grant_holds_until_the_next_age_that_changes_who_signs() -> None:
    seven, fourteen, eighteen = (reached_at(BORN, years) for years in (7, 14, 18))
    heard, own = signature("child", "citizen", ATTESTED), signature("child", "citizen")
    assert holds_until(BORN, seven - timedelta(seconds=1)) == seven
    assert holds_until(BORN, seven, [own]) == eighteen
    assert holds_until(BORN, seven, [heard]) == fourteen
    assert holds_until(BORN, fourteen, [own]) == eighteen
    assert holds_until(BORN, eighteen) is None


def test_a_yes_counts_only_while_who_gave_it_could_still_give_it() -> None:
    heard, mothers = signature("child", "citizen", ATTESTED), signature("representative", "mother")
    father = actor("father")
    assert counted([heard, mothers], father, NOW) == (heard, mothers)
    assert counted([heard, mothers], replace(father, representatives=frozenset({"father"})), NOW) == (heard,)
    assert counted([heard, mothers], father, reached_at(BORN, 14)) == (mothers,)
    assert counted([heard, mothers], actor("mother"), NOW) == (heard,), "one's own gives way to the new one"
    assert counted([heard, mothers], actor("citizen"), reached_at(BORN, 18)) == ()


@pytest.mark.parametrize(("first", "second"), [("citizen", "mother"), ("mother", "citizen")])
def test_both_make_the_grant_and_its_history_tells(first: str, second: str) -> None:
    family = Family()
    grant = family.both(actor(first), actor(second), YES, replace(YES, categories=frozenset({"visit"})))
    assert (grant.scope.categories, grant.held_back) == (frozenset({"visit"}), ("categories",))
    assert grant.holds_until == reached_at(BORN, 18)
    kept = family.store.request("citizen", family.request.id)
    assert kept is not None and [each.event for each in kept.history] == [
        "consent:request:created",
        "consent:request:signed",
        "consent:request:granted",
    ]


def test_one_person_is_never_two_and_strangers_roles_do_not_count() -> None:
    family = Family()
    with pytest.raises(FirstSignatureMissing):
        family.consent.complete("citizen", family.request.id, YES, actor("mother"))
    family.consent.sign("citizen", family.request.id, YES, actor("mother"))
    with pytest.raises(FirstSignatureMissing):
        family.consent.complete("citizen", family.request.id, YES, actor("father"))
    with pytest.raises(CoConsentRequired):
        family.consent.sign("citizen", family.request.id, YES, actor("mother", date(1990, 1, 1)))
    with pytest.raises(FirstSignatureMissing):
        family.consent.complete("citizen", family.request.id, YES, actor("citizen", date(1990, 1, 1)))


def test_a_refusal_between_the_claim_and_the_grant_still_wins() -> None:
    family = Family()
    family.consent.sign("citizen", family.request.id, YES, actor("citizen"))

    def refusing(grant: Grant) -> None:
        family.consent.refuse("citizen", family.request.id, None, actor("father"))

    with pytest.raises(RequestClosed):
        family.consent.complete("citizen", family.request.id, YES, actor("mother"), refusing)
    assert family.store.grants_of("citizen", 10) == []


def test_an_attestation_never_forms_a_grant_and_is_for_children_of_seven_to_thirteen() -> None:
    for years, kept in ((6, False), (7, True), (13, True), (14, False), (18, False)):
        family, born = Family(), date(NOW.year - years, NOW.month, NOW.day)
        heard = replace(evidence("citizen", "self", ATTESTED), attested_by="bs-1")
        assert family.consent.attest("citizen", family.request.id, born, YES, heard) is kept
        after = family.store.request("citizen", family.request.id)
        assert after is not None and (len(after.signatures), after.state) == (int(kept), "requested")
    assert family.consent.attest("citizen", "no-such", BORN, YES, heard) is False
    assert family.consent.attest("citizen", family.request.id, None, YES, heard) is False


def test_confirming_takes_every_yes_anew_and_raises_the_epoch() -> None:
    family = Family()
    grant = family.both(actor("citizen"), actor("mother"))
    with pytest.raises(GrantNotSuspended):
        family.consent.confirm_suspended("citizen", grant.id, YES, actor("mother"))
    assert family.consent.suspend_signed_by("citizen", "mother", "custody_ended")[0].id == grant.id
    assert family.consent.suspend_signed_by("citizen", "mother", "custody_ended") == []
    only_father = replace(actor("father"), representatives=frozenset({"father"}))
    waits = family.consent.confirm_suspended("citizen", grant.id, YES, only_father)
    assert waits.state_at(NOW) == "suspended" and len(waits.pending) == 1
    epoch = family.store.standing("citizen", "org").epoch
    child = replace(actor("citizen"), representatives=frozenset({"father"}))
    again = family.consent.confirm_suspended("citizen", grant.id, YES, child)
    assert (again.state_at(NOW), again.pending, len(again.signatures)) == ("granted", (), 2)
    assert family.store.standing("citizen", "org").epoch > epoch
    assert {each.evidence.person_id for each in again.signatures} == {"citizen", "father"}
    assert family.consent.suspend_signed_by("citizen", "mother", "custody_ended") == []


def test_a_clock_that_goes_on_suspends_without_anybody_doing_anything() -> None:
    family = Family()
    born = date(2019, 11, 24)
    request = family.request
    grant = family.consent.approve("citizen", request.id, YES, actor("mother", born))
    seven = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    assert grant.holds_until == seven
    assert grant.state_at(seven - timedelta(seconds=1)) == "granted"
    assert grant.state_at(seven) == "suspended"


def test_one_signature_is_not_enough_from_seven_to_seventeen() -> None:
    family = Family()
    for who in ("citizen", "mother"):
        with pytest.raises(CoConsentRequired):
            family.consent.approve("citizen", family.request.id, YES, actor(who))
        with pytest.raises(CoConsentRequired):
            family.consent.give("citizen", make_scope(), YES, actor(who))
    grown = actor("mother", date(1990, 1, 1))
    with pytest.raises(CoConsentRequired):
        family.consent.approve("citizen", family.request.id, YES, grown)
    assert family.store.grants_of("citizen", 10) == []
