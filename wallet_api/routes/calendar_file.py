"""What is due as a calendar (iCalendar, RFC 5545): all-day events with ids that stay, and nothing in a title.

A calendar on a phone is read over shoulders and copied to clouds: unless the person asks for details, an
event says that there is something to do, and no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event

from notifications.model import DueItem
from notifications.reminders import Keys

_TITLES: Final[Mapping[str, str]] = {"vi": "Nhắc lịch sức khỏe", "en": "Health reminder"}
_OPEN: Final[Mapping[str, str]] = {
    "vi": "Mở ứng dụng Sổ sức khỏe điện tử để xem chi tiết.",
    "en": "Open the health book app for details.",
}


@dataclass(frozen=True)
class Entry:
    """One event: its id, its day and what stands over it."""

    uid: str
    day: date
    title: str


def entries_of(
    citizen_id: str,
    items: Iterable[DueItem],
    keys: Keys,
    title_of: Callable[[DueItem], str] | None,
    language: str,
) -> list[Entry]:
    """What can still be reminded of, by day. `title_of` None: no title tells what it is."""
    found = []
    for item in items:
        if item.remindable and item.anchor is not None:
            uid = keys.reminder(citizen_id, item.programme_id, item.series_id, item.dose, "calendar")
            title = _TITLES[language] if title_of is None else title_of(item)
            found.append(Entry(f"{uid}@health-wallet", item.anchor, title))
    return sorted(found, key=lambda each: (each.day, each.uid))


def mark_of(entries: Iterable[Entry], language: str) -> str:
    """What an entity tag is made of: all that the file says but the instant it was written."""
    told = "\x1f".join(f"{each.uid}|{each.day}|{each.title}" for each in entries)
    return hashlib.sha256(f"{language}\x1f{told}".encode()).hexdigest()


def calendar_of(entries: Iterable[Entry], language: str, now: datetime) -> bytes:
    """The calendar file, in UTF-8."""
    calendar = Calendar()
    calendar.add("prodid", "-//Health wallet//Reminders//VI")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for each in entries:
        calendar.add_component(_event(each, language, now))
    written: bytes = calendar.to_ical()
    return written


def _event(entry: Entry, language: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", now)
    event.add("dtstart", entry.day)
    event.add("dtend", entry.day + timedelta(days=1))
    event.add("summary", entry.title)
    event.add("description", _OPEN[language])
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT")
    return event
