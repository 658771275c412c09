"""Records as entries of a document: about its patient, every reference inside it or none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from consent.fhir.vocabulary import label_system
from wallet_api.records.model import Record
from wallet_api.records.types import record_types

Json = dict[str, Any]
ABSENT_REASON: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_PEOPLE: Final = frozenset({"Patient", "Person", "RelatedPerson"})
Key = tuple[str, str, str]
"""What others of the same source call a record: organisation, format, reference."""


def absent(why: str) -> Json:
    """An element of which only is told why it is not there: `unknown` or `masked`."""
    return {"extension": [{"url": ABSENT_REASON, "valueCode": why}]}


def known_as(records: Iterable[Record], urns: Mapping[str, str]) -> dict[Key, str]:
    """By which names the records of a document find each other; no two of them share one."""
    found: dict[Key, str | None] = {}
    for each in records:
        if named := each.resource.get("id"):
            key = _key(each, f"{each.resource['resourceType']}/{named}")
            found[key] = None if key in found else urns[each.id]
    return {key: urn for key, urn in found.items() if urn is not None}


def entry_of(record: Record, patient: str, known: Mapping[Key, str]) -> Json:
    """The resource of a record as it stands in a document, without its sender's own names for it."""
    content = record.resource
    subject = record_types()[str(content["resourceType"])].subject
    kept = {name: each for name, each in content.items() if name not in ("id", "meta", "text", "contained")}
    within = [each for each in content.get("contained") or () if each.get("resourceType") not in _PEOPLE]
    names = {str(each.get("id")) for each in within}
    made: Json = {"resourceType": content["resourceType"]} | _untold(content)
    if record.labels:
        tags = [{"system": label_system(each), "code": each} for each in sorted(record.labels)]
        made["meta"] = {"security": tags}
    if within:
        made["contained"] = [_bound(each, record, names, known) for each in within]
    body: Json = _bound(kept, record, names, known)
    return made | body | {subject: {"reference": patient}}


def _untold(content: Mapping[str, Any]) -> Json:
    """What FHIR R4 demands of a type though its source did not tell (ait-1): that it is not known."""
    return {"clinicalStatus": absent("unknown")} if content["resourceType"] == "AllergyIntolerance" else {}


def _bound(value: Any, record: Record, inside: set[str], known: Mapping[Key, str]) -> Any:
    """The same with each reference to something in the document, or to nothing."""
    if isinstance(value, list):
        return [_bound(each, record, inside, known) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _bound(each, record, inside, known) for name, each in value.items()}
    reference = made.get("reference")
    if not isinstance(reference, str) or (reference.startswith("#") and reference[1:] in inside):
        return made
    urn = known.get(_key(record, reference.partition("/_history/")[0]))
    if urn is not None:
        return made | {"reference": urn}
    # An element must not be empty, and one that is demanded must not be missing.
    return {name: each for name, each in made.items() if name != "reference"} or absent("unknown")


def _key(record: Record, reference: str) -> Key:
    return record.source.organisation_id or "", record.source.format, reference
