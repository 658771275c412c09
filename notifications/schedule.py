"""Programmes as values: what the cited JSON files say after the strict loader has read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from notifications.days import DateRule, Span
from notifications.languages import spoken_of
from notifications.model import CitizenFacts
from notifications.rounds import Confidence, Rounds

Kind = Literal["dose_series", "periodic"]
ProgrammeStatus = Literal["in_force", "awaiting_guidance"]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Who a programme or series is for. Ages are [from, to); `provinces` None means everywhere.

    `conditions`: one of them must hold; None asks for none.
    """

    sex: str = "any"
    age_from: Span | None = None
    age_to: Span | None = None
    provinces: frozenset[str] | None = None
    conditions: frozenset[str] | None = None

    def refusal(self, facts: CitizenFacts) -> str | None:
        """Rule id of the gate that shuts this person out for good, or None. Ages are judged by date, and so
        are the days of a condition."""
        if self.sex not in ("any", facts.sex):
            return "sex"
        if self.provinces is not None and facts.province not in self.provinces:
            return "province"
        if self.conditions is not None and all(each.kind not in self.conditions for each in facts.conditions):
            return "condition"
        return None


@dataclass(frozen=True, slots=True)
class Offset:
    """When to remind, in days from the recommended day. `kind` is part of a reminder's identity."""

    kind: str
    days: int

    @property
    def phase(self) -> Literal["before", "on", "after"]:
        """Which text fits: before, on or after the recommended day."""
        return "on" if self.days == 0 else ("before" if self.days < 0 else "after")


@dataclass(frozen=True, slots=True)
class Branch:
    """Who a series is for by what they had before: [at_least, below) doses of `vaccines`.

    Only doses before the first time that `before` (a condition) held are counted; `below` None is open.
    """

    vaccines: frozenset[str]
    at_least: int
    below: int | None
    before: str


@dataclass(frozen=True, slots=True)
class LiveGap:
    """Live vaccines that disturb each other unless given on one day or `interval` apart; cited.

    It moves what is asked for. A dose given too close is not called invalid: no text read says so.
    """

    vaccines: frozenset[str]
    interval: Span
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of a series. Intervals count from the dose before it (also across `Series.follows`)."""

    dose: int
    confidence: Confidence
    source: tuple[str, ...]
    min_age: Span | None = None
    recommended_age: Span | None = None
    max_age: Span | None = None
    min_interval: Span | None = None
    recommended_interval: Span | None = None
    overdue_after: Span | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Doses in order. `accepts` lists the vaccine classes that count; each of them covers `antigens`.

    `follows` names the series before this one: doses counted there are not counted here, and this one
    waits for it. `remind_until` is the age (exclusive) from which an unmet dose without legal upper age
    becomes ask_station. `only_begun`: shown only to who had a dose of it, because beginning it is a choice.
    `branch`: one of several ways to go on, by what was given before. `since`: a condition without which no
    dose is asked for; with a branch, doses count from the first time it held.
    """

    id: str
    title: Mapping[str, str]
    antigens: frozenset[str]
    accepts: frozenset[str]
    eligible: Eligibility
    doses: tuple[Dose, ...]
    follows: str | None = None
    remind_until: Span | None = None
    only_begun: bool = False
    branch: Branch | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """One cited file. `valid_to` is exclusive. Dose series use `series`, periodic ones `rounds`.

    Compared and hashed by identity, so that what was worked out for one can be kept cheaply.
    """

    id: str
    kind: Kind
    topic: str
    title: Mapping[str, str]
    source: tuple[str, ...]
    status: ProgrammeStatus
    valid_from: date
    valid_to: date | None
    date_rule: DateRule
    overdue_after: Span
    eligible: Eligibility
    offsets: tuple[Offset, ...]
    series: tuple[Series, ...] = ()
    repeat_after: Span | None = None
    live_gap: LiveGap | None = None
    rounds: Rounds | None = None

    def in_force(self, today: date) -> bool:
        """True on days within [valid_from, valid_to)."""
        return self.valid_from <= today and (self.valid_to is None or today < self.valid_to)

    def title_of(self, series_id: str, locale: str) -> str:
        """Name of a series, or of the programme, in the reader's language; Vietnamese if it has none."""
        titles = next((s.title for s in self.series if s.id == series_id), self.title)
        return spoken_of(titles, locale)


@dataclass(frozen=True, slots=True)
class Vaccine:
    """A class of products that cover the same antigens, with the public codes known for it."""

    id: str
    title: Mapping[str, str]
    antigens: frozenset[str]
    cvx: tuple[str, ...] = ()
    atc: tuple[str, ...] = ()
