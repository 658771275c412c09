"""Builders of small rule sets for the tests of the immunization engine."""

from __future__ import annotations

from datetime import date
from typing import Any

from notifications.days import Span
from notifications.immunization import Given, GroupResult, Patient, RuleSet, assess
from notifications.immunization.answers import SeriesResult
from notifications.immunization.rules import (
    AgeRule,
    Antigen,
    Association,
    Condition,
    ConditionKind,
    ConditionSet,
    Context,
    Interval,
    Series,
    Skip,
    TargetDose,
    VaccineGroup,
)

BORN = date(2024, 1, 10)
TODAY = date(2026, 11, 20)


def span(text: str, less: int = 0) -> Span:
    """A duration, less some days of grace."""
    found = Span.parse(text)
    return Span(found.years, found.months, found.days - less)


def ages(minimum: str, maximum: str | None = None, **over: Any) -> AgeRule:
    return AgeRule(
        span(minimum, 4), span(minimum), span(minimum), maximum=span(maximum) if maximum else None, **over
    )


def gap(minimum: str, **over: Any) -> Interval:
    known = {"from_previous": True, "absolute_minimum": span(minimum, 4), "minimum": span(minimum)} | over
    return Interval(**known)


def first(**over: Any) -> TargetDose:
    known: dict[str, Any] = {"number": 1, "ages": (ages("P2M"),)}
    return TargetDose(**known | over)


def second(**over: Any) -> TargetDose:
    known: dict[str, Any] = {"number": 2, "ages": (ages("P4M"),), "intervals": (gap("P4W"),)}
    return TargetDose(**known | over)


def series(*doses: TargetDose, name: str = "main", **over: Any) -> Series:
    known: dict[str, Any] = {"id": name, "antigen": "A", "vaccine_group": "A", "default": True}
    return Series(**known | {"doses": doses or (first(), second())} | over)


def rules(*known: Series, vaccines: str = "a b", **over: Any) -> RuleSet:
    antigen = Antigen(
        "A", known or (series(),), **{k: over.pop(k) for k in ("immunity", "contraindications") if k in over}
    )
    carries = {vaccine: (Association("A"),) for vaccine in vaccines.split()}
    return RuleSet({"A": antigen}, {"A": VaccineGroup("A", ("A",))}, carries, **over)


def given(*doses: tuple[str, date], **over: Any) -> tuple[Given, ...]:
    return tuple(Given(f"r{number}", day, vaccine, **over) for number, (vaccine, day) in enumerate(doses))


def group_of(
    known: RuleSet, *doses: tuple[str, date], today: date = TODAY, born: date = BORN, **over: Any
) -> GroupResult:
    return assess(known, Patient(born, "Female", given(*doses), **over), today)["A"]


def only(known: RuleSet, *doses: tuple[str, date], **over: Any) -> SeriesResult:
    """The one best series of a small rule set."""
    [found] = group_of(known, *doses, **over).best
    return found


def verdicts(found: SeriesResult) -> list[tuple[str, str]]:
    return [(e.status.value, e.reason.value) for e in found.progress.evaluations]


def skip(context: Context, *conditions: Condition, every: bool = True) -> Skip:
    return Skip(context, (ConditionSet("not needed here", conditions, every),))


def older_than(text: str) -> Condition:
    return Condition(ConditionKind.AGE, begin_age=span(text))
