"""Reading bundles and labels without any database: total, strict, and closed where it does not know."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.codes import LABELS
from tests.examples import MANY, examples
from tests.fhir import ICD10, LOINC, bundle, condition, immunization, labelled, observation
from wallet_api.records.bundle import MAX_ENTRIES, read_bundle
from wallet_api.records.errors import BundleRefused
from wallet_api.records.labels import UNKNOWN, labels_of
from wallet_api.records.model import PartialDate

KNOWN = frozenset(LABELS.codes)


class An:
    number = "001190999001"
    born = date(1990, 5, 4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "subject",
    "code",
    "onsetDateTime",
    "identifier",
    "id",
    "meta",
    "text",
    "contained",
    "category",
    "resourceType",
)


@settings(max_examples=examples(60, 1000), deadline=None, derandomize=not MANY)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=3))
def test_whatever_an_entry_holds_it_is_taken_or_named(strange: dict[str, Any]) -> None:
    try:
        entries = read_bundle(bundle(An(), condition() | strange, immunization("good"))).entries
    except BundleRefused:
        return  # it claimed to be a second patient, or none
    assert len(entries) == 3 and entries[2].fault is None
    odd = entries[1]
    assert odd.supporting or (odd.fault is None) == (odd.occurred_on is not None)
    if odd.fault is None and not odd.supporting:
        labels_of(odd.resource, KNOWN)


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"Tran Thi Secret": 1}, ""),
        ({"_Secret": {"id": "x"}}, ""),
        ({"code": {"Secret": 1}}, "/code"),
        ({"meta": {"tag": [{"code": "x"}, {"Secret": 2}]}}, "/meta/tag/1"),
        ({"contained": [{"Secret": 2}]}, "/contained/0"),
        ({"onsetDateTime": "Secret"}, "/onsetDateTime"),
        ({"code": {"coding": {"Secret": 1}}}, "/code/coding"),
    ],
)
def test_a_report_repeats_a_name_the_sender_made_up(over: dict[str, Any], pointer: str) -> None:
    entries = read_bundle(bundle(An(), condition() | over)).entries
    fault = entries[1].fault
    assert fault is not None and (fault.pointer, fault.code) == (pointer, "structure_invalid")
    assert "Secret" not in fault.message
    with pytest.raises(BundleRefused) as refused:
        sent = bundle(An())
        sent["entry"][0]["resource"]["Secret"] = 1
        read_bundle(sent)
    assert refused.value.pointer == "/entry/0/resource"


@settings(max_examples=examples(60, 1000), deadline=None, derandomize=not MANY)
@given(json_values)
def test_whatever_is_no_bundle_is_refused(value: Any) -> None:
    for wrapped in (value, {"resourceType": "Bundle", "type": "batch", "entry": value}):
        with pytest.raises(BundleRefused):
            read_bundle(wrapped)


def test_a_bundle_of_the_largest_size_is_read() -> None:
    rows = [condition(f"c{number}") for number in range(MAX_ENTRIES - 1)]
    entries = read_bundle(bundle(An(), *rows)).entries
    assert sum(entry.fault is None for entry in entries) == MAX_ENTRIES
    with pytest.raises(BundleRefused):
        read_bundle(bundle(An(), *rows, condition("one more")))


def test_the_patient_is_found_by_full_url_or_id_alone() -> None:
    sent = bundle(An(), condition(subject={"reference": "urn:uuid:1"}), condition("x"), condition("y"))
    sent["entry"][0]["fullUrl"] = "urn:uuid:1"
    sent["entry"][3]["resource"]["subject"] = {"identifier": {"value": An.number}}
    entries = read_bundle(sent).entries
    assert [entry.fault.code if entry.fault else None for entry in entries[1:]] == [
        None,
        None,
        "other_subject",
    ]


@pytest.mark.parametrize("second", [{"resourceType": "Patient", "birthDate": "1990-05-04"}])
def test_two_patients_or_none_are_refused(second: dict[str, Any]) -> None:
    with pytest.raises(BundleRefused):
        read_bundle(bundle(An(), second))
    sent = bundle(An(), condition())
    del sent["entry"][0]
    with pytest.raises(BundleRefused):
        read_bundle(sent)


@pytest.mark.parametrize("born", ["1990", "1990-05", "", None, "04/05/1990", 1990, "1990-05-04T00:00:00Z"])
def test_a_person_without_a_whole_birth_date_is_refused(born: Any) -> None:
    with pytest.raises(BundleRefused) as why:
        read_bundle(bundle(An(), condition(), born=born))
    assert why.value.pointer.startswith("/entry/0/resource")


@pytest.mark.parametrize(
    ("system", "code", "label"),
    [
        (ICD10, "B20", "HIV"),
        (ICD10, "b24.9", "HIV"),
        (ICD10, "Z11.4", "HIV"),
        (ICD10 + "-cm", "B20", "HIV"),
        (ICD10, "A15.0", "TB"),
        (ICD10, "F10.2", "ETH"),
        (ICD10, "F17", "ETH"),
        (ICD10, "F32.1", "PSY"),
        (ICD10, "X71", "PSY"),
        (ICD10, "X85", "SDV"),
        (ICD10, "A54", "SEX"),
        (ICD10, "Z52.4", "DONOR"),
        (LOINC, "75622-1", "HIV"),
        (ICD10, "I10", None),
        (ICD10, "B18.1", None),
        ("http://example.org/own", "B20", None),
        (LOINC, "B20", None),
    ],
)
def test_what_law_restricts_is_labelled_by_its_code(system: str, code: str, label: str | None) -> None:
    coding = {"coding": [{"system": system, "code": code}]}
    deep = {"resourceType": "Observation", "component": [{"valueCodeableConcept": coding}]}
    expected = frozenset({label}) if label else frozenset()
    assert labels_of(condition(code=coding), KNOWN) == labels_of(deep, KNOWN) == expected


def test_a_senders_own_label_counts_and_an_unknown_one_closes() -> None:
    assert labels_of(labelled(observation(), "PSY", "N", "R", "V", "CEL"), KNOWN) == {"PSY", UNKNOWN}
    assert labels_of(labelled(observation(), "N", "L", "M", "U"), KNOWN) == frozenset()
    assert UNKNOWN not in KNOWN


@given(st.integers(1900, 2200), st.integers(1, 12) | st.none(), st.integers(1, 28) | st.none())
def test_a_partial_date_spans_all_the_days_it_can_mean(year: int, month: int | None, day: int | None) -> None:
    text = f"{year}" + (f"-{month:02d}" if month else "") + (f"-{day:02d}" if month and day else "")
    found = PartialDate(text)
    assert found.first_day <= found.last_day
    assert found.first_day.isoformat().startswith(text) and found.last_day.isoformat().startswith(text)
    after = date.fromordinal(found.last_day.toordinal() + 1)
    assert not after.isoformat().startswith(text)
