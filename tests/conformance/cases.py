"""CDC's test cases, run through the engine and compared on every dose, the status and the days."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from notifications.immunization import Because, Evaluation, Given, GroupResult, Patient, RuleSet, assess

Days = tuple[date | None, date | None, date | None]

GROUPS = {
    "DTAP": "DTaP/Tdap/Td",
    "POL": "Polio",
    "HIB": "Hib",
    "HepB": "HepB",
    "MMR": "MMR",
    "VAR": "Varicella",
    "ROTA": "Rotavirus",
    "PCV": "Pneumococcal",
    "HPV": "HPV",
    "HepA": "HepA",
    "MCV": "Meningococcal",
}
OTHERS = {"FLU": "Influenza"}
_STATUSES = ("valid", "not_valid", "sub_standard", "extraneous")
_REASONS = {
    None: None,
    "Age: Too Young": "too_young",
    "Age: Too Old": "too_old",
    "Interval: too Soon": "too_soon",
    "Inadvertent Vaccine": "inadvertent_vaccine",
    "Series Already Complete": "series_already_complete",
    "Live Virus Conflict": "live_virus_conflict",
    "Not a preferable or allowable vaccine": "not_a_preferable_or_allowable_vaccine",
}
_SEX = {"F": "Female", "M": "Male"}


@dataclass(frozen=True, slots=True)
class TestCase:
    """One published case. Days are as published; `doses` are statuses in order of the file."""

    __test__ = False

    id: str
    name: str
    group: str
    today: date
    patient: Patient
    doses: tuple[str, ...]
    reasons: tuple[str | None, ...]
    status: str
    days: Days


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine said about a case."""

    case: TestCase
    doses: tuple[str, ...]
    reasons: tuple[frozenset[str], ...]
    status: str
    days: Days
    because: tuple[Because, ...]

    @property
    def doses_right(self) -> bool:
        """Every dose has the published status."""
        return self.doses == self.case.doses

    @property
    def reasons_right(self) -> bool:
        """Every published reason against a dose is one the engine gave."""
        pairs = zip(self.case.reasons, self.reasons, strict=True)
        return all(wanted is None or wanted in found for wanted, found in pairs)

    @property
    def status_right(self) -> bool:
        """The series has the published status."""
        return self.status == self.case.status

    @property
    def days_right(self) -> bool:
        """Earliest, recommended and past due day are the published ones, where there are any."""
        return self.days == self.case.days

    @property
    def right(self) -> bool:
        """Doses, status and days together."""
        return self.doses_right and self.status_right and self.days_right


def _words(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def load_cases(path: Path) -> tuple[TestCase, ...]:
    """Read the published cases, one JSON object a line."""
    return tuple(_case(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip())


def _case(row: Mapping[str, object]) -> TestCase:
    doses: Sequence[Mapping[str, str]] = row["doses"]  # type: ignore[assignment]
    wanted: Mapping[str, str] = row["expected"]  # type: ignore[assignment]
    given = tuple(
        Given(f"{number:02}", date.fromisoformat(d["date"]), d["cvx"].zfill(2), d["mvx"] or None)
        for number, d in enumerate(doses)
    )
    return TestCase(
        id=str(row["id"]),
        name=str(row["name"]),
        group=str(row["vaccine_group"]),
        today=date.fromisoformat(str(row["assessment_date"])),
        patient=Patient(date.fromisoformat(str(row["birth_date"])), _SEX[str(row["gender"])], given),
        doses=tuple(_words(d["evaluation_status"]) for d in doses),
        reasons=tuple(_REASONS[d["evaluation_reason"]] for d in doses),
        status=_words(wanted["series_status"]),
        days=(_day(wanted["earliest"]), _day(wanted["recommended"]), _day(wanted["past_due"])),
    )


def run(rules: RuleSet, case: TestCase) -> Outcome:
    """Ask the engine about a case."""
    results = assess(rules, case.patient, case.today)
    result = results[(GROUPS | OTHERS)[case.group]]
    found = result.forecast
    seen = [_seen([result], dose) or _seen(results.values(), dose) for dose in case.patient.doses]
    return Outcome(
        case,
        tuple(next((s for s in _STATUSES if s in {e.status for e in each}), "unseen") for each in seen),
        tuple(frozenset(e.reason.value for e in each) for each in seen),
        found.status.value,
        (found.earliest, found.recommended, found.past_due),
        found.because,
    )


def _seen(results: Iterable[GroupResult], dose: Given) -> list[Evaluation]:
    """A dose is judged in the group of the case; one that is not for this group, in its own groups.

    A dose with several antigens is valid if it is for one of them, as the cases count it.
    """
    best = (one for result in results for one in result.best)
    return [e for one in best for e in one.progress.evaluations if e.dose is dose]
