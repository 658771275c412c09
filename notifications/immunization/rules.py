"""Immunization rules as values, in the vocabulary of CDC's CDSi Logic Specification 4.x.

A loader makes them from files and checks them; the engine only reads them. Rule values are compared and
hashed by identity, so that dates worked out for a rule can be cached cheaply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from notifications.days import DateRule, Span


class Context(StrEnum):
    """When a skip is looked at: a given dose is judged, or the next one is forecast."""

    EVALUATION = "evaluation"
    FORECAST = "forecast"
    BOTH = "both"


class SeriesType(StrEnum):
    """Who a series is for: everyone, those with an indication, or nobody any more (judged, not advised)."""

    STANDARD = "standard"
    RISK = "risk"
    EVALUATION_ONLY = "evaluation_only"


@dataclass(frozen=True, slots=True, eq=False)
class Validity:
    """Days on which a rule holds, both inclusive; None is open."""

    effective: date | None = None
    ceased: date | None = None

    def holds(self, on: date) -> bool:
        """True within [effective, ceased]."""
        return (self.effective is None or self.effective <= on) and (self.ceased is None or on <= self.ceased)


ALWAYS = Validity()


@dataclass(frozen=True, slots=True, eq=False)
class AgeRule:
    """Ages of one target dose. `maximum` is exclusive: on that birthday the dose no longer counts."""

    absolute_minimum: Span | None = None
    minimum: Span | None = None
    earliest_recommended: Span | None = None
    latest_recommended: Span | None = None
    maximum: Span | None = None
    validity: Validity = ALWAYS


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """A distance from one reference: the dose before, a target dose, the last of some vaccines, a fact.

    Two references and one mark are this house's, not CDSi's: `from_counted` is the last dose that counted,
    in this series or the one it follows; `from_early` is the last dose that came too early, so that its
    repeat keeps away from it; `advised_only` moves forecasts and refuses no dose.
    """

    from_previous: bool = False
    from_counted: bool = False
    from_early: bool = False
    advised_only: bool = False
    from_target: int | None = None
    from_most_recent: frozenset[str] = frozenset()
    from_observation: str | None = None
    absolute_minimum: Span | None = None
    minimum: Span | None = None
    earliest_recommended: Span | None = None
    latest_recommended: Span | None = None
    validity: Validity = ALWAYS


@dataclass(frozen=True, slots=True, eq=False)
class VaccineRule:
    """A vaccine that may fill a target dose at ages [begin, end); `maker` None is any, `volume` in ml."""

    vaccine: str
    begin: Span | None = None
    end: Span | None = None
    maker: str | None = None
    volume: float | None = None


class ConditionKind(StrEnum):
    """What a skip condition looks at."""

    AGE = "age"
    COUNT_BY_AGE = "vaccine_count_by_age"
    COUNT_BY_DATE = "vaccine_count_by_date"
    INTERVAL = "interval"
    COMPLETED_SERIES = "completed_series"


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition of a skip. Ages and days are [begin, end); no `vaccines` means every vaccine."""

    kind: ConditionKind
    begin_age: Span | None = None
    end_age: Span | None = None
    start: date | None = None
    end: date | None = None
    interval: Span | None = None
    count: int = 0
    count_logic: str = "greater_than"
    only_valid: bool = False
    vaccines: frozenset[str] = frozenset()
    series_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class ConditionSet:
    """Conditions that hold together (`every`) or one of which is enough. `why` goes into explanations."""

    why: str
    conditions: tuple[Condition, ...]
    every: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Skip:
    """When a target dose is not needed: one of its sets holds, or all of them (`every`)."""

    context: Context
    sets: tuple[ConditionSet, ...]
    every: bool = False

    def looked_at(self, context: Context) -> bool:
        """True if this skip counts in a context."""
        return self.context is Context.BOTH or self.context is context


@dataclass(frozen=True, slots=True, eq=False)
class Season:
    """Days [start, end] in which a seasonal dose is given; outside it is not recommended."""

    start: date
    end: date


@dataclass(frozen=True, slots=True, eq=False)
class TargetDose:
    """One dose of a series. Empty `preferable` and `allowable` mean that every vaccine fits.

    Worked out once: `timeless`, no age or interval has days on which it holds; `judged`, the intervals that
    may refuse a dose.
    """

    number: int
    ages: tuple[AgeRule, ...] = ()
    intervals: tuple[Interval, ...] = ()
    allowable_intervals: tuple[Interval, ...] = ()
    preferable: tuple[VaccineRule, ...] = ()
    allowable: tuple[VaccineRule, ...] = ()
    inadvertent: frozenset[str] = frozenset()
    skips: tuple[Skip, ...] = ()
    season: Season | None = None
    recurring: bool = False
    timeless: bool = field(init=False)
    judged: tuple[Interval, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out what every judgement asks."""
        dated: tuple[AgeRule | Interval, ...] = (*self.ages, *self.intervals, *self.allowable_intervals)
        object.__setattr__(self, "timeless", all(each.validity is ALWAYS for each in dated))
        object.__setattr__(self, "judged", tuple(each for each in self.intervals if not each.advised_only))


@dataclass(frozen=True, slots=True, eq=False)
class Indication:
    """A fact about a person that makes a risk series theirs, at ages [begin, end)."""

    observation: str
    begin: Span | None = None
    end: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One way to immunity against one antigen: target doses in order, and how it competes with others.

    `preference` is 1 for the most preferred of a series group; `priority` "A" outranks "B". A series whose
    first valid dose (today, if there is none) lies outside [min_age_to_start, max_age_to_start) is no
    candidate. `once_a_day`: two records of one day are one dose told twice (not CDSi's).
    """

    id: str
    antigen: str
    vaccine_group: str
    doses: tuple[TargetDose, ...]
    type: SeriesType = SeriesType.STANDARD
    default: bool = False
    product_path: bool = False
    group: str = "1"
    group_name: str = "standard"
    priority: str = "A"
    preference: int = 1
    min_age_to_start: Span | None = None
    max_age_to_start: Span | None = None
    sexes: frozenset[str] = frozenset()
    indications: tuple[Indication, ...] = ()
    equivalent_groups: frozenset[str] = frozenset()
    once_a_day: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Immunity:
    """Evidence that no vaccine is needed: an observation, or birth before a day in a country."""

    observations: frozenset[str] = frozenset()
    born_before: date | None = None
    country: str | None = None
    exclusions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Contraindication:
    """A fact that forbids a whole vaccine group, or only `vaccines`, at ages [begin, end)."""

    observation: str
    why: str
    vaccines: frozenset[str] = frozenset()
    begin: Span | None = None
    end: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Antigen:
    """Everything known about protection against one target disease."""

    id: str
    series: tuple[Series, ...]
    immunity: Immunity = Immunity()
    contraindications: tuple[Contraindication, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class VaccineGroup:
    """Antigens that are advised together. `full` = only products with all of them are given (MMR)."""

    id: str
    antigens: tuple[str, ...]
    full: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Association:
    """An antigen that a vaccine carries, counted only for doses given at ages [begin, end)."""

    antigen: str
    begin: Span | None = None
    end: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """After `previous`, `current` does not count within [begin, end): two live viruses disturb each other.

    `end_after_valid` is the shorter end after a valid previous dose. `advised_only` as of an interval.
    """

    previous: str
    current: str
    begin: Span
    end_after_valid: Span
    end: Span
    advised_only: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """One country's rules. `date_rule` says what becomes of a day that does not exist."""

    antigens: Mapping[str, Antigen]
    groups: Mapping[str, VaccineGroup]
    carries: Mapping[str, tuple[Association, ...]]
    conflicts: tuple[Conflict, ...] = ()
    date_rule: DateRule = DateRule.FIRST_OF_NEXT_MONTH
    conflicts_of: Mapping[str, tuple[Conflict, ...]] = field(default_factory=dict)
    judged_conflicts: bool = False

    def __post_init__(self) -> None:
        """Sort the conflicts by the vaccine that suffers them."""
        by_current: dict[str, tuple[Conflict, ...]] = {}
        for conflict in self.conflicts:
            by_current[conflict.current] = (*by_current.get(conflict.current, ()), conflict)
        object.__setattr__(self, "conflicts_of", by_current)
        object.__setattr__(self, "judged_conflicts", any(not c.advised_only for c in self.conflicts))
