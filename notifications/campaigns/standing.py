"""What is kept of each person so that audiences are found and coverage is counted without opening a book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from notifications.model import CitizenFacts, DueItem, Sex, Status

Wanted = Literal["due", "overdue", "not_started"]
"""Where somebody may stand in a series to be in an audience: due or overdue today, or due for its first."""


@dataclass(frozen=True, slots=True)
class SeriesStanding:
    """One series of one person: doses given, and the days of the next one. Statuses follow from the day.

    `eligible`: the programme is for this person at all, so that they count in its coverage.
    `expires`, `ask_from`: exclusive ends, whichever comes first; None where no dose is open.
    """

    given: int
    complete: bool
    eligible: bool
    recommended: date | None = None
    overdue: date | None = None
    ends: date | None = None

    def is_wanted(self, wanted: Wanted, today: date) -> bool:
        """Whether the next dose stands so on this day."""
        if self.recommended is None or today < self.recommended:
            return False
        if self.ends is not None and today >= self.ends:
            return False
        late = self.overdue is not None and today >= self.overdue
        if wanted == "overdue":
            return late
        return not late if wanted == "due" else self.given == 0


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of the audience. `province` and `commune` are codes of residence, None if unknown."""

    citizen_id: str
    shard: int
    born: date
    sex: Sex
    province: str | None
    commune: str | None
    deceased: bool
    series: Mapping[str, SeriesStanding]

    def age_on(self, day: date) -> int:
        """Whole years of age."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready form for a store that seals it; the id and the shard are the store's."""
        return {
            "born": self.born.isoformat(),
            "sex": self.sex,
            "province": self.province,
            "commune": self.commune,
            "deceased": self.deceased,
            "series": {name: _plain(each) for name, each in self.series.items()},
        }

    @classmethod
    def from_plain(cls, citizen_id: str, shard: int, told: Mapping[str, Any]) -> PersonRow:
        """Inverse of `to_plain`."""
        series = {name: _standing(each) for name, each in told["series"].items()}
        born = date.fromisoformat(told["born"])
        places = told["province"], told["commune"]
        return cls(citizen_id, shard, born, told["sex"], *places, told["deceased"], series)


def row_of(facts: CitizenFacts, shard: int, items: Iterable[DueItem]) -> PersonRow:
    """The row of a person whose plan is `items`."""
    by_series: dict[str, list[DueItem]] = {}
    for item in items:
        by_series.setdefault(item.series_id, []).append(item)
    series = {name: standing_of(each) for name, each in by_series.items()}
    places = facts.province, facts.commune
    # A book that continues in another is nobody to write to: its person is counted there.
    gone = facts.deceased or facts.continues_in is not None
    return PersonRow(facts.citizen_id, shard, facts.born, facts.sex, *places, gone, series)


def standing_of(items: Iterable[DueItem]) -> SeriesStanding:
    """Where somebody stands in one series."""
    doses = sorted(items, key=lambda item: item.dose)
    given = sum(item.status is Status.GIVEN for item in doses)
    following = next((item for item in doses if item.remindable), None)
    eligible = any(item.status is not Status.NOT_ELIGIBLE for item in doses)
    if following is None:
        return SeriesStanding(given, given == len(doses) > 0, eligible)
    ends = min((day for day in (following.expires, following.ask_from) if day is not None), default=None)
    return SeriesStanding(given, False, eligible, following.recommended, following.overdue, ends)


def newly_given(old: PersonRow | None, new: PersonRow) -> frozenset[str]:
    """The series in which a dose is on record that was not. Nothing for somebody seen for the first time."""
    if old is None:
        return frozenset()
    return frozenset(
        name for name, now in new.series.items() if name in old.series and now.given > old.series[name].given
    )


def _plain(standing: SeriesStanding) -> list[Any]:
    days = standing.recommended, standing.overdue, standing.ends
    told = [None if day is None else day.isoformat() for day in days]
    return [standing.given, int(standing.complete), int(standing.eligible), *told]


def _standing(told: list[Any]) -> SeriesStanding:
    given, complete, eligible, *days = told
    read = [None if day is None else date.fromisoformat(day) for day in days]
    return SeriesStanding(given, bool(complete), bool(eligible), *read)
