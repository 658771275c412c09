"""Judging doses against a series (CDSi chapter 6): a dose is valid, or the first rule it breaks is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from notifications.immunization.answers import DoseStatus, Evaluation, Progress, Reason
from notifications.immunization.conflicts import conflict_until
from notifications.immunization.history import Case, day_of, reference
from notifications.immunization.patient import Given
from notifications.immunization.reach import holding, reach, within
from notifications.immunization.rules import Context, Interval, Series, TargetDose, VaccineRule
from notifications.immunization.skips import Asking, skipped

_GRACE = (Reason.TOO_YOUNG, Reason.TOO_SOON)


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first rule a dose breaks; `since` is the day from which it would have counted."""

    reason: Reason
    since: date | None = None
    status: DoseStatus = DoseStatus.NOT_VALID


def evaluate(case: Case, series: Series, completed_groups: frozenset[str] = frozenset()) -> Progress:
    """Walk the doses of the series' antigen in order of day.

    A dose that does not count leaves its target dose waiting; a late dose counts and nothing restarts.
    """
    progress = Progress(series)
    for dose in case.of_antigen(series.antigen):
        _skip_for(case, progress, dose.on, completed_groups)
        progress.evaluations.append(_judge(case, progress, dose))
    return progress


def _skip_for(case: Case, progress: Progress, on: date, groups: frozenset[str]) -> None:
    asking = Asking(case, progress, on, Context.EVALUATION, groups)
    while (target := progress.target) is not None and (why := skipped(target, asking)) is not None:
        progress.skipped[target.number] = why
        progress.index += 1


def _judge(case: Case, progress: Progress, dose: Given) -> Evaluation:
    target = progress.target
    if target is None:
        return Evaluation(dose, None, DoseStatus.EXTRANEOUS, Reason.ALREADY_COMPLETE)
    fault = _fault(case, progress, target, dose)
    if fault is not None:
        return Evaluation(dose, target.number, fault.status, fault.reason, fault.since)
    progress.satisfied[target.number] = dose
    if not target.recurring:
        progress.index += 1
    return Evaluation(dose, target.number, DoseStatus.VALID, Reason.FITS)


def _fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    if dose.flawed:
        return _Fault(Reason.FLAWED, status=DoseStatus.SUB_STANDARD)
    if dose.vaccine in target.inadvertent:
        return _Fault(Reason.INADVERTENT)
    return (
        _age_fault(case, progress, target, dose)
        or _interval_fault(case, progress, target, dose)
        or _conflict_fault(case, progress, dose)
        or _vaccine_fault(case, target, dose)
    )


def _age_fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    born, rule = case.patient.born, case.rules.date_rule
    for ages in holding(target.ages, dose.on):
        absolute = reach(born, ages.absolute_minimum, rule)
        minimum = reach(born, ages.minimum, rule)
        maximum = reach(born, ages.maximum, rule)
        if absolute is not None and dose.on < absolute:
            return _Fault(Reason.TOO_YOUNG, minimum or absolute)
        if minimum is not None and dose.on < minimum and not _grace(progress, target):
            return _Fault(Reason.TOO_YOUNG, minimum)
        if maximum is not None and dose.on >= maximum:
            return _Fault(Reason.TOO_OLD, status=DoseStatus.EXTRANEOUS)
    return None


def _grace(progress: Progress, target: TargetDose) -> bool:
    """The days between absolute minimum and minimum are a grace, but not for a repeat of a later dose."""
    if target is progress.series.doses[0]:
        return True
    before = progress.evaluations[-1] if progress.evaluations else None
    return before is None or not (before.status is DoseStatus.NOT_VALID and before.reason in _GRACE)


def _interval_fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    fault = _broken(case, progress, target, holding(target.intervals, dose.on), dose)
    allowable = holding(target.allowable_intervals, dose.on)
    if fault is None or not allowable:
        return fault
    return fault if _broken(case, progress, target, allowable, dose) else None


def _broken(
    case: Case, progress: Progress, target: TargetDose, intervals: tuple[Interval, ...], dose: Given
) -> _Fault | None:
    rule = case.rules.date_rule
    for interval in intervals:
        start = reference(interval, progress, case.patient)
        if start is None:
            continue
        absolute = reach(day_of(start), interval.absolute_minimum, rule)
        minimum = reach(day_of(start), interval.minimum, rule)
        if absolute is not None and dose.on < absolute:
            return _Fault(Reason.TOO_SOON, minimum or absolute)
        if minimum is not None and dose.on < minimum and not _grace(progress, target):
            return _Fault(Reason.TOO_SOON, minimum)
    return None


def _conflict_fault(case: Case, progress: Progress, dose: Given) -> _Fault | None:
    until = conflict_until(case, progress, dose)
    return None if until is None else _Fault(Reason.LIVE_VIRUS, until)


def _vaccine_fault(case: Case, target: TargetDose, dose: Given) -> _Fault | None:
    if not target.preferable and not target.allowable:
        return None
    fits = any(_fits(case, rule, dose) for rule in (*target.preferable, *target.allowable))
    return None if fits else _Fault(Reason.WRONG_VACCINE)


def _fits(case: Case, wanted: VaccineRule, dose: Given) -> bool:
    if wanted.vaccine != dose.vaccine or (wanted.maker and dose.maker and wanted.maker != dose.maker):
        return False
    if wanted.volume is not None and dose.volume is not None and dose.volume < wanted.volume:
        return False
    return within(dose.on, case.patient.born, wanted.begin, wanted.end, case.rules.date_rule)
