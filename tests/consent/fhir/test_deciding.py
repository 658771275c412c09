"""Deciding by FHIR Consents: denials override in any order, exceptions hold, and nothing fails open."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.fhir.deciding import PolicyAsk, PolicyDecision, decide_policies
from consent.fhir.implicit import implicit_policy
from consent.fhir.model import Coding, DataFacts
from consent.fhir.reading import ConsentUnreadable, read_consent
from consent.fhir.tokens import residual_claims
from consent.fhir.vocabulary import ACT_CODE, CONFIDENTIALITY
from tests.consent.fhir.builders import (
    CITIZEN,
    DOCTOR,
    OTHERS,
    OURS,
    PRIVILEGED,
    actor,
    coding,
    consent,
    deny,
    mark,
    permit,
    sensitivity,
)
from tests.examples import examples

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ASK = PolicyAsk(CITIZEN, OURS, DOCTOR, "TREAT", AT)
KNOWN = {OURS, OTHERS, DOCTOR, PRIVILEGED}


def decided(*raw: Any, ask: PolicyAsk = ASK, **more: Any) -> PolicyDecision:
    return decide_policies(raw, ask, lambda each: each in KNOWN, **more)


def facts(first: date = date(2026, 1, 1), *security: Coding, **over: Any) -> DataFacts:
    base = DataFacts("Observation/o1", first, over.pop("last", first), security=frozenset(security))
    return replace(base, **over)


RESTRICTED, VERY = Coding(CONFIDENTIALITY, "R"), Coding(CONFIDENTIALITY, "V")
PSY, HIV = Coding(ACT_CODE, "PSY"), Coding(ACT_CODE, "HIV")


def test_no_consent_is_a_refusal_and_has_no_token() -> None:
    assert not decided().permit
    with pytest.raises(ValueError, match="no token"):
        residual_claims(decided(), "p", "https://example.org")


@pytest.mark.parametrize("purpose", [None, "", "treat", "TREAT ", "http://x|TREAT", "*", "HRESCH"])
def test_a_purpose_that_is_missing_or_another_opens_nothing(purpose: str | None) -> None:
    assert not decided(consent(permit()), ask=replace(ASK, purpose=purpose)).permit


def test_an_instant_without_an_offset_opens_nothing() -> None:
    naive = datetime(2026, 11, 23, 2, 0)  # noqa: DTZ001 - the point of the test
    assert decided(consent(permit()), ask=replace(ASK, at=naive)).reason == "no_instant"


@pytest.mark.parametrize("who", [OTHERS, "Organization/unknown", PRIVILEGED, "Practitioner/other"])
def test_a_recipient_who_is_another_or_cannot_be_looked_up_opens_nothing(who: str) -> None:
    assert not decided(consent(permit(actor=[actor(who)]))).permit
    assert decided(consent(permit(actor=[actor(who), actor(DOCTOR)]))).permit


@pytest.mark.parametrize("who", [OURS, DOCTOR, PRIVILEGED])
def test_a_recipient_who_was_deleted_opens_nothing_even_for_whoever_bears_the_name(who: str) -> None:
    asked = replace(ASK, groups=frozenset({PRIVILEGED}))
    raw = [consent(permit(actor=[actor(who)]))]
    assert decide_policies(raw, asked, lambda each: True).permit
    assert not decide_policies(raw, asked, lambda each: each != who).permit


@pytest.mark.parametrize("who", [[], [OURS], [DOCTOR], ["Organization/unknown"], [OTHERS, "Group/unknown"]])
def test_a_denial_of_whoever_it_might_be_shuts(who: list[str]) -> None:
    denial = consent(deny(**({"actor": [actor(each) for each in who]} if who else {})), "c2")
    assert decided(consent(permit()), denial).reason == "blocked"


def test_a_denial_of_somebody_else_shuts_nobody() -> None:
    assert decided(consent(permit()), consent(deny(actor=[actor(OTHERS)]), "c2")).permit


@pytest.mark.parametrize(
    ("denial", "permits"),
    [
        (deny(purpose=[coding("HRESCH")]), True),
        (deny(purpose=[coding("TREAT")]), False),
        (deny(purpose=[coding("12345", "http://snomed.info/sct")]), False),
        (deny(period={"end": "2020"}), True),
        (deny(period={"start": "2027-01"}), True),
        (deny(period={"end": "2026-11-23"}), False),
    ],
)
def test_a_denial_of_another_purpose_or_time_shuts_nothing(denial: Any, permits: bool) -> None:
    assert decided(consent(permit()), consent(denial, "c2")).permit is permits


# --- what is left over ------------------------------------------------------------------------------------


def test_a_period_of_data_is_left_over_and_a_vague_date_stays_shut() -> None:
    found = decided(consent(permit(dataPeriod={"start": "2025", "end": "2025-06"})))
    assert found.admits(facts(date(2025, 1, 1))) and found.admits(facts(date(2025, 6, 30)))
    assert not found.admits(facts(date(2025, 7, 1))) and not found.admits(facts(date(2024, 12, 31)))
    assert not found.admits(facts(date(2025, 6, 1), last=date(2025, 7, 31)))
    shut = decided(consent(permit(provision=[deny(dataPeriod={"start": "2025", "end": "2025"})])))
    assert shut.admits(facts(date(2026, 1, 1)))
    assert not shut.admits(facts(date(2024, 1, 1), last=date(2025, 1, 1)))


def test_single_resources_encounters_and_authors() -> None:
    def only(meaning: str, reference: str) -> PolicyDecision:
        named = [{"meaning": meaning, "reference": {"reference": reference}}]
        return decided(consent(permit(data=named)))

    assert only("instance", "Observation/o1").admits(facts())
    assert not only("instance", "Observation/o2").admits(facts())
    assert only("related", "Encounter/e1").admits(facts(related=frozenset({"Encounter/e1"})))
    assert not only("related", "Encounter/e1").admits(facts())
    assert only("authoredby", DOCTOR).admits(facts(authors=frozenset({DOCTOR})))


def test_marks_and_sensitivities() -> None:
    normal = decided(consent(permit(securityLabel=[mark("N")])))
    assert normal.admits(facts())
    for shut in ((PSY,), (RESTRICTED,), (VERY,), (Coding(CONFIDENTIALITY, "X"),), (Coding("urn:x", "y"),)):
        assert not normal.admits(facts(date(2026, 1, 1), *shut)), shut
    focused = decided(consent(permit(securityLabel=[mark("N"), sensitivity("PSY")])))
    assert focused.admits(facts(date(2026, 1, 1), PSY, RESTRICTED))
    assert not focused.admits(facts(date(2026, 1, 1), PSY, HIV))
    assert not focused.admits(facts(date(2026, 1, 1), PSY, VERY))
    but = decided(consent(permit(provision=[deny(securityLabel=[mark("R")])])))
    assert but.admits(facts())
    for shut in ((PSY,), (RESTRICTED,), (VERY,)):
        assert not but.admits(facts(date(2026, 1, 1), *shut)), shut


def test_an_exception_inherits_what_it_does_not_say_and_never_widens_whom() -> None:
    psy = permit(securityLabel=[sensitivity("PSY")], actor=[actor(DOCTOR)])
    rule = permit(securityLabel=[mark("N")], dataPeriod={"start": "2026"}, provision=[psy])
    found = decided(consent(rule))
    assert found.admits(facts(date(2026, 1, 1), PSY)) and not found.admits(facts(date(2025, 1, 1), PSY))
    elsewhere = rule | {"actor": [actor(OTHERS)]}
    assert not decided(consent(elsewhere)).permit


def test_a_denial_with_an_exception_opens_that_and_nothing_of_another_consent() -> None:
    but_for = deny(provision=[permit(securityLabel=[mark("N")], actor=[actor(DOCTOR)])])
    for order in itertools.permutations([consent(permit()), consent(but_for, "c2")]):
        found = decided(*order)
        assert found.permit and found.admits(facts()) and not found.admits(facts(date(2026, 1, 1), PSY))
    other = deny(provision=[permit(actor=[actor(OTHERS)])])
    assert decided(consent(permit()), consent(other, "c2")).reason == "blocked"
    twice = [consent(but_for), consent(but_for, "c2")]
    assert decided(*twice).reason == "blocked"


def test_the_default_without_a_consent_is_what_the_operator_chose() -> None:
    glass = replace(ASK, purpose="BTG")
    assert not decided(ask=glass).permit
    assert decided(ask=replace(glass, privileged=True)).reason == "implicit_policy"
    assert not decided(ask=replace(glass, privileged=True), default="deny").permit
    for name in ("basic-normal", "all-normal"):
        found = decided(default=name)
        assert found.permit and found.policies == (implicit_policy(name).uri,)
        assert found.admits(facts()) and not found.admits(facts(date(2026, 1, 1), PSY))
        assert not decided(ask=replace(ASK, purpose="HRESCH"), default=name).permit
        assert not decided(consent(permit("HRESCH")), default=name).permit
        assert decided(consent(permit("HRESCH"), status="inactive"), default=name).permit
    with pytest.raises(KeyError):
        decided(default="anything-goes")


# --- input nobody may open by -----------------------------------------------------------------------------

BROKEN: dict[str, Any] = {
    "no resource": {"resourceType": "Patient"},
    "unknown status": consent(permit(), status="Active"),
    "unknown type": consent(permit() | {"type": "allow"}),
    "no type": consent({"purpose": [coding("TREAT")]}),
    "no purpose": consent({"type": "permit"}),
    "no purpose in an exception": consent(deny(provision=[{"type": "permit"}])),
    "empty purposes": consent(permit() | {"purpose": []}),
    "purpose without a system": consent(permit() | {"purpose": [{"code": "TREAT"}]}),
    "purpose as a text": consent(permit() | {"purpose": "TREAT"}),
    "class": consent(permit(**{"class": [coding("Observation")]})),
    "code": consent(permit(code=[{"text": "x"}])),
    "action": consent(permit(action=[{"text": "x"}])),
    "unknown member": consent(permit(unless="x")),
    "unknown modifier": consent(permit(), modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
    "modifier in a rule": consent(permit(modifierExtension=[{"url": "urn:x"}])),
    "implicit rules": consent(permit(), implicitRules="urn:x"),
    "policy rule": consent(permit(), policyRule={"text": "x"}),
    "two policies": consent(permit(), policy=[{"uri": "a:b"}, {"uri": "c:d"}]),
    "no performer": consent(permit(), performer=[]),
    "other scope": consent(permit(), scope={"coding": [coding("research", "urn:x")]}),
    "two levels of exceptions": consent(permit(provision=[deny(provision=[permit()])])),
    "period of no kind": consent(permit(period="2026")),
    "empty period": consent(permit(period={})),
    "period backwards": consent(permit(period={"start": "2027", "end": "2026"})),
    "instant without an offset": consent(permit(period={"end": "2027-01-01T00:00:00"})),
    "leap second": consent(permit(period={"end": "2026-12-31T23:59:60Z"})),
    "day that is none": consent(permit(dataPeriod={"start": "2026-02-30"})),
    "null in a period": consent(permit(period={"start": None})),
    "far instant": consent(permit(dataPeriod={"start": "0001-01-01T00:00:00+14:00"})),
    "actor without a role": consent(permit(actor=[{"reference": {"reference": OURS}}])),
    "actor by name alone": consent(permit(actor=[actor(OURS) | {"reference": {"display": "us"}}])),
    "unknown meaning": consent(permit(data=[{"meaning": "dependents", "reference": {"reference": "a/b"}}])),
    "data as a text": consent(permit(data="all")),
    "label without a system": consent(permit(securityLabel=[{"code": "N"}])),
    "empty labels": consent(permit(securityLabel=[])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_understood_is_not_read_and_opens_nothing(name: str) -> None:
    with pytest.raises(ConsentUnreadable) as why:
        read_consent(BROKEN[name])
    assert why.value.faults
    assert not decided(BROKEN[name]).permit


@pytest.mark.parametrize("raw", [None, 1, "x", [], {}, {"resourceType": "Consent"}])
def test_what_is_nothing_may_have_been_an_opt_out(raw: Any) -> None:
    assert decided(consent(permit()), raw).reason == "unreadable"


@settings(max_examples=examples(60, 1000))
@given(
    broken=st.sampled_from(sorted(BROKEN)),
    name=st.sampled_from(["type", "period", "actor", "purpose", "data", "securityLabel", "unknown"]),
    junk=st.sampled_from([None, 1, "", "x", [], [None], {}, {"x": []}, [{"coding": 1}]]),
)
def test_no_spoilt_denial_disappears(broken: str, name: str, junk: Any) -> None:
    """Whatever a denial is spoilt with: either it is read and shuts, or nothing is opened at all."""
    spoilt = consent(deny() | {name: junk}, "c2")
    assert not decided(consent(permit()), spoilt).permit
    inner = consent(permit(provision=[deny() | {name: junk}]), "c3")
    assert not decided(consent(permit()), inner).permit


@settings(max_examples=examples(80, 1000), deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                permit(),
                permit("HRESCH"),
                permit(period={"end": "2020"}),
                permit(period={"start": "2030"}),
                permit(securityLabel=[mark("N")], provision=[permit(securityLabel=[sensitivity("PSY")])]),
                permit(provision=[deny(dataPeriod={"start": "2025", "end": "2025"})]),
                deny(dataPeriod={"start": "2024", "end": "2024"}),
                deny(period={"end": "2020"}),
                deny(actor=[actor(OTHERS)]),
                deny(provision=[permit(securityLabel=[mark("N")])]),
                deny(securityLabel=[mark("R")]),
            ]
        ),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_no_order_changes_anything_and_a_further_denial_never_opens(rules: list[Any], data: Any) -> None:
    listed = [consent(rule, f"c{at}") for at, rule in enumerate(rules)]
    book = [
        facts(date(year, 5, 1), *security)
        for year in (2024, 2025, 2026)
        for security in ((), (PSY,), (RESTRICTED,), (PSY, HIV))
    ]
    found = decided(*listed)
    turned = decided(*data.draw(st.permutations(listed)))
    assert turned == found
    seen = {each for each in book if found.admits(each)}
    less = decided(*listed, consent(deny(dataPeriod={"start": "2026"}), "z"))
    assert {each for each in book if less.admits(each)} <= seen
    assert not any(less.admits(each) for each in book if each.first_day.year == 2026)
