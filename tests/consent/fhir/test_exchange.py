"""Our grants as FHIR Consents: legal, no wider for whoever reads them, and back within what they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.consent import Consent
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.codes import LABELS
from consent.decision import Ask, decide
from consent.fhir.deciding import PolicyAsk, decide_policies
from consent.fhir.exporting import Surroundings, consent_of
from consent.fhir.model import Coding, DataFacts
from consent.fhir.proposing import proposal_of
from consent.fhir.reading import ConsentUnreadable, read_consent
from consent.fhir.vocabulary import CATEGORIES, label_system
from consent.model import Grant, Licence, LiveGrant, Period, RecordFacts, Scope, Standing
from consent.notices import notice_for
from tests.consent.builders import NOW, make_actor, make_scope
from tests.consent.fhir.builders import actor, coding, deny
from tests.consent.keys import make_grant
from tests.examples import examples

URL = "https://wallet.example"
AROUND = Surroundings(URL, "Bệnh viện Thử")
NAMES = ["immunization", "visit", "lab_result", "condition"]
MODIFIERS = frozenset({"urn:wallet:fhir:uses"})

days = st.dates(date(2020, 1, 1), date(2026, 12, 31))
scopes = st.builds(
    Scope,
    organisation_id=st.sampled_from(["org", "org2"]),
    practitioner_id=st.sampled_from([None, "dr-1", "dr-2"]),
    purpose=st.sampled_from(["TREAT", "HPAYMT", "HRESCH"]),
    categories=st.sets(st.sampled_from(NAMES), min_size=1).map(frozenset),
    record_period=st.tuples(st.none() | days, st.none() | days).map(
        lambda ends: Period(*sorted(ends)) if None not in ends else Period(*ends)  # type: ignore[type-var]  # no None
    ),
    expires_at=st.integers(1_000_000, 360 * 86_400_000_000).map(
        lambda ticks: NOW + timedelta(microseconds=ticks)
    ),
    uses=st.none() | st.integers(1, 20),
    labels=st.sets(st.sampled_from(sorted(LABELS.codes)), max_size=8).map(frozenset),
    record_ids=st.none() | st.sets(st.sampled_from(["r0", "r1", "r2"]), min_size=1).map(frozenset),
    mode=st.sampled_from(["VIEW", "STORE"]),
)


def granted(scope: Scope, name: str = "g1", **over: Any) -> Grant:
    notice = notice_for(scope.purpose, "vi")
    shown = replace(make_grant().notice, version=notice.version, sha256=notice.sha256)
    return replace(make_grant(scope=scope), id=name, notice=shown, **over)


def exported(grant: Grant) -> dict[str, Any]:
    return consent_of(grant, grant.state_at(NOW), AROUND)


@settings(max_examples=examples(40, 400), deadline=None)
@given(scopes)
def test_an_export_is_fhir_legal_in_pcf_and_read_by_our_own_reader(scope: Scope) -> None:
    raw = exported(granted(scope))
    assert raw == exported(granted(scope))
    Consent.model_validate(raw)
    read = read_consent(raw, MODIFIERS)
    provision = raw["provision"]
    assert not {"class", "code", "action"} & set(provision)
    assert len(raw["policy"]) == 1 and raw["performer"] and raw["organization"] and raw["sourceAttachment"]
    assert all("provision" not in each for each in provision.get("provision", ()))
    assert read.provision.span.end is not None and read.provision.span.end < scope.expires_at


@settings(max_examples=examples(50, 400), deadline=None)
@given(scopes)
def test_there_and_back_again_gives_no_more_than_there_was(scope: Scope) -> None:
    found = proposal_of(exported(granted(scope)), URL, NOW)
    assert found.scope.exceeds(scope) == ()
    lost = scope.expires_at - found.scope.expires_at
    assert timedelta(0) < lost <= timedelta(milliseconds=1)
    assert replace(found.scope, expires_at=scope.expires_at) == scope
    assert (found.patient, found.performers) == ("Patient/citizen", ("Patient/citizen",))
    assert found.answer.notice_version == notice_for(scope.purpose, "vi").version


BOOK = [
    RecordFacts(category, day, day, "org", frozenset(labels), frozenset(), record_id=f"r{number}")
    for number, (category, day, labels) in enumerate(
        (category, day, labels)
        for category in NAMES
        for day in (date(2021, 5, 1), date(2026, 1, 1))
        for labels in ((), ("PSY",), ("GEN", "HIV"))
    )
]


def labelled(record: RecordFacts) -> DataFacts:
    """A record as others would have it: its category and restricted labels as security labels."""
    security = [Coding(CATEGORIES, record.category), *(Coding(label_system(x), x) for x in record.labels)]
    reference = f"{URL}/api/v1/citizens/me/records/{record.record_id}"
    return DataFacts(reference, record.first_day, record.last_day, security=frozenset(security))


@settings(max_examples=examples(50, 400), deadline=None)
@given(st.lists(scopes.map(lambda scope: replace(scope, uses=None)), min_size=1, max_size=3), scopes)
def test_an_engine_for_pcf_decides_our_exports_as_we_decide_our_grants(
    given_: list[Scope], other: Scope
) -> None:
    """But for several grants at once: an exception of one shuts the others too there, so it may show less."""
    doctor = other.practitioner_id or "dr-1"
    live = tuple(LiveGrant(f"g{at}", scope, None) for at, scope in enumerate(given_))
    licence = Licence(frozenset({other.purpose}), frozenset(NAMES))
    own = decide(Ask("org", doctor, other.purpose, NOW), Standing(1, live), licence)
    consents = [exported(granted(scope, f"g{at}")) for at, scope in enumerate(given_)]
    asked = PolicyAsk(
        "Patient/citizen", "Organization/org", f"PractitionerRole/org.{doctor}", other.purpose, NOW
    )
    theirs = decide_policies(consents, asked, lambda reference: True)
    assert theirs.permit is own.permit
    seen = {each.record_id for each in BOOK if own.predicate.admits(each)}
    shown = {each.record_id for each in BOOK if theirs.admits(labelled(each))}
    assert shown <= seen if len(given_) > 1 else shown == seen


@pytest.mark.parametrize("state", ["withdrawn", "superseded", "ended", "suspended"])
def test_a_grant_that_does_not_work_is_not_active(state: Any) -> None:
    raw = exported(granted(make_scope(), state=state))
    assert raw["status"] == "inactive"
    assert {"url": "urn:wallet:fhir:state", "valueCode": state} in raw["extension"]
    with pytest.raises(ConsentUnreadable, match="not_a_proposal"):
        proposal_of(raw, URL, NOW)


def test_who_signed_is_the_performer_and_the_childs_next_age_is_the_end() -> None:
    guardian = make_actor("guardian", date(2024, 1, 1), "mother").evidence
    turns = NOW + timedelta(days=5)
    raw = exported(granted(make_scope(), evidence=guardian, holds_until=turns))
    assert raw["performer"] == [{"reference": "RelatedPerson/mother"}]
    assert raw["provision"]["period"]["end"] == "2026-11-28T08:59:59.999+07:00"
    glass = replace(guardian, relation="practitioner", person_id="dr-1")
    raw = exported(granted(make_scope(), evidence=glass, kind="emergency"))
    assert raw["performer"] == [{"reference": "PractitionerRole/org.dr-1"}]
    Consent.model_validate(raw)


def test_a_limit_on_uses_keeps_out_whoever_does_not_know_it() -> None:
    raw = exported(granted(make_scope(uses=1)))
    with pytest.raises(ConsentUnreadable, match="unknown_modifier"):
        read_consent(raw)


# --- what does not become a grant --------------------------------------------------------------------------


def changed(**over: Any) -> dict[str, Any]:
    raw = exported(granted(make_scope()))
    return raw | over


def ruled(**over: Any) -> dict[str, Any]:
    raw = exported(granted(make_scope()))
    return raw | {"provision": raw["provision"] | over}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "denial": (ruled(type="deny"), "denial_not_taken"),
    "no end": (ruled(period={"start": "2026-11-01"}), "missing"),
    "begins later": (ruled(period={"start": "2027-01-01", "end": "2027-02-01"}), "starts_later"),
    "nobody named": (
        ruled(actor=[actor("Organization/a"), actor("Organization/b")]),
        "exactly_one_recipient",
    ),
    "a group": (ruled(actor=[actor("Group/all")]), "exactly_one_recipient"),
    "a practitioner of nowhere": (ruled(actor=[actor("Practitioner/dr-1")]), "exactly_one_recipient"),
    "two purposes": (ruled(purpose=[coding("TREAT"), coding("HRESCH")]), "exactly_one_known"),
    "foreign purpose": (ruled(purpose=[coding("TREAT", "urn:x")]), "exactly_one_known"),
    "all categories": (ruled(securityLabel=[coding("N", "urn:x")]), "categories_expected"),
    "unknown category": (ruled(securityLabel=[coding("everything", CATEGORIES)]), "categories_expected"),
    "an encounter": (
        ruled(data=[{"meaning": "related", "reference": {"reference": "a/b"}}]),
        "own_records_expected",
    ),
    "others' records": (
        ruled(data=[{"meaning": "instance", "reference": {"reference": "a/b"}}]),
        "own_records",
    ),
    "another exception": (ruled(provision=[deny(dataPeriod={"start": "2026"})]), "exception_not_taken"),
    "an exception with a period": (
        ruled(
            provision=[deny(dataPeriod={"start": "2026"}, securityLabel=[coding("PSY", label_system("PSY"))])]
        ),
        "exception_not_taken",
    ),
    "an exception for somebody": (
        ruled(
            provision=[
                deny(actor=[actor("Organization/b")], securityLabel=[coding("PSY", label_system("PSY"))])
            ]
        ),
        "exception_not_taken",
    ),
    "another text": (
        changed(policy=[{"uri": f"{URL}/api/v1/notices/TREAT?locale=vi#1999-01-01"}]),
        "text_in_force",
    ),
    "a draft": (changed(status="draft"), "not_a_proposal"),
    "a mode": (
        changed(extension=[{"url": "urn:wallet:fhir:access-mode", "valueCode": "QUERY"}]),
        "access_mode",
    ),
    "a label": (
        changed(extension=[{"url": "urn:wallet:fhir:opened-label", "valueCode": ["PSY"]}]),
        "unknown_label",
    ),
    "opened and shut": (
        changed(extension=[{"url": "urn:wallet:fhir:opened-label", "valueCode": "PSY"}]),
        "unknown_label",
    ),
    "uses": (
        changed(modifierExtension=[{"url": "urn:wallet:fhir:uses", "valuePositiveInt": 0}]),
        "malformed",
    ),
    "uses as a text": (changed(modifierExtension=[{"url": "urn:wallet:fhir:uses"}]), "malformed"),
    "extensions of no kind": (changed(extension={}), "malformed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_our_grants_cannot_keep_is_refused_with_its_reason(name: str) -> None:
    raw, code = REFUSED[name]
    with pytest.raises(ConsentUnreadable, match=code):
        proposal_of(raw, URL, NOW)


def test_without_an_extension_that_opens_them_restricted_labels_stay_shut() -> None:
    raw = exported(granted(make_scope(labels=frozenset(LABELS.codes))))
    assert "provision" not in raw["provision"]
    raw.pop("extension")
    assert proposal_of(raw, URL, NOW).scope.labels == frozenset()
