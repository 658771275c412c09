"""What rules may ask about doses on record: the ones of an antigen, the reference of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from notifications.immunization.answers import DoseStatus, Evaluation, Progress, Reason
from notifications.immunization.patient import Given, Patient
from notifications.immunization.reach import within
from notifications.immunization.rules import Interval, RuleSet

EARLY = (Reason.TOO_YOUNG, Reason.TOO_SOON)
_COUNT_FOR_INTERVALS = (DoseStatus.VALID, DoseStatus.NOT_VALID)


@dataclass(frozen=True, slots=True)
class Case:
    """One person under one rule set on one day: what every step of the engine needs."""

    rules: RuleSet
    patient: Patient
    today: date
    given: tuple[Given, ...]

    @classmethod
    def of(cls, rules: RuleSet, patient: Patient, today: date) -> Case:
        """Doses after `today` are not seen."""
        return cls(rules, patient, today, tuple(d for d in patient.in_order() if d.on <= today))

    def of_antigen(self, antigen: str) -> tuple[Given, ...]:
        """The doses that carry an antigen at the age they were given."""
        return tuple(dose for dose in self.given if self._carries(dose, antigen))

    def _carries(self, dose: Given, antigen: str) -> bool:
        born, rule = self.patient.born, self.rules.date_rule
        return any(
            a.antigen == antigen and within(dose.on, born, a.begin, a.end, rule)
            for a in self.rules.carries.get(dose.vaccine, ())
        )


def _not_inadvertent(seen: Evaluation) -> bool:
    return seen.reason is not Reason.INADVERTENT


def previous(progress: Progress) -> Given | None:
    """The dose that "from the previous dose" means: the last, right or wrong, but not inadvertent."""
    for seen in reversed(progress.evaluations):
        if seen.status in _COUNT_FOR_INTERVALS and _not_inadvertent(seen):
            return seen.dose
    return None


def last_early(progress: Progress) -> Given | None:
    """The last dose that came before its age or interval."""
    if not progress.evaluations:
        return None
    return next((e.dose for e in reversed(progress.evaluations) if e.reason in EARLY), None)


def reference(interval: Interval, progress: Progress, patient: Patient) -> Given | date | None:
    """Where an interval starts: a dose on record, the day of a fact, or None if there is no such thing."""
    if interval.from_counted:
        return progress.counted_on
    if interval.from_previous:
        return previous(progress)
    if interval.from_early:
        return last_early(progress)
    if interval.from_target is not None:
        return progress.satisfied.get(interval.from_target)
    if interval.from_observation is not None:
        return patient.observations.get(interval.from_observation)
    return _most_recent(interval.from_most_recent, progress.evaluations)


def _most_recent(vaccines: frozenset[str], seen: Sequence[Evaluation]) -> Given | None:
    doses = (e.dose for e in reversed(seen) if e.dose.vaccine in vaccines and _not_inadvertent(e))
    return next(doses, None)


def day_of(start: Given | date) -> date:
    """The day of a reference."""
    return start if isinstance(start, date) else start.on
