"""What comes next in a series (CDSi chapter 7): its status, and the days of the next dose with reasons."""

from __future__ import annotations

from datetime import date, timedelta

from notifications.days import Span
from notifications.immunization.answers import Because, Forecast, Progress, Reason, SeriesStatus
from notifications.immunization.conflicts import undisturbed_from
from notifications.immunization.facts import contraindicated, forbidden_vaccines, immune
from notifications.immunization.history import Case, day_of, reference
from notifications.immunization.patient import Given
from notifications.immunization.reach import holding, latest, reach
from notifications.immunization.rules import AgeRule, Antigen, Context, Interval, TargetDose
from notifications.immunization.skips import Asking, skipped

_DAY = timedelta(days=1)
_NO_AGES = AgeRule()


def forecast(
    case: Case, progress: Progress, antigen: Antigen, groups: frozenset[str] = frozenset()
) -> Forecast:
    """Status of a judged series and the days of its next dose.

    Target doses that are not needed are passed over, also those that will not be needed on the day they
    could be given. The walk in `progress` is left as it is, but for the skips found.
    """
    _skip(case, progress, case.today, groups)
    shut = _shut(case, progress, antigen)
    if shut is not None:
        return shut
    while (target := progress.target) is not None:
        found = dates(case, progress, target)
        if found.earliest is None or not _skip(case, progress, max(found.earliest, case.today), groups):
            return _in_time(case, target, found)
    return _ended(progress)


def _skip(case: Case, progress: Progress, on: date, groups: frozenset[str]) -> bool:
    """Pass over what is not needed on a day; True if something was."""
    asking, before = Asking(case, progress, on, Context.FORECAST, groups), progress.index
    while (target := progress.target) is not None and (why := skipped(target, asking)) is not None:
        progress.skipped[target.number] = why
        progress.index += 1
    return progress.index > before


def _ended(progress: Progress) -> Forecast:
    if progress.satisfied:
        return Forecast(SeriesStatus.COMPLETE, because=(Because("all_target_doses_satisfied"),))
    return Forecast(SeriesStatus.NOT_RECOMMENDED, because=(Because("no_target_dose_needed"),))


def _shut(case: Case, progress: Progress, antigen: Antigen) -> Forecast | None:
    if progress.target is None:
        return _ended(progress)
    for status, why in ((SeriesStatus.IMMUNE, immune), (SeriesStatus.CONTRAINDICATED, contraindicated)):
        reason = why(case, antigen)
        if reason is not None:
            return Forecast(status, because=(Because(reason),))
    if _all_forbidden(case, progress.target, antigen):
        return Forecast(SeriesStatus.CONTRAINDICATED, because=(Because("every_vaccine_contraindicated"),))
    season = progress.target.season
    if season is not None and case.today > season.end:
        return Forecast(SeriesStatus.NOT_RECOMMENDED, because=(Because("season_over", season.end),))
    return None


def _all_forbidden(case: Case, target: TargetDose, antigen: Antigen) -> bool:
    wanted = {rule.vaccine for rule in target.preferable}
    return bool(wanted) and wanted <= forbidden_vaccines(case, antigen)


def _in_time(case: Case, target: TargetDose, found: Forecast) -> Forecast:
    """Aged out if the dose can no longer be given."""
    if found.latest is None or (
        case.today <= found.latest and (found.earliest or case.today) <= found.latest
    ):
        return found
    because = (*found.because, Because("maximum_age", found.latest))
    return Forecast(SeriesStatus.AGED_OUT, target.number, because=because)


def dates(case: Case, progress: Progress, target: TargetDose) -> Forecast:
    """Earliest, recommended, past due and latest day of one target dose (FORECASTDTCAN, FORECASTRECDT)."""
    rule, born = case.rules.date_rule, case.patient.born
    ages = next(iter(holding(target.ages, case.today)), _NO_AGES)
    steps = _earliest_steps(case, progress, target, ages)
    earliest = latest(step.day for step in steps)
    starts = _starts(case, progress, target)
    wished = _wished(case, ages.earliest_recommended, [(i.earliest_recommended, s) for i, s in starts])
    last = _wished(case, ages.latest_recommended, [(i.latest_recommended, s) for i, s in starts])
    maximum = reach(born, ages.maximum, rule)
    past_due = latest((last - _DAY, earliest)) if last is not None else None
    return Forecast(
        SeriesStatus.NOT_COMPLETE,
        target.number,
        earliest,
        latest((earliest, wished)),
        past_due,
        maximum - _DAY if maximum else None,
        tuple(step for step in steps if step.day == earliest),
    )


def _starts(case: Case, progress: Progress, target: TargetDose) -> list[tuple[Interval, Given | date]]:
    found = []
    for interval in holding(target.intervals, case.today):
        start = reference(interval, progress, case.patient)
        if start is not None:
            found.append((interval, start))
    return found


def _earliest_steps(case: Case, progress: Progress, target: TargetDose, ages: AgeRule) -> list[Because]:
    rule, born = case.rules.date_rule, case.patient.born
    steps = [Because("minimum_age", reach(born, ages.minimum, rule))]
    for interval, start in _starts(case, progress, target):
        day = reach(day_of(start), interval.minimum, rule)
        steps.append(Because("minimum_interval", day, start.id if isinstance(start, Given) else None))
    steps.append(Because("live_virus_conflict", undisturbed_from(case, target)))
    if target.season is not None:
        steps.append(Because("season_start", target.season.start))
    for seen in progress.evaluations:
        if seen.reason is Reason.INADVERTENT:
            steps.append(Because("inadvertent_dose", seen.dose.on, seen.dose.id))
    known = [step for step in steps if step.day is not None]
    return known or [Because("no_minimum", born)]


def _wished(case: Case, age: Span | None, spaced: list[tuple[Span | None, Given | date]]) -> date | None:
    """By age; by the latest interval where the dose has no such age."""
    rule = case.rules.date_rule
    if age is not None:
        return reach(case.patient.born, age, rule)
    return latest(reach(day_of(start), span, rule) for span, start in spaced)
