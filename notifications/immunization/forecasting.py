"""What comes next in a series (CDSi chapter 7): its status, and the days of the next dose with reasons."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from notifications.immunization.answers import Because, Forecast, Progress, Reason, SeriesStatus
from notifications.immunization.conflicts import undisturbed_from
from notifications.immunization.facts import contraindicated, forbidden_vaccines, immune
from notifications.immunization.history import Case, day_of, reference
from notifications.immunization.patient import Given
from notifications.immunization.reach import age_days, gap_days, holding
from notifications.immunization.rules import AgeRule, Antigen, Context, TargetDose
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


class Window(NamedTuple):
    """The days of one target dose; None where no rule gives one. `maximum` is exclusive."""

    earliest: date | None
    recommended: date | None
    past_due: date | None
    maximum: date | None


def window(case: Case, progress: Progress, target: TargetDose) -> Window:
    """Earliest, recommended and past due day of one target dose (FORECASTDTCAN, FORECASTRECDT)."""
    held = target.ages if target.timeless else holding(target.ages, case.today)
    ages = held[0] if held else _NO_AGES
    by_age = age_days(ages, case.patient.born, case.rules.date_rule)
    earliest, wished, last = by_age.minimum, by_age.earliest_recommended, by_age.latest_recommended
    for interval in target.intervals if target.timeless else holding(target.intervals, case.today):
        start = reference(interval, progress, case.patient)
        if start is None:
            continue
        gap = gap_days(interval, day_of(start), case.rules.date_rule)
        earliest = _later(earliest, gap.minimum)
        if ages.earliest_recommended is None:
            wished = _later(wished, gap.earliest_recommended)
        if ages.latest_recommended is None:
            last = _later(last, gap.latest_recommended)
    if progress.evaluations or target.season is not None or (target.preferable and case.given):
        for step in _other_steps(case, progress, target):
            earliest = _later(earliest, step.day)
    past_due = None if last is None else _later(last - _DAY, earliest)
    return Window(earliest, _later(earliest, wished), past_due, by_age.maximum)


def dates(case: Case, progress: Progress, target: TargetDose) -> Forecast:
    """The days of one target dose as a forecast: born if nothing holds it back; with the rules that do."""
    found, born = window(case, progress, target), case.patient.born
    earliest = found.earliest or born
    return Forecast(
        SeriesStatus.NOT_COMPLETE,
        target.number,
        earliest,
        _later(earliest, found.recommended),
        _later(earliest, found.past_due) if found.past_due else None,
        None if found.maximum is None else found.maximum - _DAY,
        _why(case, progress, target, earliest),
    )


def _later(one: date | None, other: date | None) -> date | None:
    if one is None or other is None:
        return one or other
    return one if one >= other else other


def _why(case: Case, progress: Progress, target: TargetDose, earliest: date) -> tuple[Because, ...]:
    """The rules that hold a dose back until its earliest day."""
    rule = case.rules.date_rule
    steps = [
        Because("minimum_age", age_days(ages, case.patient.born, rule).minimum)
        for ages in holding(target.ages, case.today)[:1]
    ]
    for interval in holding(target.intervals, case.today):
        start = reference(interval, progress, case.patient)
        if start is not None:
            day = gap_days(interval, day_of(start), rule).minimum
            steps.append(Because("minimum_interval", day, start.id if isinstance(start, Given) else None))
    steps += _other_steps(case, progress, target)
    return tuple(step for step in steps if step.day == earliest) or (Because("no_minimum", earliest),)


def _other_steps(case: Case, progress: Progress, target: TargetDose) -> list[Because]:
    """What else holds a dose back: a live vaccine, a season, an inadvertent dose."""
    steps = []
    if target.preferable and case.rules.conflicts_of:
        steps.append(Because("live_virus_conflict", undisturbed_from(case, target)))
    if target.season is not None:
        steps.append(Because("season_start", target.season.start))
    for seen in progress.evaluations:
        if seen.reason is Reason.INADVERTENT:
            steps.append(Because("inadvertent_dose", seen.dose.on, seen.dose.id))
    return steps
