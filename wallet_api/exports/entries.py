"""A record as lines of print: its day, what it is about, what was found, and who says so. Pure.

What a resource says beyond these fields is in the FHIR file of the same book; nothing here is inferred.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from consent.codes import LABELS
from wallet_api.exports.model import Locale
from wallet_api.records.model import Record
from wallet_api.records.words import codes_of, concept_of, name_of, values_of

_DETAILS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "Immunization": (("dose", "protocolApplied.doseNumberPositiveInt"), ("lot", "lotNumber")),
    "Condition": (("status", "clinicalStatus"),),
    "AllergyIntolerance": (("reaction", "reaction.manifestation"), ("status", "clinicalStatus")),
    "MedicationRequest": (("dosage", "dosageInstruction.text"), ("reason", "reasonCode")),
    "MedicationStatement": (("dosage", "dosage.text"), ("reason", "reasonCode")),
    "Observation": (("range", "referenceRange"),),
    "DiagnosticReport": (("conclusion", "conclusion"),),
    "Procedure": (("reason", "reasonCode"), ("outcome", "outcome")),
    "Encounter": (
        ("diagnosis", "diagnosis.condition.display"),
        ("discharge", "hospitalization.dischargeDisposition"),
    ),
    "DocumentReference": (("description", "description"),),
}
"""Of each resource type: what is printed of it besides its name and values, and where it stands."""
_VOID: Final = {"entered-in-error": "void", "not-done": "not_done"}
_LONGEST: Final = 2_000
"""Characters of one detail: free texts beyond that are cut, with a mark that they are."""
_DAY: Final = len("2026-11-03")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in print. `day` as it is sorted, `when` as it is written."""

    record_id: str
    category: str
    day: str
    when: str
    title: str
    details: tuple[str, ...]


def entry_of(record: Record, organisation: str | None, locale: Locale) -> Entry:
    """The lines of a record. `organisation`: the name of who filed it, if it is known."""
    concept = concept_of(record.resource)
    name, codes = name_of(concept), [each["code"] for each in codes_of(concept)]
    shown = [each for each in codes if each != name][:1]
    title = " ".join([name or "–", *(f"({each})" for each in shown)])
    return Entry(
        record.id,
        record.category,
        record.occurred_on.first_day.isoformat(),
        written(record.occurred_on.text, locale),
        title,
        tuple(_cut(each) for each in _details(record, organisation, locale)),
    )


@cache
def words(locale: Locale) -> Mapping[str, str]:
    """What a printed document says in a language."""
    told = json.loads(files("wallet_api.exports").joinpath("words.json").read_text(encoding="utf-8"))
    found: Mapping[str, str] = told[locale]
    return found


def written(day: str, locale: Locale) -> str:
    """A day, month or year as people write it: 03/02/2026 in Vietnamese."""
    return "/".join(reversed(day.split("-"))) if locale == "vi" else day


def _details(record: Record, organisation: str | None, locale: Locale) -> Iterator[str]:
    said, resource = words(locale), record.resource
    status = _VOID.get(str(resource.get("status")))
    if status is not None:
        yield said[status]
    for found in values_of(resource):
        value = found["text"] or f"{_number(found['value'], locale)} {found['unit'] or ''}".strip()
        yield f"{found['name']}: {value}" if found["name"] else value
    for label, path in _DETAILS.get(str(resource.get("resourceType")), ()):
        parts = dict.fromkeys(_texts(resource, path.split("."), locale))
        told = "; ".join(said.get(f"code_{each}", each) for each in parts)
        if told:
            yield f"{said[label]}: {told}"
    for each in _texts(resource, ["note", "text"], locale):
        yield f"{said['note']}: {each}"
    if record.labels:
        names = sorted(
            getattr(LABELS.codes[each], locale) if each in LABELS else each for each in record.labels
        )
        yield f"{said['labels']}: {', '.join(names)}"
    yield said["own_words"] if record.self_reported else organisation or "–"


def _texts(value: Any, path: list[str], locale: Locale) -> Iterator[str]:
    """What stands at a path, through lists, in words."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, path, locale)
    elif path:
        if isinstance(value, Mapping) and path[0] in value:
            yield from _texts(value[path[0]], path[1:], locale)
    elif isinstance(value, Mapping):
        said = name_of(value) or _between(value, locale)
        if said:
            yield said
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield _number(value, locale)


def _between(band: Mapping[str, Any], locale: Locale) -> str:
    """A reference range in numbers."""
    low, high = ((band.get(end) or {}).get("value") for end in ("low", "high"))
    return "" if low is None and high is None else f"{_number(low, locale)} – {_number(high, locale)}".strip()


def _number(value: Any, locale: Locale) -> str:
    text = "" if value is None else str(value)
    return text.replace(".", ",") if locale == "vi" and not isinstance(value, str) else text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} […]"
