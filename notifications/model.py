"""Values of the reminder domain: facts about a citizen, care already given, what is due and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

Sex = Literal["female", "male", "other", "unknown"]
Locale = Literal["vi", "en"]
VIETNAM_ZONE = "Asia/Ho_Chi_Minh"
ACCESS_TOPIC = "access"
"""The topic of messages that say who opened one's records."""
CAMPAIGN = "campaign"
"""In the place of a programme, where a message is of a campaign and of no programme."""


@dataclass(frozen=True, slots=True)
class CitizenFacts:
    """What planning needs to know of a person, and no more. `province` and `commune` of residence: codes
    of 2 and 5 digits; a commune has days on which it vaccinates.

    `conditions`: what holds of the person for a time; `plan` adds to them those that the history tells of.
    """

    citizen_id: str
    born: date
    sex: Sex
    province: str | None = None
    deceased: bool = False
    commune: str | None = None
    conditions: tuple[Condition, ...] = ()
    continues_in: str | None = None
    """In whose book this one continues: nothing is due here, all of it is due there."""
    joined: tuple[str, ...] = ()
    """The books that continue in this one: what was given by them counts."""


@dataclass(frozen=True, slots=True)
class GivenDose:
    """One vaccination on record. `vaccine` is an id of vaccines.json; `record_id` leads back to the proof.

    `hidden`: only the person themselves may know of it; who acts for them is reminded as if it were not.
    `told`: the family says so and nothing proves it. It ends reminders, and settles nothing else.
    """

    vaccine: str
    cvx: str | None
    given_on: date
    record_id: str
    hidden: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class Exam:
    """One check-up or visit on record. `kind` is what a periodic programme accepts or not; the rest as above.

    `by` names the organisation that did it, empty where that is not known.
    """

    kind: str
    done_on: date
    record_id: str
    hidden: bool = False
    by: str = ""
    told: bool = False


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
    told: the family said that it was given; no record proves it. Not reminded of, and not counted as given.
    upcoming: wanted, its recommended day lies ahead, or an earlier dose must come first (`waits_for`).
    due: the recommended day is reached. overdue: the overdue day is reached.
    aged_out: the upper age (exclusive) is reached or would be before it could be given.
    ask_station: our source does not confirm the rule, or gives no upper age and the catch-up age has passed;
        shown as "ask your station", never pushed.
    not_eligible: sex or province is outside the programme.
    """

    GIVEN = "given"
    TOLD = "told"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    AGED_OUT = "aged_out"
    ASK_STATION = "ask_station"
    NOT_ELIGIBLE = "not_eligible"

    __hash__ = str.__hash__  # an enumeration's own is four times slower, and a plan asks for many


WANTED = frozenset({Status.UPCOMING, Status.DUE, Status.OVERDUE})


class Verdict(StrEnum):
    """What the planner made of one piece of evidence.

    noted: it tells of a condition and is no care itself.
    """

    COUNTED = "counted"
    TOLD = "told"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    DUPLICATE = "duplicate"
    NOTED = "noted"


class Evidence(NamedTuple):
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


class Because(NamedTuple):
    """Why an item has its status and dates: rule id, the records behind it, the published sources."""

    rule: str
    evidence: tuple[Evidence, ...] = ()
    source: tuple[str, ...] = ()


class DueItem(NamedTuple):
    """One dose of a series, or one round of a periodic programme. A tuple, because planning makes so many.

    Of a round `dose` is the calendar year, the number of a band, or where it follows from a record a number
    that stays when its day moves.

    `earliest` <= `recommended` < `overdue`; `expires` and `ask_from` are exclusive ends. A date may be
    None when no rule gives one. `waits_for` names the `series/dose` that must come first. `session`: the
    commune's vaccination day on which it can be had, where one is known.
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
    session: date | None = None

    @property
    def anchor(self) -> date | None:
        """The day reminders count from: the session that gives it, else the recommended day."""
        return self.session or self.recommended

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
        status, rule = standing(
            today, self.earliest, self.recommended, self.overdue, self.expires, self.ask_from, self.waits_for
        )
        if status is self.status and rule is None:
            return self
        because = self.because if rule is None else self.because._replace(rule=rule)
        return self._replace(status=status, because=because)

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
        days: dict[str, Any] = {name: _day(doc.get(name)) for name in _DAYS}
        names: dict[str, Any] = {name: doc[name] for name in _NAMES}
        because = Because(why["rule"], evidence, tuple(why["source"]))
        return cls(status=Status(doc["status"]), because=because, **names, **days)


def standing(
    today: date,
    earliest: date | None,
    recommended: date | None,
    overdue: date | None,
    expires: date | None,
    ask_from: date | None,
    waits_for: str | None,
) -> tuple[Status, str | None]:
    """Status on a day of something that is wanted, and the rule that ended the wanting, if one did."""
    if expires is not None and (today if earliest is None else max(today, earliest)) >= expires:
        return Status.AGED_OUT, "past_upper_age"
    if ask_from is not None and today >= ask_from:
        return Status.ASK_STATION, "past_catch_up_age"
    if waits_for is not None or recommended is None or today < recommended:
        return Status.UPCOMING, None
    return (Status.OVERDUE if overdue is not None and today >= overdue else Status.DUE), None


_NAMES = ("programme_id", "series_id", "dose", "topic", "waits_for")
_DAYS = ("earliest", "recommended", "overdue", "expires", "ask_from", "session")


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person wants: topics switched off, local send window (hours, end exclusive), language.

    `muted`: (topic, channel) pairs that stay silent while the inbox goes on. `zone`: IANA name of where the
    window is meant. `a_week`: at most so many days of seven with a push about a topic. `urgent`: topics that
    come at any hour, on holidays and above `a_week`, because the person said so. `language`: the BCP 47 tag
    that was asked for; `locale` is what we speak of it.

    `email`: where a letter goes when a push stays unread; None is no letter.
    """

    opted_out: frozenset[str] = field(default_factory=frozenset)
    window: tuple[int, int] = (7, 21)
    locale: Locale = "vi"
    muted: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    zone: str = VIETNAM_ZONE
    a_week: tuple[tuple[str, int], ...] = ()
    urgent: frozenset[str] = field(default_factory=frozenset)
    language: str = ""
    email: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.email is not None and not is_email(self.email):
            raise ValueError("not an e-mail address")

    def wants(self, topic: str, channel: str) -> bool:
        """Whether a channel beside the inbox may carry this topic."""
        return topic not in self.opted_out and (topic, channel) not in self.muted

    @property
    def speaks(self) -> str:
        """The tag to look for a text with; a text in it may be missing."""
        return self.language or self.locale

    @property
    def where(self) -> ZoneInfo:
        """The zone the window is meant in."""
        return ZoneInfo(self.zone)


def is_email(text: str) -> bool:
    """Whether a text is a plain address (the form of HTML's e-mail field): no name, comment or line break."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


EMAIL_PATTERN = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_EMAIL = re.compile(EMAIL_PATTERN)
