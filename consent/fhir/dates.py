"""FHIR dates and instants (R4 datatypes 2.24): partial ones are whole spans, days are Vietnamese days."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_FORM = re.compile(
    r"(?P<year>[0-9]{4})(-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2})"
    r"(?P<time>T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?"
)
_TICK = timedelta(microseconds=1)


def first_and_last(text: object) -> tuple[datetime, datetime]:
    """The first and the last instant that a FHIR date or dateTime means.

    Raises:
        ValueError: it is none, does not exist, or has a time without an offset.
    """
    parts = _FORM.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError("no FHIR date")
    if parts["time"]:
        moment = datetime.fromisoformat(str(text))
        return moment, moment
    first, last = days(text)
    return _midnight(first), datetime.combine(last, time.max, VIETNAM)


def days(text: object) -> tuple[date, date]:
    """The first and the last Vietnamese day that a FHIR date or dateTime means.

    Raises:
        ValueError: as `first_and_last`.
    """
    parts = _FORM.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError("no FHIR date")
    if parts["time"]:
        day = datetime.fromisoformat(str(text)).astimezone(VIETNAM).date()
        return day, day
    year, month = int(parts["year"]), int(parts["month"] or 0)
    if parts["day"]:
        day = date(year, month, int(parts["day"]))
        return day, day
    if parts["month"]:
        first = date(year, month, 1)
        following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else None
        return first, (following - timedelta(days=1) if following else date.max)
    return date(year, 1, 1), date(year, 12, 31)


def instant_text(moment: datetime) -> str:
    """An instant as FHIR writes it, to the millisecond, cut off: never later than it is."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return moment.astimezone(VIETNAM).isoformat(timespec="milliseconds")


def before(moment: datetime) -> datetime:
    """The last instant before an exclusive end."""
    return moment - _TICK


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, VIETNAM)
