"""Reading a FHIR R4 Bundle: whose it is, what is in it, and what is wrong with each entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from wallet_api.infra.clock import vn_day
from wallet_api.records.errors import BundleRefused
from wallet_api.records.fetal_sex import without_fetal_sex
from wallet_api.records.model import PartialDate
from wallet_api.records.neighbours import SUPPORTING, Neighbours, names_of
from wallet_api.records.types import Fault, RecordType, record_types, type_of
from wallet_api.records.types._fields import says_nothing, unknown_modifier

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
_FILING = frozenset({"POST", "PUT"})
"""What a transaction may ask of us: to file. Nothing is fetched, patched or taken away by a bundle."""


@dataclass(frozen=True)
class Person:
    """Whom something is about, as the sender says: identifiers by kind, the birth date as far as known."""

    identifiers: tuple[tuple[str, str], ...]
    birth_date: PartialDate
    references: frozenset[str]


@dataclass(frozen=True)
class Entry:
    """One entry ready to be filed, or what is wrong with it. `supporting` entries are not filed themselves.

    `joined` are the entries that went into this one; `undated`: it stands under the day of the document
    that tells it. `at` is its place in what was sent, where that is no bundle. `source_version`: a number
    that the source gives each change, where it does; what is older than what is known changes nothing.
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
    joined: frozenset[int] = frozenset()
    undated: bool = False

    @property
    def place(self) -> str:
        """Where it stands in what was sent: a JSON pointer, or a path in a file."""
        return self.at or f"/entry/{self.index}/resource"


@dataclass(frozen=True)
class Reading:
    """What was sent about one person: whom it is about, what is in it, and the format it came in.

    `body` is all of it as it came, which is kept where it fits nobody. `visit` is its sender's key for it
    where it tells of one visit and is sent again as a whole; `whole` that all of it could be read, so that
    what was there before and is not now was left out. `edition`: which of its format's it was written after.
    """

    person: Person
    entries: list[Entry]
    format: str = FORMAT
    body: bytes = field(default=b"", repr=False)
    visit: str = ""
    whole: bool = False
    edition: str | None = None


def read_bundle(raw: object) -> Reading:
    """Take a bundle apart.

    Raises:
        BundleRefused: not a bundle, or not about exactly one identified person.
    """
    bundle = _bundle(raw)
    entries = bundle["entry"]
    around, document = Neighbours(entries), _document(bundle)
    whose = _patient(entries, around, document)
    person = _person(whose, entries[whose])
    told = Telling(around, whose, bool(document), _told_on(document))
    found = [read_entry(index, entry, person, told) for index, entry in enumerate(entries)]
    return Reading(person, _unrepeated(found))


@dataclass(frozen=True)
class Telling:
    """What the rest of a bundle says of an entry: its neighbours, whose it is, when a document told it."""

    around: Neighbours
    patient: int
    in_document: bool
    on: str | None


def _document(bundle: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Composition that a document begins with; empty for any other bundle."""
    first: Mapping[str, Any] = bundle["entry"][0]["resource"]
    return first if bundle["type"] == "document" and first.get("resourceType") == "Composition" else {}


def _told_on(document: Mapping[str, Any]) -> str | None:
    try:
        return PartialDate(_vietnamese_day(document.get("date", ""))).text
    except (TypeError, ValueError, OverflowError):
        return None


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


def _patient(entries: list[dict[str, Any]], around: Neighbours, document: Mapping[str, Any]) -> int:
    """Which entry is whom it is all about: the only Patient, or the one a document says it is about."""
    found = [
        index for index, entry in enumerate(entries) if entry["resource"].get("resourceType") == "Patient"
    ]
    subject = document.get("subject")
    meant = around.find(subject.get("reference")) if isinstance(subject, dict) else None
    if len(found) > 1 and meant in found:
        return meant
    if len(found) != 1:
        raise BundleRefused("/entry", "one_patient_needed")
    return found[0]


def _person(index: int, entry: Mapping[str, Any]) -> Person:
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
    return Person(numbers, born, frozenset(names_of(entry)))


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


def read_entry(index: int, entry: Mapping[str, Any], person: Person, told: Telling | None = None) -> Entry:
    """One resource about that person: checked, with the day it is filed under, or what is wrong with it."""
    resource, source_id, joined = _without_narrative(entry["resource"]), _source_id(entry), frozenset[int]()
    if fault := _not_filed(entry):
        return Entry(index, resource, source_id, fault=fault)
    if str(resource.get("resourceType")) not in {each.resource_type for each in record_types().values()}:
        return _not_a_record(index, resource, source_id, told)
    if told is not None:
        resource, joined, fault = told.around.joined(index, resource)
        resource = _without_narrative(resource)
    checked = fault or _checked(resource, person)
    if isinstance(checked, Fault):
        return Entry(index, resource, source_id, fault=checked)
    kind, kept = checked
    said = kind.occurred(kept)
    undated = said is None and kind.lasting and told is not None and told.on is not None
    try:
        occurred = PartialDate(_vietnamese_day((told.on if undated and told else said) or ""))
    except (ValueError, OverflowError):
        fault = Fault("", "date_missing", "a date between 1900 and 2200 is needed")
        return Entry(index, kept, source_id, kind, fault=fault)
    return Entry(index, kept, source_id, kind, occurred, joined=joined, undated=undated)


def _checked(resource: dict[str, Any], person: Person) -> tuple[RecordType, Mapping[str, Any]] | Fault:
    """The type of a resource and what of it is kept, or what is wrong with it."""
    told = without_fetal_sex(resource)
    if told is None:
        return Fault("/code", "fetal_sex")
    if fault := _structure_fault(told):
        return fault
    kind = type_of(told)  # only now: types look into what is known to be FHIR
    if kind is None:
        return Fault("/resourceType", "type_not_kept", "this resource type is not kept in the health book")
    kept = kind.kept(told)
    fault = (_structure_fault(kept) if kept != told else None) or _first_fault(kept, kind, person)
    return fault or (kind, _unnamed(dict(kept), kind.subject))


def _not_a_record(index: int, resource: dict[str, Any], source_id: str | None, told: Telling | None) -> Entry:
    """An entry of a type that is no record: known for what it gives to others, or not kept."""
    kind = str(resource.get("resourceType"))
    if kind not in SUPPORTING:
        fault = Fault("/resourceType", "type_not_kept", "this resource type is not kept in the health book")
        return Entry(index, resource, source_id, fault=fault)
    if kind == "Patient" and told is not None and index != told.patient:
        return Entry(index, resource, source_id, fault=Fault("", "other_patient"))
    of_all = kind == "Patient" or (index == 0 and told is not None and told.in_document)
    return Entry(
        index, resource, source_id, supporting=True, joined=frozenset({index}) if of_all else frozenset()
    )


def _not_filed(entry: Mapping[str, Any]) -> Fault | None:
    """A fault where a transaction asks for something else than filing."""
    asked = entry.get("request")
    method = asked.get("method") if isinstance(asked, dict) else None
    return None if method is None or method in _FILING else Fault("", "method_not_taken")


def _first_fault(resource: Mapping[str, Any], kind: RecordType, person: Person) -> Fault | None:
    subject = resource.get(kind.subject) or {}
    named = str(subject.get("reference", "")).partition("/_history/")[0]
    if named not in person.references:
        return Fault(f"/{kind.subject}", "other_subject", "the subject must be the bundle's patient")
    return says_nothing(resource) or unknown_modifier(resource) or next(iter(kind.faults(resource)), None)


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
