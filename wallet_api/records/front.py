"""The front page of a book: which records stand on it, kept up to date as records come in. Pure.

A front page is a fold over the book: for each section the newest record of each subject (a diagnosis, a
medicine, a blood group). Folding in one record more gives the same as folding the whole book anew, so it
costs the same to keep for a book of 50 records and for one of 5,000. What somebody says of themselves has
subjects of its own: it never takes the place of what a facility recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from wallet_api.records.front_rules import KEPT, SECTIONS, Section, standing_of, subjects_of
from wallet_api.records.model import Record

LATELY: Final = timedelta(days=90)
"""How long a medicine that was prescribed counts as taken where nobody says until when: our own choice."""
Months = dict[str, int]
Sections = Mapping[str, Section]
"""Which page is asked for: `SECTIONS` or `SUMMARY`."""


class Pointer(NamedTuple):
    """One line: what it is about, the day it stands on, the record behind it, and how things stand."""

    subject: str
    day: str
    record_id: str
    standing: str

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands among others: a later one is newer, and no two are equal."""
        return self.day, self.record_id


class Line(NamedTuple):
    """A line as it is shown: the record and how things stand."""

    record: Record
    day: str
    standing: str


class Chosen(NamedTuple):
    """The lines of a section that are shown, whether there are more, and all lines that this rests on.

    If those are admitted, what is shown is what stands there of the admitted records: a line that is not
    would give way to an older one of its subject, which stands lower still.
    """

    pointers: list[Pointer]
    more: bool
    rests_on: list[Pointer]


class Lines(NamedTuple):
    """The same with their records."""

    lines: list[Line]
    more: bool


@dataclass
class Front:
    """The front page of one book. `months` counts all its records by the month of their first day."""

    sections: dict[str, list[Pointer]] = field(default_factory=dict)
    months: Months = field(default_factory=dict)

    @classmethod
    def of(cls, book: Iterable[Record]) -> Front:
        """The front page of a whole book, in whatever order its records come."""
        made = cls()
        for record in book:
            made.add(record)
        return made

    def add(self, record: Record) -> None:
        """Fold in a record that was not there before."""
        month = record.occurred_on.first_day.isoformat()[:7]
        self.months[month] = self.months.get(month, 0) + 1
        for name, pointer in pointers_of(record):
            self._put(KEPT[name], pointer)

    def chosen(
        self, today: date, categories: frozenset[str] | None = None, sections: Sections = SECTIONS
    ) -> dict[str, Chosen]:
        """The lines to show, in their order. `categories`: only what the reader may know of at all."""
        return {
            name: section_lines(section, self.sections.get(name, ()), today)
            for name, section in sections.items()
            if categories is None or section.categories & categories
        }

    def _put(self, section: Section, pointer: Pointer) -> None:
        kept = self.sections.setdefault(section.name, [])
        same = next((each for each in kept if each.subject == pointer.subject), None)
        if same is not None:
            if same.place >= pointer.place and same.record_id != pointer.record_id:
                return
            kept.remove(same)
        kept.append(pointer)
        kept.sort(key=lambda each: each.place, reverse=True)
        del kept[section.kept :]


def pointers_of(record: Record) -> Iterator[tuple[str, Pointer]]:
    """The lines a record may stand on, by section."""
    for name, subject, day in subjects_of(record):
        whose = "self" if record.self_reported else "facility"
        stands = standing_of(record.resource)
        yield name, Pointer(f"{whose}|{subject}", day, record.id, stands)


def section_lines(section: Section, pointers: Sequence[Pointer], today: date) -> Chosen:
    """Those of a section's lines that are shown today."""
    found = [each for each in pointers if each.standing != "over" or section.past]
    if section.ahead:
        found = sorted((each for each in found if each.day >= today.isoformat()), key=lambda each: each.place)
    if section.name == "medicines":
        since = (today - LATELY).isoformat()
        found = [each for each in found if each.standing == "active" or each.day >= since]
    shown, more = found[: section.shown], len(found) > section.shown
    if section.ahead or not more:
        return Chosen(shown, more, list(pointers))
    lowest = found[section.shown].place
    return Chosen(shown, more, [each for each in pointers if each.place >= lowest])


def lines_of(
    chosen: Mapping[str, Chosen], records: Mapping[str, Record], sections: Sections = SECTIONS
) -> dict[str, Lines]:
    """The lines with their records, of every section. Raises KeyError if a record is not there."""
    found = {name: Lines([], False) for name in sections}
    for name, (pointers, more, _) in chosen.items():
        lines = [Line(records[each.record_id], each.day, each.standing) for each in pointers]
        found[name] = Lines(lines, more)
    return found


def front_lines(admitted: Sequence[Record], today: date, sections: Sections = SECTIONS) -> dict[str, Lines]:
    """The lines of a book of which only these records are to be seen: what every store must answer."""
    chosen = Front.of(admitted).chosen(today, None, sections)
    return lines_of(chosen, {each.id: each for each in admitted}, sections)


def packed(front: Front) -> dict[str, Any]:
    """The sections as JSON."""
    return {name: [list(each) for each in pointers] for name, pointers in front.sections.items()}


def unpacked(sections: Mapping[str, Any], months: Mapping[str, int]) -> Front:
    """What was packed."""
    read = {name: [Pointer(*map(str, each)) for each in pointers] for name, pointers in sections.items()}
    return Front(read, dict(months))
