"""Following a pregnancy: the pregnancy itself, antenatal visits, what was found, ultrasound reports.

The sex of the child before its birth is never kept, and neither are pictures of an ultrasound, which may show
it. A pregnancy that ended early is told by its diagnosis, which the law's labels close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from wallet_api.records.fetal_sex import unsaid_in_pregnancy
from wallet_api.records.types import (
    Fault,
    RecordType,
    Resource,
    Words,
    diagnostic_report,
    encounter,
    observation,
)
from wallet_api.records.types._fields import always, codings, first_of, needs_status

_LOINC: Final = "http://loinc.org"
_SNOMED: Final = "http://snomed.info/sct"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
DUE: Final = frozenset({"11778-8", "11779-6", "11780-4", "11781-2"})
"""LOINC: the day on which the child is expected."""
WEEKS: Final = frozenset({"18185-9", "11884-4", "11885-1", "11887-7", "11888-5"})
"""LOINC: how far the pregnancy is."""
_FOUND: Final = DUE | WEEKS | {"8665-2", "82810-3", "11996-6", "11977-6", "11881-0", "55283-6", "11948-7"}
"""Besides: last period, pregnancy status, pregnancies, births, fundal height, fetal heart rate."""
_REPORTS: Final = frozenset({"11525-3"})
"""LOINC: obstetric ultrasound."""
_CARE: Final = frozenset({"77386006", "72892002", "424525001", "424441002", "424619006", "169762003"})
"""SNOMED CT: pregnancy, normal pregnancy, antenatal care and its visits, postnatal visit."""
_REASONS: Final = ("Z33", "Z34", "Z35", "Z36", "Z39")
"""ICD-10: pregnant state, its supervision, antenatal screening, care after birth."""
_EPISODE: Final = frozenset(
    {"planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error"}
)


def _concepts(resource: Resource, *fields: str) -> Iterator[Mapping[str, Any]]:
    for field in fields:
        told = resource.get(field)
        yield from told if isinstance(told, list) else [told] if told else []


def _coded(resource: Resource, *fields: str) -> frozenset[tuple[str, str]]:
    return frozenset(pair for each in _concepts(resource, *fields) for pair in codings(each))


def _is_finding(resource: Resource) -> bool:
    told = _coded(resource, "code")
    for part in resource.get("component") or ():
        told |= _coded(part, "code")
    return any(system == _LOINC and code in _FOUND for system, code in told)


def _is_report(resource: Resource) -> bool:
    return any(system == _LOINC and code in _REPORTS for system, code in _coded(resource, "code"))


def _is_care(resource: Resource) -> bool:
    return any(system == _SNOMED and code in _CARE for system, code in _coded(resource, "type"))


def _is_visit(resource: Resource) -> bool:
    reasons = _coded(resource, "reasonCode")
    return _is_care(resource) or any(
        system == _ICD10 and code.upper().startswith(_REASONS) for system, code in reasons
    )


def _kept(resource: Resource) -> Resource:
    kept = unsaid_in_pregnancy(resource)
    return {name: value for name, value in kept.items() if name not in ("presentedForm", "media")}


def _named(resource: Resource) -> Mapping[str, Any]:
    return next(_concepts(resource, "type"), {})


def _of(ordinary: RecordType, claims: Callable[[Resource], bool], vi: str, en: str) -> RecordType:
    return RecordType(
        ordinary.resource_type,
        always("pregnancy"),
        ordinary.occurred,
        ordinary.faults,
        Words(vi, en),
        frozenset({"pregnancy"}),
        name=f"{ordinary.resource_type}.pregnancy",
        claims=claims,
        about=ordinary.about,
        kept=_kept,
        measured=ordinary.measured,
    )


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _EPISODE)]


TYPES = (
    _of(observation.TYPE, _is_finding, "Theo dõi thai kỳ", "Pregnancy"),
    _of(diagnostic_report.TYPE, _is_report, "Siêu âm thai", "Obstetric ultrasound"),
    _of(encounter.TYPE, _is_visit, "Lượt khám thai", "Antenatal visit"),
    RecordType(
        "EpisodeOfCare",
        always("pregnancy"),
        first_of("period.start"),
        _faults,
        Words("Thai kỳ", "Pregnancy"),
        frozenset({"pregnancy"}),
        subject="patient",
        name="EpisodeOfCare.pregnancy",
        claims=_is_care,
        about=_named,
        kept=_kept,
    ),
)
