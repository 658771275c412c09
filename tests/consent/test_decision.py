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
)
grants_given = st.lists(
    st.builds(LiveGrant, st.uuids().map(str), scopes, st.sampled_from([None, 0, 1])), max_size=5
)
records = st.builds(
    facts,
    category=st.sampled_from(sorted(ALL_CATEGORIES)),
    first_day=days,
    last_day=days,
    labels=st.frozensets(st.sampled_from(sorted(LABELS))),
    hidden_from=st.frozensets(st.sampled_from([GUARDIANS, PROVIDERS, organisation_audience("org")])),
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
            grant.uses_left != 0,
            record.category in scope.categories & licence.categories,
            period.first is None or record.first_day >= period.first,
            period.last is None or record.last_day <= period.last,
            record.labels <= scope.labels,
            not record.hidden_from & {PROVIDERS, organisation_audience(ask.organisation_id)},
        )
    )


@settings(max_examples=400)
@given(
    grants=grants_given,
    record=records,
    blocked=st.booleans(),
    purpose=st.sampled_from(["TREAT", "HPAYMT", "X"]),
)
def test_the_decision_is_the_union_of_what_single_grants_say(
    grants: list[LiveGrant], record: RecordFacts, blocked: bool, purpose: str
) -> None:
    ask = replace(ASK, purpose=purpose)
    verdict = decide(ask, make_standing(*grants, blocked=blocked), LICENCE)
    expected = not blocked and any(oracle(grant, ask, LICENCE, record) for grant in grants)
    assert verdict.predicate.admits(record) is expected
    assert verdict.permit or verdict.predicate == NOTHING


@given(grants=grants_given, shuffled=st.randoms(use_true_random=False))
def test_order_never_matters(grants: list[LiveGrant], shuffled: object) -> None:
    turned = list(grants)
    shuffled.shuffle(turned)
    assert decide(ASK, make_standing(*grants), LICENCE) == decide(ASK, make_standing(*turned), LICENCE)


@given(grants=grants_given, more=scopes, record=records)
def test_taking_a_grant_away_never_opens_anything(
    grants: list[LiveGrant], more: object, record: RecordFacts
) -> None:
    with_it = [*grants, LiveGrant("more", more, None)]
    less = decide(ASK, make_standing(*grants), LICENCE).predicate
    full = decide(ASK, make_standing(*with_it), LICENCE).predicate
    assert not less.admits(record) or full.admits(record)
