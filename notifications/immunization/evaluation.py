"""Judging doses against a series (CDSi chapter 6): a dose is valid, or the first rule it breaks is named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from notifications.immunization.answers import DoseStatus, Evaluation, Progress, Reason
from notifications.immunization.conflicts import conflict_until
from notifications.immunization.history import EARLY, Case, day_of, reference
from notifications.immunization.patient import Given
from notifications.immunization.reach import age_days, gap_days, holding, latest, within
from notifications.immunization.rules import Context, Interval, Series, TargetDose, VaccineRule
from notifications.immunization.skips import Asking, skipped


class _Fault(NamedTuple):
    """The first rule a dose breaks; `since` is the day from which it would have counted."""

    reason: Reason
    since: date | None = None
    status: DoseStatus = DoseStatus.NOT_VALID


def evaluate(
    case: Case,
    series: Series,
    completed_groups: frozenset[str] = frozenset(),
    given: Iterable[Given] | None = None,
    counted_on: date | None = None,
) -> Progress:
    """Walk the doses of the series' antigen (or those `given`) in order of day.

    A dose that does not count leaves its target dose waiting; a late dose counts and nothing restarts.
    `counted_on`: the last dose of the series that this one follows.
    """
    progress = Progress(series, counted_on=counted_on)
    for dose in case.of_antigen(series.antigen) if given is None else given:
        target = progress.target
        if target is not None and target.skips:
            target = _skip_for(case, progress, dose.on, completed_groups)
        progress.evaluations.append(_judge(case, progress, target, dose))
    return progress


def _skip_for(case: Case, progress: Progress, on: date, groups: frozenset[str]) -> TargetDose | None:
    """Pass over what is not needed on a day; the target dose that is."""
    asking = Asking(case, progress, on, Context.EVALUATION, groups)
    while (target := progress.target) is not None and (why := skipped(target, asking)) is not None:
        progress.skipped[target.number] = why
        progress.index += 1
    return target


def _judge(case: Case, progress: Progress, target: TargetDose | None, dose: Given) -> Evaluation:
    if target is None:
        return Evaluation(dose, None, DoseStatus.EXTRANEOUS, Reason.ALREADY_COMPLETE)
    fault = _fault(case, progress, target, dose)
    if fault is not None:
        return Evaluation(dose, target.number, fault.status, fault.reason, fault.since)
    progress.satisfied[target.number] = dose
    progress.counted_on = dose.on
    if not target.recurring:
        progress.index += 1
    return Evaluation(dose, target.number, DoseStatus.VALID, Reason.FITS)


def _fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    if dose.flawed:
        return _Fault(Reason.FLAWED, status=DoseStatus.SUB_STANDARD)
    if dose.vaccine in target.inadvertent:
        return _Fault(Reason.INADVERTENT)
    if progress.series.once_a_day and dose.on == progress.counted_on:
        return _Fault(Reason.TOLD_TWICE)
    return (
        _age_fault(case, progress, target, dose)
        or _interval_fault(case, progress, target, dose)
        or (_conflict_fault(case, progress, dose) if case.rules.judged_conflicts else None)
        or (_vaccine_fault(case, target, dose) if target.preferable or target.allowable else None)
    )


def _age_fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    for ages in target.ages if target.timeless else holding(target.ages, dose.on):
        days = age_days(ages, case.patient.born, case.rules.date_rule)
        if days.absolute_minimum is not None and dose.on < days.absolute_minimum:
            return _Fault(Reason.TOO_YOUNG, _since(case, progress, target, dose))
        if days.minimum is not None and dose.on < days.minimum and not _grace(progress, target):
            return _Fault(Reason.TOO_YOUNG, _since(case, progress, target, dose))
        if days.maximum is not None and dose.on >= days.maximum:
            return _Fault(Reason.TOO_OLD, status=DoseStatus.EXTRANEOUS)
    return None


def _since(case: Case, progress: Progress, target: TargetDose, dose: Given) -> date | None:
    """The day from which a dose that came early would have counted."""
    born, rule, patient = case.patient.born, case.rules.date_rule, case.patient
    days = [age_days(ages, born, rule) for ages in holding(target.ages, dose.on)]
    found = [each.minimum or each.absolute_minimum for each in days]
    for interval in holding(target.judged, dose.on):
        start = reference(interval, progress, patient)
        if start is not None:
            gap = gap_days(interval, day_of(start), rule)
            found.append(gap.minimum or gap.absolute_minimum)
    return latest(found)


def _grace(progress: Progress, target: TargetDose) -> bool:
    """The days between absolute minimum and minimum are a grace, but not for a repeat of a later dose."""
    if target is progress.series.doses[0]:
        return True
    before = progress.evaluations[-1] if progress.evaluations else None
    return before is None or not (before.status is DoseStatus.NOT_VALID and before.reason in EARLY)


def _interval_fault(case: Case, progress: Progress, target: TargetDose, dose: Given) -> _Fault | None:
    if not target.judged or not _too_soon(case, progress, target, target.judged, dose):
        return None
    allowable = holding(target.allowable_intervals, dose.on)
    if allowable and not _too_soon(case, progress, target, allowable, dose):
        return None
    return _Fault(Reason.TOO_SOON, _since(case, progress, target, dose))


def _too_soon(
    case: Case, progress: Progress, target: TargetDose, intervals: tuple[Interval, ...], dose: Given
) -> bool:
    for interval in intervals if target.timeless else holding(intervals, dose.on):
        start = reference(interval, progress, case.patient)
        if start is None:
            continue
        gap = gap_days(interval, day_of(start), case.rules.date_rule)
        if gap.absolute_minimum is not None and dose.on < gap.absolute_minimum:
            return True
        if gap.minimum is not None and dose.on < gap.minimum and not _grace(progress, target):
            return True
    return False


def _conflict_fault(case: Case, progress: Progress, dose: Given) -> _Fault | None:
    until = conflict_until(case, progress, dose)
    return None if until is None else _Fault(Reason.LIVE_VIRUS, until)


def _vaccine_fault(case: Case, target: TargetDose, dose: Given) -> _Fault | None:
    fits = any(_fits(case, rule, dose) for rule in (*target.preferable, *target.allowable))
    return None if fits else _Fault(Reason.WRONG_VACCINE)


def _fits(case: Case, wanted: VaccineRule, dose: Given) -> bool:
    if wanted.vaccine != dose.vaccine or (wanted.maker and dose.maker and wanted.maker != dose.maker):
        return False
    if wanted.volume is not None and dose.volume is not None and dose.volume < wanted.volume:
        return False
    return within(dose.on, case.patient.born, wanted.begin, wanted.end, case.rules.date_rule)
