"""The values of the health book. Clinical content is the FHIR R4 resource; all else decides who sees it."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from consent.model import RecordFacts

SENDINGS: Final = 20
"""How many earlier sendings of a visit are looked through for what a later one leaves out."""
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True)
class PartialDate:
    """A day, or only a month or year, as the source knew it. Vietnamese calendar days."""

    text: str

    def __post_init__(self) -> None:
        """Refuse what is not a date between 1900 and 2200."""
        if not 1900 <= self.first_day.year <= 2200:
            raise ValueError("a date must lie between 1900 and 2200")

    @property
    def first_day(self) -> date:
        """The earliest day it can mean."""
        return _days(self.text)[0]

    @property
    def last_day(self) -> date:
        """The latest day it can mean."""
        return _days(self.text)[1]


@lru_cache(maxsize=16384)
def _days(text: str) -> tuple[date, date]:
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise ValueError("a date is YYYY, YYYY-MM or YYYY-MM-DD")
    year, month, day = (int(part) if part else None for part in match.groups())
    first = date(year or 0, month or 1, day or 1)
    return first, date(first.year, month or 12, day or calendar.monthrange(first.year, month or 12)[1])


@dataclass(frozen=True)
class Source:
    """Where a record came from."""

    organisation_id: str | None
    practitioner: str | None
    format: str
    received_at: datetime


@dataclass(frozen=True)
class Record:
    """One version of one record. A correction is a new version with a reason; nothing is overwritten."""

    id: str
    citizen_id: str
    version: int
    category: str
    occurred_on: PartialDate
    recorded_at: datetime
    source: Source
    resource: Mapping[str, Any] = field(repr=False)
    fingerprint: str
    labels: frozenset[str] = frozenset()
    hidden_from: frozenset[str] = frozenset()
    self_reported: bool = False
    reason: str | None = None
    late: bool = False
    """Filed when it was found out whom it is about: its author reads back what it sent, not when that was."""

    def facts(self) -> RecordFacts:
        """What of this record may decide who sees it."""
        return RecordFacts(
            category=self.category,
            first_day=self.occurred_on.first_day,
            last_day=self.occurred_on.last_day,
            organisation_id=self.source.organisation_id,
            labels=self.labels,
            hidden_from=self.hidden_from,
            record_id=self.id,
        )


@dataclass(frozen=True)
class Filter:
    """What a reader asked to see of a book; it can only take away from what the reader may see."""

    categories: frozenset[str] | None = None
    first: date | None = None
    last: date | None = None
    oldest_first: bool = False
    """The order in which it is to come: newest first unless this is said."""


@dataclass(frozen=True)
class Position:
    """Where a page ended: the sort key of its last record (by day, then id)."""

    occurred: str
    record_id: str


@dataclass(frozen=True)
class Row:
    """What became of one entry of an intake. `code` is stable; `pointer` is a JSON pointer.

    What is accepted and no record itself was known for what it gives to others.
    """

    index: int
    accepted: bool
    code: str
    pointer: str | None = None
    message: str | None = None
    record_id: str | None = None

    @property
    def kept(self) -> bool:
        """Whether it is a record now."""
        return self.accepted and self.record_id is not None


@dataclass(frozen=True)
class Sent:
    """A row of a visit that is sent again as a whole: its name in whatever book it is filed, its record in
    this one, and where in what was sent it stood."""

    name: str
    record_id: str
    at: str


@dataclass(frozen=True)
class Intake:
    """One thing an organisation sent, with the report on each of its rows."""

    id: str
    organisation_id: str
    format: str
    received_at: datetime
    rows: tuple[Row, ...]
    citizen_id: str | None = None
    """Whom it is about; None: nobody whom number and birth date fit."""
    edition: str | None = None
    """Which edition of the format it was written after, where that can be told."""
    visit: str | None = None
    """Names the visit it tells of among all that this sender says of this person."""
    sent: tuple[Sent, ...] = ()
    book_id: str | None = None
    """Whose book the rows were filed in: the person's, or that of somebody nobody is."""
