"""Choosing among the ways to immunity (CDSi chapter 8): which series a person is on.

Points follow the specification's three tables: complete series, series in process, series not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from notifications.immunization.answers import SeriesResult, SeriesStatus
from notifications.immunization.history import Case
from notifications.immunization.reach import END_OF_TIME, latest, reach, within
from notifications.immunization.rules import Series, SeriesType, TargetDose

Points = Callable[[SeriesResult], int]


def relevant(case: Case, series: Series) -> bool:
    """True for a series that may concern a person: sex, and for a risk series one of its indications."""
    if series.sexes and case.patient.sex not in series.sexes:
        return False
    if series.type is not SeriesType.RISK:
        return True
    born, rule = case.patient.born, case.rules.date_rule
    return any(
        i.observation in case.patient.observations and within(case.today, born, i.begin, i.end, rule)
        for i in series.indications
    )


def prioritised(case: Case, results: Sequence[SeriesResult]) -> SeriesResult | None:
    """The series of one series group that speaks for it, None if nobody may start any of them."""
    scorable = _scorable(case, results)
    begun = [r for r in scorable if r.progress.satisfied]
    if not begun:
        default = next((r for r in results if r.series.default), None)
        return _unbegun(case, scorable) if default is None or not _old_enough(case, default) else default
    complete = [r for r in begun if r.progress.complete]
    if complete:
        return _most_points(complete, _complete_points(complete))
    return _most_points(begun, _begun_points(case, begun))


def _unbegun(case: Case, scorable: Sequence[SeriesResult]) -> SeriesResult | None:
    return _most_points(scorable, _unbegun_points(case, scorable)) if scorable else None


def _scorable(case: Case, results: Sequence[SeriesResult]) -> list[SeriesResult]:
    startable = [r for r in results if _may_start(case, r)]
    best = min((r.series.priority for r in startable), default="A")
    return [r for r in startable if r.series.priority == best]


def _may_start(case: Case, result: SeriesResult) -> bool:
    """A series begun keeps its candidate even if it began early; one begun too late does not."""
    valid = result.progress.valid
    if not valid and not _old_enough(case, result):
        return False
    start = valid[0].on if valid else case.today
    return within(start, case.patient.born, None, result.series.max_age_to_start, case.rules.date_rule)


def _old_enough(case: Case, result: SeriesResult) -> bool:
    rule = case.rules.date_rule
    return within(case.today, case.patient.born, result.series.min_age_to_start, None, rule)


def _most_points(results: Sequence[SeriesResult], points: Points) -> SeriesResult:
    return min(results, key=lambda r: (-points(r), r.series.preference))


def _rank(value: float, values: Sequence[float], win: int, tie: int, lose: int) -> int:
    """Points for the one best value, for sharing it, for missing it. Lower is better."""
    best = min(values)
    if value > best:
        return lose
    return win if list(values).count(best) == 1 else tie


def _complete_points(results: Sequence[SeriesResult]) -> Points:
    counts = [-len(r.progress.satisfied) for r in results]
    ends = [_ended_on(r).toordinal() for r in results]

    def points(r: SeriesResult) -> int:
        by_count = _rank(-len(r.progress.satisfied), counts, 2, 0, -2)
        by_path = 1 if _product_all_valid(r) else -1
        return by_count + by_path + _rank(_ended_on(r).toordinal(), ends, 1, 0, -1)

    return points


def _ended_on(result: SeriesResult) -> date:
    return result.progress.valid[-1].on


def _product_all_valid(result: SeriesResult) -> bool:
    return result.series.product_path and all(e.valid for e in result.progress.evaluations)


def _begun_points(case: Case, results: Sequence[SeriesResult]) -> Points:
    finishes = {r.series.id: finish(case, r) for r in results}
    counts = [-len(r.progress.satisfied) for r in results]
    lefts = [_left(r) for r in results]
    ends = [_ordinal(finishes[r.series.id]) for r in results]

    def points(r: SeriesResult) -> int:
        end = finishes[r.series.id]
        return (
            (2 if _product_all_valid(r) else -2)
            + (3 if end is not None else -3)
            + _rank(-len(r.progress.satisfied), counts, 2, 0, -2)
            + _rank(_left(r), lefts, 2, 0, -2)
            + _rank(_ordinal(end), ends, 1, 0, -1)
        )

    return points


def _unbegun_points(case: Case, results: Sequence[SeriesResult]) -> Points:
    starts = [_ordinal(r.forecast.earliest) for r in results]

    def points(r: SeriesResult) -> int:
        return (
            _rank(_ordinal(r.forecast.earliest), starts, 1, 0, -1)
            + (1 if finish(case, r) is not None else -1)
            + (-1 if r.series.product_path else 1)
        )

    return points


def _ordinal(day: date | None) -> int:
    return (day or END_OF_TIME).toordinal()


def _left(result: SeriesResult) -> int:
    progress = result.progress
    return sum(1 for dose in result.series.doses if not _settled(dose, result)) if progress.target else 0


def _settled(dose: TargetDose, result: SeriesResult) -> bool:
    return dose.number in result.progress.satisfied or dose.number in result.progress.skipped


def finish(case: Case, result: SeriesResult) -> date | None:
    """The day a series could end if every dose came as early as it may; None if it cannot be finished."""
    if result.forecast.status is not SeriesStatus.NOT_COMPLETE or result.forecast.earliest is None:
        return None
    day, rule = max(result.forecast.earliest, case.today), case.rules.date_rule
    for index, dose in enumerate(result.series.doses[result.progress.index :]):
        if dose.recurring:
            break
        ages = dose.ages[-1] if dose.ages else None
        if index:
            gaps = [reach(day, i.minimum, rule) for i in dose.intervals if i.from_previous]
            opens = reach(case.patient.born, ages.minimum, rule) if ages else None
            day = latest([day, opens, *gaps]) or day
        if ages and ages.maximum and day >= (reach(case.patient.born, ages.maximum, rule) or day):
            return None
    return day


def best(case: Case, results: Sequence[SeriesResult]) -> tuple[SeriesResult, ...]:
    """The series that speak for an antigen: one of each series group, complete equivalents first.

    A series for evaluation only speaks when it is complete: nobody is advised to begin or go on with it.
    """
    groups: dict[str, list[SeriesResult]] = {}
    for result in results:
        groups.setdefault(result.series.group, []).append(result)
    chosen = [r for r in (prioritised(case, group) for group in groups.values()) if r is not None]
    speaking = [r for r in chosen if r.progress.complete or r.series.type is not SeriesType.EVALUATION_ONLY]
    return tuple(r for r in speaking if not _outdone(r, speaking)) or tuple(speaking)


def _outdone(result: SeriesResult, chosen: Sequence[SeriesResult]) -> bool:
    """An equivalent group has finished, or the person is on it because of a risk, and this one has not."""
    if result.progress.complete:
        return False
    return any(
        other.series.group in result.series.equivalent_groups
        and (other.progress.complete or other.series.type is SeriesType.RISK)
        for other in chosen
        if other is not result
    )
