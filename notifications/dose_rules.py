"""A Vietnamese programme as rules of the immunization engine, made once per programme.

The texts know no grace period, so minimum and absolute minimum are one. An interval counts from the last dose
that counted; a dose that came too early only keeps its repeat away (`repeat_after`). Which day a missing day
becomes is the programme's `date_rule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

from notifications.days import DateRule, Span
from notifications.errors import BadProgramme
from notifications.immunization import rules as cdsi
from notifications.schedule import Dose, Programme, Series

_BIRTH, _A_DAY = Span(), Span(days=1)
_FOUR_YEARS = [date(2023, 1, 1) + timedelta(days=each) for each in range(1461)]
_ROOM = 64


@dataclass(frozen=True, slots=True, eq=False)
class SeriesRules:
    """One series of a programme and what the engine makes of it: `said.doses[i]` is `rule.doses[i]`.

    `head` is the first series of its chain; `opens` and `ask` are the ages from which it is open, and from
    which the station is asked; `overdue` the time from each dose's recommended day to its overdue day.
    """

    said: Series
    rule: cdsi.Series
    opens: cdsi.AgeRule
    ask: cdsi.AgeRule
    overdue: tuple[cdsi.Interval, ...]
    head: str


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A series and those that follow it, in order. `gated`: sex, province or a condition may shut it.

    `personal`: what it asks for also depends on dated facts of the person. `live`: it keeps away from other
    live vaccines. `only_begun`: nothing is asked of who had no dose of it.
    """

    head: str
    series: tuple[SeriesRules, ...]
    gated: bool
    personal: bool
    live: bool
    only_begun: bool


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammeRules:
    """A programme's series in chains, and which series take a vaccine."""

    said: Programme
    rules: cdsi.RuleSet
    chains: tuple[Chain, ...]
    takers: Mapping[str, tuple[SeriesRules, ...]]


@lru_cache(maxsize=_ROOM)
def rules_of(programme: Programme) -> ProgrammeRules:
    """The rules of a programme. BadProgramme where two ages of one dose cannot be told apart."""
    heads: dict[str, str] = {}
    for said in programme.series:
        heads[said.id] = heads.get(said.follows or "", said.id)
    series = tuple(_series(programme, one, heads[one.id]) for one in programme.series)
    takers: dict[str, tuple[SeriesRules, ...]] = {}
    for one in series:
        for vaccine in one.said.accepts:
            takers[vaccine] = (*takers.get(vaccine, ()), one)
    rules = cdsi.RuleSet({}, {}, {}, tuple(_conflicts(programme)), date_rule=programme.date_rule)
    return ProgrammeRules(programme, rules, tuple(_chains(series, _live(programme))), takers)


def _live(programme: Programme) -> frozenset[str]:
    return programme.live_gap.vaccines if programme.live_gap else frozenset()


def _conflicts(programme: Programme) -> list[cdsi.Conflict]:
    gap = programme.live_gap
    if gap is None:
        return []
    names = sorted(gap.vaccines)
    span = gap.interval
    return [cdsi.Conflict(a, b, _A_DAY, span, span, advised_only=True) for a in names for b in names]


def _chains(series: tuple[SeriesRules, ...], live: frozenset[str]) -> list[Chain]:
    links: dict[str, list[SeriesRules]] = {}
    for one in series:
        links.setdefault(one.head, []).append(one)
    return [
        Chain(
            head=head,
            series=tuple(link),
            gated=any(map(_gated, link)),
            personal=any(map(_personal, link)),
            live=any(one.said.accepts & live for one in link),
            only_begun=all(one.said.only_begun for one in link),
        )
        for head, link in links.items()
    ]


def _gated(one: SeriesRules) -> bool:
    gate = one.said.eligible
    return gate.sex != "any" or gate.provinces is not None or gate.conditions is not None


def _personal(one: SeriesRules) -> bool:
    return one.said.since is not None or one.said.branch is not None


def _series(programme: Programme, said: Series, head: str) -> SeriesRules:
    doses = tuple(_dose(programme, said, dose, at) for at, dose in enumerate(said.doses))
    rule = cdsi.Series(
        id=said.id, antigen=said.id, vaccine_group=programme.id, doses=doses, default=True, once_a_day=True
    )
    graces = (dose.overdue_after or programme.overdue_after for dose in said.doses)
    return SeriesRules(
        said,
        rule,
        opens=_ages(minimum=said.eligible.age_from),
        ask=_ages(minimum=said.remind_until),
        overdue=tuple(_gap(minimum=grace) for grace in graces),
        head=head,
    )


def _dose(programme: Programme, series: Series, dose: Dose, at: int) -> cdsi.TargetDose:
    where = f"{programme.id}/{series.id}/{dose.dose}"
    opens = _later(where, series.eligible.age_from, dose.min_age, programme.date_rule)
    ages = _ages(
        absolute_minimum=opens or _BIRTH,
        minimum=opens,
        earliest_recommended=dose.recommended_age,
        maximum=_sooner(where, series.eligible.age_to, dose.max_age, programme.date_rule),
    )
    return cdsi.TargetDose(
        number=at,
        ages=(ages,),
        intervals=tuple(_intervals(programme, series, dose, at)),
        preferable=tuple(
            cdsi.VaccineRule(v) for v in sorted(series.accepts) if series.accepts & _live(programme)
        ),
    )


def _intervals(programme: Programme, series: Series, dose: Dose, at: int) -> list[cdsi.Interval]:
    found = []
    if at or series.follows or dose.min_interval:
        gap = dose.min_interval
        found.append(
            _gap(
                from_counted=True,
                absolute_minimum=gap or _A_DAY,
                minimum=gap,
                earliest_recommended=dose.recommended_interval,
            )
        )
    if programme.repeat_after:
        found.append(_gap(from_early=True, minimum=programme.repeat_after, advised_only=True))
    if series.since:
        found.append(_gap(from_observation=series.since, minimum=_BIRTH, advised_only=True))
    return found


@cache
def _ages(**spans: Any) -> cdsi.AgeRule:
    """One rule for all doses of the same ages, so that the days of a birthday are kept once."""
    return cdsi.AgeRule(**spans)


@cache
def _gap(**parts: Any) -> cdsi.Interval:
    """One rule for all equal intervals, as above."""
    return cdsi.Interval(**parts)


def _later(where: str, one: Span | None, other: Span | None, rule: DateRule) -> Span | None:
    if one is None or other is None or one == other:
        return one or other
    return other if _never_before(where, one, other, rule) else one


def _sooner(where: str, one: Span | None, other: Span | None, rule: DateRule) -> Span | None:
    if one is None or other is None or one == other:
        return one or other
    return one if _never_before(where, one, other, rule) else other


def _never_before(where: str, one: Span, other: Span, rule: DateRule) -> bool:
    """True if `other` is reached after `one` by whoever is born, False if before."""
    months = (other.years - one.years) * 12 + other.months - one.months
    days = other.days - one.days
    if months * days >= 0:  # months and days agree, or one of them says nothing: no birthday can change that
        return months >= 0 and days >= 0
    after = {one.after(day, rule) <= other.after(day, rule) for day in _FOUR_YEARS}
    if len(after) != 1:
        raise BadProgramme(where, "which of two ages is later depends on the birthday")
    return after.pop()
