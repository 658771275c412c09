"""decide(): total, deny by default, deny overrides, order-free; the predicate agrees with it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decision import Ask, Decision, decide, decide_author, decide_guardian, decide_own
from consent.model import Licence, LiveGrant, Period, RecordFacts, Standing
from consent.predicate import GUARDIANS, NOTHING, PROVIDERS, organisation_audience
from tests.consent.builders import (
    ALL_CATEGORIES,
    ALL_PURPOSES,
    LICENCE,
    NOW,
    make_live,
    make_scope,
    make_standing,
)
from tests.examples import examples

ASK = Ask("org", "dr", "TREAT", NOW)
LABELS = frozenset({"HIV", "PSY"})


def facts(**over: object) -> RecordFacts:
    base = RecordFacts("visit", date(2025, 5, 1), date(2025, 5, 1), "hospital")
    return replace(base, **over)


def test_nothing_at_all_is_refused() -> None:
    assert Decision() == Decision(False, "no_grant", (), NOTHING)
    assert not decide(ASK, Standing(), LICENCE).permit
    assert not NOTHING.admits(facts())


def test_a_covering_grant_permits_just_what_it_covers() -> None:
    verdict = decide(ASK, make_standing(make_live()), LICENCE)
    assert verdict.permit
    assert verdict.grant_ids == ("g1",)
    assert verdict.predicate.admits(facts())
    assert not verdict.predicate.admits(facts(category="lab_result"))
    assert not verdict.predicate.admits(facts(first_day=date(2019, 12, 31)))
    assert not verdict.predicate.admits(facts(last_day=date(2027, 1, 1)))


@pytest.mark.parametrize(
    ("grant", "ask", "licence", "reason"),
    [
        (make_live(organisation_id="other"), ASK, LICENCE, "no_grant"),
        (make_live(), replace(ASK, purpose="HRESCH"), LICENCE, "other_purpose"),
        (make_live(), replace(ASK, purpose="treat"), LICENCE, "not_licensed"),
        (make_live(), ASK, Licence(), "not_licensed"),
        (make_live(), ASK, Licence(ALL_PURPOSES, frozenset({"dental"})), "nothing_in_common"),
        (make_live(), replace(ASK, practitioner_id=None), LICENCE, "no_practitioner"),
        (make_live(practitioner_id="dr-b"), ASK, LICENCE, "other_practitioner"),
        (make_live(), replace(ASK, at=NOW + timedelta(days=30)), LICENCE, "expired"),
        (make_live(uses_left=0), ASK, LICENCE, "used_up"),
        (make_live(categories=frozenset()), ASK, LICENCE, "nothing_in_common"),
        (make_live(), replace(ASK, paid=frozenset()), LICENCE, "no_grant"),
        (make_live(), replace(ASK, paid=frozenset({"other"})), LICENCE, "no_grant"),
        (make_live(), replace(ASK, mode="STORE"), LICENCE, "view_only"),
        (replace(make_live(), holds_until=NOW), ASK, LICENCE, "suspended"),
    ],
)
def test_each_dimension_refuses_by_itself(grant: LiveGrant, ask: Ask, licence: Licence, reason: str) -> None:
    verdict = decide(ask, make_standing(grant), licence)
    assert (verdict.permit, verdict.reason, verdict.predicate) == (False, reason, NOTHING)


def test_a_grant_ends_at_the_instant_it_says_and_not_before() -> None:
    ends = make_scope().expires_at
    standing = make_standing(make_live())
    assert decide(replace(ASK, at=ends - timedelta(milliseconds=1)), standing, LICENCE).permit
    assert not decide(replace(ASK, at=ends), standing, LICENCE).permit


def test_a_grant_is_suspended_at_the_instant_it_says_and_not_before() -> None:
    standing = make_standing(replace(make_live(), holds_until=NOW + timedelta(hours=1)))
    assert decide(replace(ASK, at=NOW + timedelta(minutes=59)), standing, LICENCE).permit
    assert decide(replace(ASK, at=NOW + timedelta(hours=1)), standing, LICENCE).reason == "suspended"


def test_who_may_keep_a_copy_may_look_and_not_the_other_way_round() -> None:
    keeping = make_standing(make_live(mode="STORE"), make_live("g2"))
    assert decide(ASK, keeping, LICENCE).grant_ids == ("g1", "g2")
    assert decide(replace(ASK, mode="STORE"), keeping, LICENCE).grant_ids == ("g1",)


def test_single_records_are_those_named_and_within_everything_else() -> None:
    named = decide(ASK, make_standing(make_live(record_ids=frozenset({"r1", "r2"}))), LICENCE).predicate
    assert named.admits(facts(record_id="r1"))
    assert not named.admits(facts(record_id="r3"))
    assert not named.admits(facts(record_id="r2", category="lab_result"))
    assert not named.admits(facts(record_id="r2", hidden_from=frozenset({PROVIDERS})))
    none = decide(ASK, make_standing(make_live(record_ids=frozenset())), LICENCE).predicate
    assert not none.admits(facts(record_id=""))


def test_a_paid_session_reads_on_when_the_last_use_is_spent() -> None:
    standing = make_standing(make_live(uses_left=0))
    assert decide(replace(ASK, paid=frozenset({"g1"})), standing, LICENCE).permit


def test_the_deny_list_beats_every_grant() -> None:
    verdict = decide(ASK, make_standing(make_live(), blocked=True), LICENCE)
    assert (verdict.permit, verdict.reason) == (False, "blocked")


def test_the_licence_cuts_what_the_citizen_gave() -> None:
    licence = Licence(ALL_PURPOSES, frozenset({"visit"}))
    verdict = decide(ASK, make_standing(make_live()), licence)
    assert verdict.predicate.admits(facts())
    assert not verdict.predicate.admits(facts(category="immunization"))


def test_restricted_records_need_every_label_opened() -> None:
    closed = decide(ASK, make_standing(make_live()), LICENCE).predicate
    opened = decide(ASK, make_standing(make_live(labels=frozenset({"HIV"}))), LICENCE).predicate
    assert not closed.admits(facts(labels=frozenset({"HIV"})))
    assert opened.admits(facts(labels=frozenset({"HIV"})))
    assert not opened.admits(facts(labels=LABELS))
    assert not opened.admits(facts(labels=frozenset({"a label of tomorrow"})))


def test_what_was_hidden_from_providers_stays_hidden_under_any_grant() -> None:
    predicate = decide(ASK, make_standing(make_live()), LICENCE).predicate
    assert not predicate.admits(facts(hidden_from=frozenset({PROVIDERS})))
    assert not predicate.admits(facts(hidden_from=frozenset({organisation_audience("org")})))
    assert predicate.admits(facts(hidden_from=frozenset({organisation_audience("other"), GUARDIANS})))


def test_a_partial_date_is_inside_only_if_wholly_inside() -> None:
    predicate = decide(
        ASK, make_standing(make_live(record_period=Period(date(2025, 1, 1), date(2025, 6, 30)))), LICENCE
    ).predicate
    assert predicate.admits(facts(first_day=date(2025, 6, 1), last_day=date(2025, 6, 30)))
    assert not predicate.admits(facts(first_day=date(2025, 1, 1), last_day=date(2025, 12, 31)))


def test_own_guardian_and_author_see_what_is_theirs() -> None:
    hidden = facts(hidden_from=frozenset({GUARDIANS}), labels=LABELS)
    assert decide_own().predicate.admits(hidden)
    assert decide_guardian(acts_for=True).predicate.admits(facts(labels=LABELS))
    assert not decide_guardian(acts_for=True).predicate.admits(hidden)
    assert not decide_guardian(acts_for=False).permit
    assert decide_author("hospital").predicate.admits(hidden)
    assert not decide_author("other").predicate.admits(hidden)


def test_the_reason_and_the_predicate_do_not_depend_on_the_order_of_grants() -> None:
    grants = (
        make_live("a", purpose="HRESCH"),
        make_live("b", expires_at=NOW),
        make_live("c", practitioner_id="dr-b"),
        make_live("d", categories=frozenset({"visit"})),
        make_live("e", uses_left=0),
    )
    for size in range(1, 6):
        for chosen in itertools.combinations(grants, size):
            verdicts = {
                decide(ASK, make_standing(*order), LICENCE) for order in itertools.permutations(chosen)
            }
            assert len(verdicts) == 1


# --- properties ----------------------------------------------------------------------------------------

days = st.dates(date(2019, 1, 1), date(2027, 12, 31))
scopes = st.builds(
    make_scope,
    organisation_id=st.sampled_from(["org", "other"]),
    practitioner_id=st.sampled_from([None, "dr", "dr-b"]),
    purpose=st.sampled_from(sorted(ALL_PURPOSES)),
    categories=st.frozensets(st.sampled_from(sorted(ALL_CATEGORIES))),
    record_period=st.builds(Period, st.none() | days, st.none() | days),
    expires_at=st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)]),
    labels=st.frozensets(st.sampled_from(sorted(LABELS))),
    record_ids=st.none() | st.frozensets(st.sampled_from(["r1", "r2"])),
    mode=st.sampled_from(["VIEW", "STORE"]),
)
grants_given = st.lists(
    st.builds(
        LiveGrant,
        st.uuids().map(str),
        scopes,
        st.sampled_from([None, 0, 1]),
        st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    ),
    max_size=5,
)
records = st.builds(
    facts,
    category=st.sampled_from(sorted(ALL_CATEGORIES)),
    first_day=days,
    last_day=days,
    labels=st.frozensets(st.sampled_from(sorted(LABELS))),
    hidden_from=st.frozensets(st.sampled_from([GUARDIANS, PROVIDERS, organisation_audience("org")])),
    record_id=st.sampled_from(["r1", "r2", "r3"]),
)


def oracle(grant: LiveGrant, ask: Ask, licence: Licence, record: RecordFacts) -> bool:
    """The rule of the specification, one line a dimension, for one grant and one record."""
    scope, period = grant.scope, grant.scope.record_period
    return all(
        (
            scope.organisation_id == ask.organisation_id,
            scope.purpose == ask.purpose and ask.purpose in licence.purposes,
            scope.practitioner_id in (None, ask.practitioner_id),
            ask.at < scope.expires_at,
            grant.holds_until is None or ask.at < grant.holds_until,
            ask.mode == "VIEW" or scope.mode == "STORE",
            scope.record_ids is None or record.record_id in scope.record_ids,
            grant.uses_left != 0,
            record.category in scope.categories & licence.categories,
            period.first is None or record.first_day >= period.first,
            period.last is None or record.last_day <= period.last,
            record.labels <= scope.labels,
            not record.hidden_from & {PROVIDERS, organisation_audience(ask.organisation_id)},
        )
    )


@settings(max_examples=examples(250, 3000))
@given(
    grants=grants_given,
    record=records,
    blocked=st.booleans(),
    purpose=st.sampled_from(["TREAT", "HPAYMT", "X"]),
    mode=st.sampled_from(["VIEW", "STORE"]),
)
def test_the_decision_is_the_union_of_what_single_grants_say(
    grants: list[LiveGrant], record: RecordFacts, blocked: bool, purpose: str, mode: str
) -> None:
    ask = replace(ASK, purpose=purpose, mode=mode)
    verdict = decide(ask, make_standing(*grants, blocked=blocked), LICENCE)
    expected = not blocked and any(oracle(grant, ask, LICENCE, record) for grant in grants)
    assert verdict.predicate.admits(record) is expected
    assert verdict.permit or verdict.predicate == NOTHING


@settings(max_examples=examples(12, 120), deadline=None)
@given(grants=st.lists(grants_given.map(lambda some: some[0] if some else make_live()), max_size=6))
def test_c16_no_permutation_of_six_grants_decides_otherwise(grants: list[LiveGrant]) -> None:
    told = {decide(ASK, make_standing(*order), LICENCE) for order in itertools.permutations(grants)}
    assert len(told) == 1
    blocked = decide(ASK, make_standing(*grants, blocked=True), LICENCE)
    assert (blocked.permit, blocked.predicate) == (False, NOTHING)


@settings(max_examples=examples(200, 1000))
@given(
    grants=grants_given,
    ask=st.builds(
        Ask,
        st.text(max_size=3) | st.just("org"),
        st.none() | st.text(max_size=3) | st.just("dr"),
        st.text(max_size=5) | st.just("TREAT"),
        st.just(NOW),
        st.none() | st.frozensets(st.text(max_size=2), max_size=2),
        st.sampled_from(["VIEW", "STORE"]),
    ),
    licence=st.builds(
        Licence,
        st.frozensets(st.sampled_from([*ALL_PURPOSES, "?"])),
        st.frozensets(st.sampled_from([*ALL_CATEGORIES, "?"])),
    ),
)
def test_every_question_has_an_answer_and_a_no_opens_nothing(
    grants: list[LiveGrant], ask: Ask, licence: Licence
) -> None:
    verdict = decide(ask, make_standing(*grants), licence)
    assert verdict.permit is bool(verdict.grant_ids)
    assert verdict.permit or verdict.predicate == NOTHING


@settings(max_examples=examples(200, 1000))
@given(grants=grants_given, more=scopes, record=records)
def test_taking_a_grant_away_never_opens_anything(
    grants: list[LiveGrant], more: object, record: RecordFacts
) -> None:
    with_it = [*grants, LiveGrant("more", more, None)]
    less = decide(ASK, make_standing(*grants), LICENCE).predicate
    full = decide(ASK, make_standing(*with_it), LICENCE).predicate
    assert not less.admits(record) or full.admits(record)
