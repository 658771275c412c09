"""What the demo books say: FHIR R4 bundles as hospitals and stations would send them. All made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from wallet_api.records.bundle import NATIONAL_ID

Resource = dict[str, Any]

ICD10, LOINC, ATC = "http://hl7.org/fhir/sid/icd-10", "http://loinc.org", "http://www.whocc.no/atc"
CVX, SNOMED = "http://hl7.org/fhir/sid/cvx", "http://snomed.info/sct"
_CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_KIND = "http://terminology.hl7.org/CodeSystem/observation-category"
_UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True)
class Patient:
    """Whom a bundle is about, as the sender knows the person."""

    id: str
    number: str
    name: str
    birth_date: date
    sex: str

    def bundle(self, *resources: Resource) -> Resource:
        """A FHIR bundle with these resources about the person."""
        subject = {"reference": f"Patient/{self.id}"}
        person = {
            "resourceType": "Patient",
            "id": self.id,
            "identifier": [{"system": NATIONAL_ID, "value": self.number}],
            "name": [{"text": self.name}],
            "birthDate": self.birth_date.isoformat(),
            "gender": self.sex,
        }
        filed = [
            resource | {_SUBJECT.get(resource["resourceType"], "subject"): subject} for resource in resources
        ]
        entries = [{"resource": resource} for resource in (person, *filed)]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_SUBJECT = {"Immunization": "patient", "AllergyIntolerance": "patient"}


def concept(system: str, code: str, display: str) -> Resource:
    """A coded term with its words."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def visit(source_id: str, day: date, reason: str) -> Resource:
    """An outpatient visit."""
    return {
        "resourceType": "Encounter",
        "id": source_id,
        "status": "finished",
        "class": {"system": _CLASS, "code": "AMB", "display": "ambulatory"},
        "reasonCode": [{"text": reason}],
        "period": {"start": day.isoformat(), "end": day.isoformat()},
    }


def checkup(source_id: str, day: date) -> Resource:
    """A general check-up."""
    kind = concept(SNOMED, "185349003", "Encounter for check up")
    return visit(source_id, day, "Khám sức khỏe định kỳ") | {"type": [kind]}


def condition(source_id: str, day: date, code: str, display: str, status: str = "active") -> Resource:
    """A diagnosis by ICD-10."""
    return {
        "resourceType": "Condition",
        "id": source_id,
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "code": concept(ICD10, code, display),
        "onsetDateTime": day.isoformat(),
    }


def medication(source_id: str, day: date, atc: str, display: str, dosage: str) -> Resource:
    """A prescription."""
    return {
        "resourceType": "MedicationRequest",
        "id": source_id,
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": concept(ATC, atc, display),
        "authoredOn": day.isoformat(),
        "dosageInstruction": [{"text": dosage}],
    }


def measured(
    source_id: str, day: date, what: tuple[str, str], value: float, unit: str, kind: str
) -> Resource:
    """A measured value by LOINC; `kind` is laboratory or vital-signs."""
    return {
        "resourceType": "Observation",
        "id": source_id,
        "status": "final",
        "category": [{"coding": [{"system": _KIND, "code": kind}]}],
        "code": concept(LOINC, *what),
        "effectiveDateTime": day.isoformat(),
        "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
    }


def dose(source_id: str, day: date, cvx: str, display: str, number: int) -> Resource:
    """A vaccine dose given."""
    return {
        "resourceType": "Immunization",
        "id": source_id,
        "status": "completed",
        "vaccineCode": concept(CVX, cvx, display),
        "occurrenceDateTime": day.isoformat(),
        "protocolApplied": [{"doseNumberPositiveInt": number}],
    }


def allergy(source_id: str, day: date, display: str) -> Resource:
    """An allergy."""
    return {
        "resourceType": "AllergyIntolerance",
        "id": source_id,
        "code": {"text": display},
        "recordedDate": day.isoformat(),
    }


def books(people: Mapping[str, Patient], seed_day: date) -> Iterator[tuple[str, Resource]]:
    """Every demo bundle with the demo id of the organisation that sends it."""

    def ago(days: int) -> date:
        return seed_day - timedelta(days=days)

    yield "demo-hospital", people["an"].bundle(*_mother(ago))
    yield "demo-station", people["an"].bundle(dose("an-flu", ago(700), "88", "Cúm mùa", 1))
    yield "demo-hospital", people["binh"].bundle(*_diabetic(ago))
    yield "demo-station", people["cuc"].bundle(*_elder(ago))
    yield "demo-hospital", people["emma"].bundle(visit("emma-visit-1", ago(30), "Đau lưng"))
    yield (
        "demo-station",
        people["duc"].bundle(dose("duc-td", people["duc"].birth_date + timedelta(days=2560), "139", "Td", 5)),
    )
    yield "demo-station", people["minh"].bundle(*_child(people["minh"].birth_date))


def _mother(ago: Any) -> Iterator[Resource]:
    yield visit("an-visit-1", ago(900), "Khám thai")
    yield visit("an-visit-2", ago(60), "Ho, sốt")
    yield condition("an-condition-1", ago(60), "J20.9", "Viêm phế quản cấp", "resolved")
    yield condition("an-condition-2", ago(800), "D50.9", "Thiếu máu thiếu sắt", "resolved")
    yield condition("an-condition-3", ago(500), "F53.0", "Trầm cảm sau sinh", "resolved")
    yield medication(
        "an-medication-1", ago(60), "J01CA04", "Amoxicillin 500 mg", "1 viên x 3 lần/ngày, 7 ngày"
    )
    yield medication("an-medication-2", ago(800), "B03AA07", "Sắt (II) sulfat", "1 viên/ngày, 90 ngày")
    yield measured("an-lab-1", ago(800), ("718-7", "Hemoglobin"), 10.4, "g/dL", "laboratory")
    yield measured("an-lab-2", ago(60), ("718-7", "Hemoglobin"), 12.6, "g/dL", "laboratory")
    yield allergy("an-allergy-1", ago(900), "Dị ứng tôm")


def _diabetic(ago: Any) -> Iterator[Resource]:
    yield condition("binh-condition-1", ago(1500), "E11.9", "Đái tháo đường típ 2")
    yield medication("binh-medication-1", ago(40), "A10BA02", "Metformin 500 mg", "1 viên x 2 lần/ngày")
    for index, value in enumerate((8.4, 7.9, 7.6, 7.2, 7.0, 6.8)):
        day = ago(40 + 91 * (5 - index))
        yield measured(f"binh-hba1c-{index}", day, ("4548-4", "HbA1c"), value, "%", "laboratory")
        yield visit(f"binh-visit-{index}", day, "Tái khám đái tháo đường")


def _elder(ago: Any) -> Iterator[Resource]:
    yield checkup("cuc-checkup-1", ago(200))
    yield measured("cuc-vital-1", ago(200), ("8480-6", "Huyết áp tâm thu"), 142, "mm[Hg]", "vital-signs")
    yield measured("cuc-vital-2", ago(200), ("8462-4", "Huyết áp tâm trương"), 86, "mm[Hg]", "vital-signs")


_CHILD = (  # months of age, CVX, name, dose of its series: all that is due by 18 months, but measles-rubella
    (0, "08", "Viêm gan B sơ sinh", 1),
    (0, "19", "BCG", 1),
    (2, "102", "5 trong 1", 1),
    (2, "178", "bOPV", 1),
    (2, "119", "Rota", 1),
    (3, "102", "5 trong 1", 2),
    (3, "178", "bOPV", 2),
    (3, "119", "Rota", 2),
    (4, "102", "5 trong 1", 3),
    (4, "178", "bOPV", 3),
    (5, "10", "IPV", 1),
    (9, "10", "IPV", 2),
    (9, "05", "Sởi", 1),
    (12, "134", "Viêm não Nhật Bản", 1),
    (18, "01", "DPT nhắc lại", 4),
)


def _child(born: date) -> Iterator[Resource]:
    for months, cvx, name, number in _CHILD:
        # 31 days a month, and 2 more, lie past every age and interval counted in months
        day = born + timedelta(days=31 * months + 2) if months else born
        yield dose(f"minh-{cvx}-{number}", day, cvx, name, number)
    yield dose("minh-134-2", born + timedelta(days=31 * 12 + 12), "134", "Viêm não Nhật Bản", 2)
    yield checkup("minh-checkup-1", born + timedelta(days=420))
