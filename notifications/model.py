"""Values of the reminder domain: facts about a citizen, care already given, what is due and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Literal

Sex = Literal["female", "male", "other", "unknown"]
Locale = Literal["vi", "en"]
ACCESS_TOPIC = "access"
"""The topic of messages that say who opened one's records."""


@dataclass(frozen=True, slots=True)
class CitizenFacts:
    """What planning needs to know of a person, and no more. `province`: 2-digit code of residence.

    `conditions`: what holds of the person for a time; `plan` adds to them those that the history tells of.
    """

    citizen_id: str
    born: date
    sex: Sex
    province: str | None = None
    deceased: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class GivenDose:
    """One vaccination on record. `vaccine` is an id of vaccines.json; `record_id` leads back to the proof.

    `hidden`: only the person themselves may know of it; who acts for them is reminded as if it were not.
    """

    vaccine: str
    cvx: str | None
    given_on: date
    record_id: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Exam:
    """One check-up or visit on record. `kind` is what a periodic programme accepts or not; `hidden` as above.

    `by` names the organisation that did it, empty where that is not known.
    """

    kind: str
    done_on: date
    record_id: str
    hidden: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """What one record tells of a condition: that it was there on `noted_on`, or since when, or that it ended.

    Without `present` it tells of the end alone: `ends` is the first day on which it does not hold.
    """

    kind: str
    noted_on: date
    record_id: str
    hidden: bool = False
    starts: date | None = None
    ends: date | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class SetDate:
    """A day that a provider set: `kind` is appointment, or refill (the day a prescription runs out).

    `subject` tells what it is set for among all that one provider sets; a later one for the same subject
    takes its place.
    """

    kind: str
    day: date
    noted_on: date
    record_id: str
    hidden: bool = False
    by: str = ""
    subject: str = ""


Care = GivenDose | Exam | Sign | SetDate


def day_of(care: Care) -> date:
    """The day from which something on record is known."""
    if isinstance(care, Exam):
        return care.done_on
    return care.given_on if isinstance(care, GivenDose) else care.noted_on


class Status(StrEnum):
    """Where a dose (or a year's check-up) stands today.

    given: a valid dose or accepted exam is on record; for a day that was set, the visit took place.
    upcoming: wanted, its recommended day lies ahead, or an earlier dose must come first (`waits_for`).
    due: the recommended day is reached. overdue: the overdue day is reached.
    aged_out: the upper age (exclusive) is reached or would be before it could be given.
    ask_station: our source does not confirm the rule, or gives no upper age and the catch-up age has passed;
        shown as "ask your station", never pushed.
    not_eligible: sex or province is outside the programme.
    """

    GIVEN = "given"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    AGED_OUT = "aged_out"
    ASK_STATION = "ask_station"
    NOT_ELIGIBLE = "not_eligible"


WANTED = frozenset({Status.UPCOMING, Status.DUE, Status.OVERDUE})


class Verdict(StrEnum):
    """What the planner made of one piece of evidence.

    noted: it tells of a condition and is no care itself.
    """

    COUNTED = "counted"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    DUPLICATE = "duplicate"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One record the planner looked at. `valid_from`, for too-early doses: the first day it would count."""

    record_id: str
    on: date
    what: str
    verdict: Verdict
    valid_from: date | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds of a person on the days [starts, ends): pregnant, employee, pupil.

    `nth` numbers the times it held, the first one 1. `dated`: its start is known, and not only that it was
    there by then.
    """

    kind: str
    starts: date
    ends: date | None = None
    nth: int = 1
    dated: bool = True
    evidence: tuple[Evidence, ...] = ()

    def holds_on(self, day: date) -> bool:
        """Whether the day lies within."""
        return self.starts <= day and (self.ends is None or day < self.ends)


@dataclass(frozen=True, slots=True)
class Because:
    """Why an item has its status and dates: rule id, the records behind it, the published sources."""

    rule: str
    evidence: tuple[Evidence, ...] = ()
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DueItem:
    """One dose of a series, or one round of a periodic programme.

    Of a round `dose` is the calendar year, the number of a band, or where it follows from a record a number
    that stays when its day moves.

    `earliest` <= `recommended` < `overdue`; `expires` and `ask_from` are exclusive ends. A date may be
    None when no rule gives one. `waits_for` names the `series/dose` that must come first.
    """

    programme_id: str
    series_id: str
    dose: int
    topic: str
    status: Status
    because: Because
    earliest: date | None = None
    recommended: date | None = None
    overdue: date | None = None
    expires: date | None = None
    ask_from: date | None = None
    waits_for: str | None = None

    @property
    def identity(self) -> tuple[str, str, int]:
        """Programme, series and dose: the same whatever the dates."""
        return self.programme_id, self.series_id, self.dose

    @property
    def remindable(self) -> bool:
        """True when a reminder may be made: wanted, dated, and no earlier dose is missing."""
        return self.status in WANTED and self.recommended is not None and self.waits_for is None

    def seen_on(self, today: date) -> DueItem:
        """The same item with the status it has on `today`; settled items stay as they are."""
        if self.status not in WANTED:
            return self
        if self.expires is not None and max(today, self.earliest or today) >= self.expires:
            return replace(self, status=Status.AGED_OUT, because=replace(self.because, rule="past_upper_age"))
        if self.ask_from is not None and today >= self.ask_from:
            return replace(
                self, status=Status.ASK_STATION, because=replace(self.because, rule="past_catch_up_age")
            )
        return replace(self, status=self._by_dates(today))

    def _by_dates(self, today: date) -> Status:
        if self.waits_for is not None or self.recommended is None or today < self.recommended:
            return Status.UPCOMING
        return Status.OVERDUE if self.overdue is not None and today >= self.overdue else Status.DUE

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready form for a store that seals it."""
        days = {name: _text(getattr(self, name)) for name in _DAYS}
        evidence = [
            [e.record_id, e.on.isoformat(), e.what, e.verdict.value, _text(e.valid_from)]
            for e in self.because.evidence
        ]
        because = {"rule": self.because.rule, "evidence": evidence, "source": list(self.because.source)}
        names = {name: getattr(self, name) for name in _NAMES}
        return names | days | {"status": self.status.value, "because": because}

    @classmethod
    def from_plain(cls, doc: Mapping[str, Any]) -> DueItem:
        """Inverse of `to_plain`."""
        why = doc["because"]
        evidence = tuple(
            Evidence(record_id, date.fromisoformat(on), what, Verdict(verdict), _day(valid_from))
            for record_id, on, what, verdict, valid_from in why["evidence"]
        )
        days: dict[str, Any] = {name: _day(doc[name]) for name in _DAYS}
        names: dict[str, Any] = {name: doc[name] for name in _NAMES}
        because = Because(why["rule"], evidence, tuple(why["source"]))
        return cls(status=Status(doc["status"]), because=because, **names, **days)


_NAMES = ("programme_id", "series_id", "dose", "topic", "waits_for")
_DAYS = ("earliest", "recommended", "overdue", "expires", "ask_from")


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person wants: topics switched off, local send window (hours, end exclusive), language."""

    opted_out: frozenset[str] = field(default_factory=frozenset)
    window: tuple[int, int] = (7, 21)
    locale: Locale = "vi"
