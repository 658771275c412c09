"""Judge the doses on record against a series: which count, which came too early or too late, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from notifications.days import DateRule, Span
from notifications.model import Evidence, GivenDose, Verdict
from notifications.schedule import Dose, Series


@dataclass(frozen=True, slots=True)
class Judged:
    """How one series stands. `counted[i]` fills `series.doses[i]`; doses in `refused` did not count."""

    counted: tuple[GivenDose, ...] = ()
    refused: tuple[Evidence, ...] = ()

    @property
    def used(self) -> frozenset[str]:
        """Record ids this series has taken for itself."""
        return frozenset(dose.record_id for dose in self.counted)

    @property
    def last_on(self) -> date | None:
        """Day of the last counted dose."""
        return self.counted[-1].given_on if self.counted else None

    @property
    def last_early(self) -> date | None:
        """Day of the last dose that came too early, which pushes the repeat."""
        return max((e.on for e in self.refused if e.verdict is Verdict.TOO_EARLY), default=None)


def latest(*days: date | None) -> date | None:
    """The latest of the days that are known, None if none is."""
    return max((day for day in days if day is not None), default=None)


def soonest(*days: date | None) -> date | None:
    """The earliest of the days that are known, None if none is."""
    return min((day for day in days if day is not None), default=None)


def age(born: date, span: Span | None, rule: DateRule) -> date | None:
    """The day an age is reached, None for no age."""
    return None if span is None else span.after(born, rule)


def in_order(history: Iterable[object]) -> tuple[GivenDose, ...]:
    """The doses of a history, in an order that does not depend on how they came."""
    doses = (care for care in history if isinstance(care, GivenDose))
    return tuple(sorted(doses, key=lambda dose: (dose.given_on, dose.vaccine, dose.record_id)))


def earliest_for(series: Series, dose: Dose, born: date, last_on: date | None, rule: DateRule) -> date | None:
    """First day a dose may count: its age, the series' lower age, its interval from the dose before."""
    gap = dose.min_interval.after(last_on, rule) if last_on and dose.min_interval else None
    return latest(age(born, series.eligible.age_from, rule), age(born, dose.min_age, rule), gap)


def expires_for(series: Series, dose: Dose, born: date, rule: DateRule) -> date | None:
    """First day a dose no longer counts (exclusive upper bound)."""
    return soonest(age(born, series.eligible.age_to, rule), age(born, dose.max_age, rule))


def judge(series: Series, born: date, given: Sequence[GivenDose], before: Judged, rule: DateRule) -> Judged:
    """Walk the doses of one series in order of day. A late dose counts and never restarts the series."""
    counted: list[GivenDose] = []
    refused: list[Evidence] = []
    for dose in given:
        if (
            dose.vaccine not in series.accepts
            or dose.record_id in before.used
            or len(counted) == len(series.doses)
        ):
            continue
        last_on = counted[-1].given_on if counted else before.last_on
        verdict, since = _verdict(series, series.doses[len(counted)], born, dose, last_on, rule)
        if verdict is Verdict.COUNTED:
            counted.append(dose)
        else:
            refused.append(Evidence(dose.record_id, dose.given_on, dose.vaccine, verdict, since))
    return Judged(tuple(counted), tuple(refused))


def _verdict(
    series: Series, wanted: Dose, born: date, dose: GivenDose, last_on: date | None, rule: DateRule
) -> tuple[Verdict, date | None]:
    earliest = latest(born, earliest_for(series, wanted, born, last_on, rule))
    expires = expires_for(series, wanted, born, rule)
    if dose.given_on == last_on:
        return Verdict.DUPLICATE, None
    if earliest is not None and dose.given_on < earliest:
        return Verdict.TOO_EARLY, earliest
    if expires is not None and dose.given_on >= expires:
        return Verdict.TOO_LATE, None
    return Verdict.COUNTED, None
