"""The document: Composition, patient, author and every record that a section names. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from wallet_api.infra.crypto.framing import framed
from wallet_api.records.front import Line, Lines
from wallet_api.records.ips.entries import absent, entry_of, known_as
from wallet_api.records.ips.narrative import said, told
from wallet_api.records.ips.sections import Absent, Section, layout
from wallet_api.records.shared import Whose
from wallet_api.records.types._fields import ABSENT_UNKNOWN, codings
from wallet_api.records.words import concept_of

Json = dict[str, Any]
_LOINC: Final = "http://loinc.org"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem"


@dataclass(frozen=True)
class Making:
    """What a document is made with.

    `id`: a UUID of this document alone, from which its entries have their names. `whose` is None where the
    reader is not told. `sources`: the names of organisations by id, in the language `locale`.
    """

    id: str
    at: datetime
    locale: str
    whose: Whose | None
    sources: Mapping[str, str]


def document_of(lines: Mapping[str, Lines], making: Making) -> Json:
    """A Bundle of type document: what stands in the lines, as a patient summary has it."""
    patient, author = _urn(making, "patient"), _urn(making, "author")
    shown = {name: _worth_telling(found.lines) for name, found in lines.items()}
    records = {line.record.id: line.record for found in shown.values() for line in found}
    urns = {record_id: _urn(making, record_id) for record_id in records}
    known = known_as(records.values(), urns)
    sections, stand_ins = [], list[Json]()
    for section in layout().sections:
        made, stand_in = _section(section, shown[section.name], lines[section.name].more, making, urns)
        sections += [made] if made else []
        stand_ins += [stand_in] if stand_in else []
    restricted = any(record.labels for record in records.values())
    entries = [
        _entry(_urn(making, "composition"), _composition(patient, author, sections, restricted, making)),
        _entry(patient, _patient(making.whose)),
        _entry(author, _author(making)),
        *(_entry(urns[name], entry_of(each, patient, known)) for name, each in records.items()),
        *stand_ins,
    ]
    return {
        "resourceType": "Bundle",
        "language": making.locale,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{making.id}"},
        "type": "document",
        "timestamp": making.at.isoformat(),
        "entry": entries,
    }


def _section(
    section: Section, lines: Sequence[Line], more: bool, making: Making, urns: Mapping[str, str]
) -> tuple[Json | None, Json | None]:
    """A section, and the entry that stands in it for want of another; no section that need not be there."""
    head: Json = {
        "title": section.title(making.locale),
        "code": _concept(_LOINC, section.code, section.display),
    }
    if lines:
        named = list(dict.fromkeys(urns[line.record.id] for line in lines))
        text = told(lines, more, making.locale, making.sources)
        return head | {"text": text, "entry": [{"reference": each} for each in named]}, None
    if section.absent is None:
        return None, None
    urn = _urn(making, f"absent {section.name}")
    stand_in = _entry(urn, _absent(section.absent, _urn(making, "patient")))
    sentence = section.absent.vi if making.locale == "vi" else section.absent.en
    return head | {"text": said(sentence), "entry": [{"reference": urn}]}, stand_in


def _absent(nothing: Absent, patient: str) -> Json:
    """A resource that says that there is no information. Never that there is nothing: that nobody said."""
    concept = _concept(ABSENT_UNKNOWN[0], nothing.code, nothing.display)
    if nothing.resource == "MedicationStatement":
        return {
            "resourceType": nothing.resource,
            "status": "unknown",
            "medicationCodeableConcept": concept,
            "subject": {"reference": patient},
            "_effectiveDateTime": absent("unknown"),
        }
    kind = nothing.resource == "AllergyIntolerance"
    system = f"{_CLINICAL}/{'allergyintolerance-clinical' if kind else 'condition-clinical'}"
    return {
        "resourceType": nothing.resource,
        "clinicalStatus": {"coding": [{"system": system, "code": "active"}]},
        "code": concept,
        "patient" if kind else "subject": {"reference": patient},
    }


def _worth_telling(lines: Sequence[Line]) -> list[Line]:
    """The lines without those that say that nothing is known, where something is."""
    something = [each for each in lines if not _says_none(each)]
    return something or list(lines)


def _says_none(line: Line) -> bool:
    found = codings(concept_of(line.record.resource))
    return any(system in ABSENT_UNKNOWN and code.startswith("no-known") for system, code in found)


def _composition(patient: str, author: str, sections: list[Json], restricted: bool, making: Making) -> Json:
    document = layout().document
    return {
        "resourceType": "Composition",
        "language": making.locale,
        "text": said(document.title(making.locale)),
        "status": "final",
        "type": _concept(_LOINC, document.code, document.display),
        "subject": {"reference": patient},
        "date": making.at.isoformat(),
        "author": [{"reference": author}],
        "title": document.title(making.locale),
        "confidentiality": "R" if restricted else "N",
        "section": sections,
    }


def _patient(whose: Whose | None) -> Json:
    """The person; of one who is not named, only that the name is kept back."""
    if whose is None:
        return {"resourceType": "Patient", "name": [absent("masked")], "_birthDate": absent("masked")}
    return {
        "resourceType": "Patient",
        "name": [{"text": whose.name}],
        "gender": whose.sex if whose.sex in ("male", "female") else "unknown",
        "birthDate": whose.birth_date.isoformat(),
    }


def _author(making: Making) -> Json:
    """What put it together: no person did."""
    name = layout().words[making.locale]["author"]
    return {"resourceType": "Device", "deviceName": [{"name": name, "type": "user-friendly-name"}]}


def _entry(urn: str, resource: Json) -> Json:
    return {"fullUrl": urn, "resource": resource}


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _urn(making: Making, name: str) -> str:
    digest = hashlib.sha256(framed("summary entry", making.id, name)).digest()
    return uuid.UUID(bytes=digest[:16], version=4).urn
