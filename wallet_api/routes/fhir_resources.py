"""Records as the FHIR resources their reader gets: under our ids, with where they come from, and with no
reference that leads to a place the reader cannot know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from consent.fhir.vocabulary import CATEGORIES, label_system
from wallet_api.records.model import Record
from wallet_api.records.types import subject_of
from wallet_api.routes.schemas.base import instant

Json = dict[str, Any]
FORMATS: Final = "urn:wallet:source-formats"
ORIGINS: Final = "urn:wallet:origins"
_PEOPLE: Final = frozenset({"Patient", "Person", "RelatedPerson"})
_TYPED = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")


def resource_of(record: Record, patient: str, name: Callable[[str], str]) -> Json:
    """One version of a record as its reader gets it; `patient` and `name` are the reader's own names.

    What its source called it becomes an identifier, by which references of the same source can be followed.
    """
    content = record.resource
    kind = str(content["resourceType"])
    subject = subject_of(content)
    kept = {key: each for key, each in content.items() if key not in ("id", "meta", "contained", subject)}
    within = [each for each in content.get("contained") or () if each.get("resourceType") not in _PEOPLE]
    naming = _Naming(record, (content.get(subject) or {}).get("reference"), f"Patient/{patient}", within)
    body: Json = {key: naming.rewritten(each) for key, each in kept.items()}
    if content.get("id"):
        called = {"system": naming.system, "value": f"{kind}/{content['id']}"}
        body["identifier"] = [*body.get("identifier", ()), called]
    made: Json = {"resourceType": kind, "id": name(record.id), "meta": _meta(record)}
    if within:
        made["contained"] = [naming.rewritten(each) for each in within]
    return made | body | {subject: {"reference": naming.patient}}


def _meta(record: Record) -> Json:
    origin = "self-reported" if record.self_reported else "recorded"
    found: Json = {
        "versionId": str(record.version),
        "lastUpdated": instant(record.recorded_at),
        "source": _source(record),
        "tag": [
            {"system": CATEGORIES, "code": record.category},
            {"system": FORMATS, "code": record.source.format},
            {"system": ORIGINS, "code": origin},
        ],
    }
    if record.labels:
        found["security"] = [{"system": label_system(each), "code": each} for each in sorted(record.labels)]
    return found


def _source(record: Record) -> str:
    organisation = record.source.organisation_id
    return f"urn:wallet:organisation:{organisation}" if organisation else "urn:wallet:citizen"


class _Naming:
    """How references of one resource are told: ours, within it, or by what their source calls the thing."""

    def __init__(self, record: Record, called: str | None, patient: str, within: list[Json]) -> None:
        self.patient = patient
        self.system = _source(record)
        self._called = called
        self._within = {f"#{each.get('id')}" for each in within} | {"#"}

    def rewritten(self, value: Any) -> Any:
        """The same with every reference told so."""
        if isinstance(value, list):
            return [self.rewritten(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        if isinstance(value.get("reference"), str):
            return self._reference(value)
        return {key: self.rewritten(each) for key, each in value.items()}

    def _reference(self, told: Mapping[str, Any]) -> Json:
        named = told["reference"]
        if named in (self._called, self.patient):
            return {"reference": self.patient}
        if named.startswith("#"):
            return dict(told) if named in self._within else {"type": "Patient"}
        match = _TYPED.fullmatch(named)
        kind = told.get("type") or (match.group(1) if match else None)
        if kind in _PEOPLE:
            return {"type": kind}  # somebody else, whom the reader has no business with
        rest: Json = {key: each for key, each in told.items() if key != "reference"}
        rest.setdefault("identifier", {"system": self.system, "value": named})
        return rest | ({"type": kind} if kind else {})
