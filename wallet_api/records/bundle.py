"""Reading a FHIR R4 Bundle: whose it is, what is in it, and what is wrong with each entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from wallet_api.infra.clock import vn_day
from wallet_api.records.errors import BundleRefused
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault, RecordType, record_types

FORMAT = "fhir-bundle"
MAX_ENTRIES = 1000
BUNDLE_TYPES = frozenset({"transaction", "batch", "collection", "document"})
NATIONAL_ID = "http://fhir.hl7.org.vn/core/sid/cccd"
INSURANCE_NUMBER = "http://fhir.hl7.org.vn/core/sid/bhyt"
BIRTH_REFERENCE = "urn:health-wallet:birth-reference"
_KINDS = {
    NATIONAL_ID: "national_id",
    INSURANCE_NUMBER: "insurance_number",
    BIRTH_REFERENCE: "birth_reference",
}
MOTHERS_NUMBER = "urn:health-wallet:mother-cccd"
OF_MOTHER = "of_mother"
"""A kind of `Person.identifiers`: a newborn by the mother's number and the order, as `number/order`."""
MOST_BORN = 9
_SUPPORTING = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"})


@dataclass(frozen=True)
class Person:
    """Whom something is about, as the sender says: identifiers by kind, the birth date as far as known."""

    identifiers: tuple[tuple[str, str], ...]
    birth_date: PartialDate
    references: frozenset[str]


@dataclass(frozen=True)
class Entry:
    """One entry ready to be filed, or what is wrong with it. `supporting` entries are not filed.

    `at` is its place in what was sent, where that is no bundle. `source_version`: a number that the source
    gives each change, where it does; what is older than what is known changes nothing.
    """

    index: int
    resource: Mapping[str, Any]
    source_id: str | None
    kind: RecordType | None = None
    occurred_on: PartialDate | None = None
    fault: Fault | None = None
    supporting: bool = False
    at: str = ""
    source_version: int = 0

    @property
    def place(self) -> str:
        """Where it stands in what was sent: a JSON pointer, or a path in a file."""
        return self.at or f"/entry/{self.index}/resource"


@dataclass(frozen=True)
class Reading:
    """What was sent about one person: whom it is about, what is in it, and the format it came in.

    `body` is all of it as it came, which is kept where it fits nobody.
    """

    person: Person
    entries: list[Entry]
    format: str = FORMAT
    body: bytes = field(default=b"", repr=False)


def read_bundle(raw: object) -> Reading:
    """Take a bundle apart.

    Raises:
        BundleRefused: not a bundle, or not about exactly one identified person.
    """
    bundle = _bundle(raw)
    entries = bundle["entry"]
    person = _person(entries)
    return Reading(
        person, _unrepeated([read_entry(index, entry, person) for index, entry in enumerate(entries)])
    )


def _unrepeated(entries: list[Entry]) -> list[Entry]:
    """The same, with a fault on each entry that says something else under a source id already used."""
    first: dict[str, Mapping[str, Any]] = {}
    fault = Fault("", "repeated_source_id", "another entry of this bundle has the same source id")
    checked = []
    for entry in entries:
        known = entry.resource
        if entry.source_id is not None and entry.fault is None and not entry.supporting:
            known = first.setdefault(entry.source_id, entry.resource)
        checked.append(entry if known == entry.resource else replace(entry, fault=fault))
    return checked


def _bundle(raw: object) -> Mapping[str, Any]:
    raw = _without_nulls(raw)
    if not isinstance(raw, dict) or raw.get("resourceType") != "Bundle":
        raise BundleRefused("/resourceType", "not_a_bundle")
    if not isinstance(raw.get("type"), str) or raw["type"] not in BUNDLE_TYPES:
        raise BundleRefused("/type", "bundle_type")
    entries = raw.get("entry")
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
        raise BundleRefused("/entry", "entry_count")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            raise BundleRefused(f"/entry/{index}/resource", "resource_missing")
    return raw


def _person(entries: list[dict[str, Any]]) -> Person:
    found = [
        (index, entry)
        for index, entry in enumerate(entries)
        if entry["resource"].get("resourceType") == "Patient"
    ]
    if len(found) != 1:
        raise BundleRefused("/entry", "one_patient_needed")
    index, entry = found[0]
    at, patient = f"/entry/{index}/resource", entry["resource"]
    if fault := _structure_fault(patient):
        raise BundleRefused(at + fault.pointer, fault.code)
    try:
        born = PartialDate(date.fromisoformat(patient.get("birthDate", "")).isoformat())
    except (TypeError, ValueError) as why:
        raise BundleRefused(f"{at}/birthDate", "birth_date_needed") from why
    numbers = tuple(
        (_KINDS[one["system"]], one["value"])
        for one in patient.get("identifier", ())
        if one.get("system") in _KINDS and one.get("value")
    )
    numbers += _of_mother(patient, at)
    if not numbers:
        raise BundleRefused(f"{at}/identifier", "identifier_needed")
    return Person(numbers, born, _references(entry))


def _of_mother(patient: Mapping[str, Any], at: str) -> tuple[tuple[str, str], ...]:
    """A newborn named by its mother: the first of that day unless `multipleBirthInteger` says which."""
    order = patient.get("multipleBirthInteger", 1)
    if type(order) is not int or not 1 <= order <= MOST_BORN:
        raise BundleRefused(f"{at}/multipleBirthInteger", "number_invalid")
    return tuple(
        (OF_MOTHER, f"{one['value']}/{order}")
        for one in patient.get("identifier", ())
        if one.get("system") == MOTHERS_NUMBER and one.get("value")
    )


def _references(entry: Mapping[str, Any]) -> frozenset[str]:
    named, url = entry["resource"].get("id"), entry.get("fullUrl")
    known = (url, f"Patient/{named}" if named else None)
    return frozenset(each for each in known if isinstance(each, str))


def read_entry(index: int, entry: Mapping[str, Any], person: Person) -> Entry:
    """One resource about that person: checked, with the day it is filed under, or what is wrong with it."""
    resource = _without_narrative(entry["resource"])
    source_id = _source_id(entry)
    kind = record_types().get(str(resource.get("resourceType")))
    if kind is not None:
        resource = _unnamed(resource, kind.subject)
    if kind is None:
        if str(resource.get("resourceType")) in _SUPPORTING:
            return Entry(index, resource, source_id, supporting=True)
        fault = Fault("/resourceType", "type_not_kept", "this resource type is not kept in the health book")
        return Entry(index, resource, source_id, fault=fault)
    if fault_found := _first_fault(resource, kind, person):
        return Entry(index, resource, source_id, kind, fault=fault_found)
    try:
        occurred = PartialDate(_vietnamese_day(kind.occurred(resource) or ""))
    except (ValueError, OverflowError):
        fault = Fault("", "date_missing", "a date between 1900 and 2200 is needed")
        return Entry(index, resource, source_id, kind, fault=fault)
    return Entry(index, resource, source_id, kind, occurred)


def _first_fault(resource: Mapping[str, Any], kind: RecordType, person: Person) -> Fault | None:
    if fault := _structure_fault(resource):
        return fault
    subject = resource.get(kind.subject) or {}
    if subject.get("reference") not in person.references:
        return Fault(f"/{kind.subject}", "other_subject", "the subject must be the bundle's patient")
    return next(iter(kind.faults(resource)), None)


def _structure_fault(resource: Mapping[str, Any]) -> Fault | None:
    try:
        # Loaded by the first bundle: the models take a fifth of a second that a starting worker has not.
        from fhir.resources.R4B import get_fhir_model_class

        get_fhir_model_class(str(resource.get("resourceType"))).model_validate(dict(resource))
    except ValidationError as why:
        first = why.errors(include_url=False, include_input=False)[0]
        # A name that FHIR does not know is the sender's own word; the report names the place it stands in.
        known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        pointer = "".join(f"/{part}" for part in known)
        # The library's own sentence may quote the value sent, so only its kind is passed on.
        return Fault(pointer, "structure_invalid", f"not valid FHIR R4 here ({first['type']})")
    except (KeyError, LookupError, RecursionError):
        return Fault("/resourceType", "structure_invalid", "not a FHIR R4 resource")
    return None


def _vietnamese_day(said: str) -> str:
    """A date as it is; an instant as the Vietnamese day it falls on."""
    if "T" not in said:
        return said
    instant = datetime.fromisoformat(said)
    return vn_day(instant).isoformat() if instant.tzinfo else said.partition("T")[0]


def _source_id(entry: Mapping[str, Any]) -> str | None:
    """What the sender calls this resource. Numbers are unique within one resource type only."""
    resource = entry["resource"]
    kind = resource.get("resourceType")
    for one in _list(resource.get("identifier")):
        if isinstance(one, dict) and one.get("value"):
            return f"{kind}|{one.get('system', '')}|{one['value']}"
    for said in (entry.get("fullUrl"), resource.get("id")):
        if isinstance(said, str) and said:
            return f"{kind}|{said}"
    return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _unnamed(resource: dict[str, Any], subject: str) -> dict[str, Any]:
    """The same with the person named by reference alone: another organisation that reads it under consent
    is to know the patient by its own reference, not by the sender's name and number for them."""
    whom = resource.get(subject)
    if not isinstance(whom, dict):
        return resource
    return resource | {subject: {key: each for key, each in whom.items() if key == "reference"}}


def _without_nulls(value: Any) -> Any:
    """The same without nulls, which FHIR's JSON has only as gaps: nothing later has to expect them."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value if each is not None] if isinstance(value, list) else value


def _without_narrative(value: Any) -> Any:
    """The same without `text` narratives at any depth: HTML of others is never kept or shown again."""
    if isinstance(value, dict):
        return {
            key: _without_narrative(each)
            for key, each in value.items()
            if not (key == "text" and isinstance(each, dict) and "div" in each)
        }
    return [_without_narrative(each) for each in value] if isinstance(value, list) else value
