"""The points of a series against the growth standard. Only what is shown is compared. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from consent.ages import has_reached
from wallet_api.records.growth.measures import ABOVE_1, Indicator, measures, sayings
from wallet_api.records.growth.standard import Distribution, Standard
from wallet_api.records.series import LOINC, Point
from wallet_api.records.types import Words

LINES: Final = (-3, -2, 0, 2, 3)
"""The lines of a growth chart, in standard deviations from the median."""
DAYS_OF_A_MONTH: Final = 365.25 / 12
"""As WHO counts months of age."""
_SEXES: Final = ("female", "male")
_FAR, _NEAR, _SOME = 3, 2, 1


@dataclass(frozen=True)
class Child:
    """Whose values they are."""

    born: date = field(repr=False)
    sex: str = field(repr=False)


@dataclass(frozen=True)
class Place:
    """Where one value lies. Either it is judged (`z` and `side`), or `reason` says why not.

    `value` is what was judged, in the unit of the standard. `lines` are those of that day, as `LINES` has
    them; there are none where the standard says nothing of that day.
    """

    z: float | None = None
    side: str | None = None
    called: str | None = None
    reason: str | None = None
    value: float | None = None
    lines: tuple[float, ...] | None = None

    @property
    def line(self) -> Words:
        """The same in a sentence. What WHO's course calls it is said as WHO's word, never as a finding."""
        said = sayings()
        if self.reason is not None:
            return said.reasons[self.reason]
        side = said.sides[self.side or ""]
        named = said.names[self.called] if self.called else None
        vi, en = (
            form.format(z=shown, side=where)
            for form, shown, where in zip(said.line, _shown(self.z or 0), side, strict=True)
        )
        if named is None:
            return Words(f"{vi}.", f"{en}.")
        return Words(
            f"{vi}{said.named.vi.format(name=named.vi)}.", f"{en}{said.named.en.format(name=named.en)}."
        )


@dataclass(frozen=True)
class Month:
    """The lines at a whole month of age."""

    month: int
    age_days: int
    lines: tuple[float, ...]


@dataclass(frozen=True)
class Growth:
    """The places of some points, in their order, and the curve over the months that they span."""

    indicator: Indicator
    places: tuple[Place, ...]
    curve: tuple[Month, ...]


def growth_of(points: Iterable[Point], system: str, code: str, child: Child, by: Standard) -> Growth | None:
    """How the points of one code lie against the standard; None for a code that is no measure of growth."""
    name = measures().named(code) if system == LOINC else None
    if name is None:
        return None
    chart = _Chart(name, measures().indicators[name], measures().indicators[name].loinc[code], child, by)
    places = [(point, chart.place(point)) for point in points]
    ages = [(p.record.occurred_on.first_day - child.born).days for p, place in places if place.lines]
    curve = tuple(chart.months(min(ages), max(ages))) if ages else ()
    return Growth(chart.indicator, tuple(place for _, place in places), curve)


@dataclass(frozen=True)
class _Chart:
    """The curves of one indicator for one child."""

    name: str
    indicator: Indicator
    position: str | None
    child: Child
    by: Standard

    def place(self, point: Point) -> Place:
        """Where a point lies."""
        day, age = point.record.occurred_on.first_day, point.age_days(self.child.born)
        if point.value is None or not point.exact:
            return Place(reason="no_number")
        if self.child.sex not in _SEXES:
            return Place(reason="sex_unknown")
        if age is None:
            return Place(reason="before_birth" if point.has_day else "day_unknown")
        if has_reached(self.child.born, measures().ends_at_years, day):
            return Place(reason="over_age")
        found = self.by.of(self.name, self.child.sex, age)
        if found is None:
            return Place(reason="over_age")
        factor = self.indicator.units.get(point.code or point.unit or "")
        if factor is None:
            return Place(reason="unit_unknown", lines=_lines(found))
        return self._judged(point.value * factor + self._moved(age), found)

    def _moved(self, age: int) -> float:
        """What a length gains where it was measured in the other way than the standard was at that age."""
        lies = age <= measures().last_lying_day
        if self.position == "standing" and lies:
            return measures().correction_cm
        return -measures().correction_cm if self.position == "lying" and not lies else 0

    def _judged(self, value: float, found: Distribution) -> Place:
        z, lines, value = found.z(value), _lines(found), round(value, 4)
        if not self.indicator.lowest <= z <= self.indicator.highest:
            return Place(reason="implausible", lines=lines)
        side = side_of(z)
        key = ABOVE_1 if side == "within_2" and z > _SOME else side
        return Place(z, side, self.indicator.names.get(key), None, value, lines)

    def months(self, youngest: int, oldest: int) -> Iterable[Month]:
        """The lines at every whole month from the last before the youngest to the first after the oldest."""
        for month in range(int(youngest / DAYS_OF_A_MONTH), math.ceil(oldest / DAYS_OF_A_MONTH) + 1):
            age = round(month * DAYS_OF_A_MONTH)
            found = self.by.of(self.name, self.child.sex, age)
            if found is not None:
                yield Month(month, age, _lines(found))


def side_of(z: float) -> str:
    """Where a z-score lies, as it was rounded: so what is said is what is shown."""
    if z < -_NEAR:
        return "below_minus_3" if z < -_FAR else "below_minus_2"
    if z > _NEAR:
        return "above_plus_3" if z > _FAR else "above_plus_2"
    return "within_2"


def _lines(found: Distribution) -> tuple[float, ...]:
    return tuple(round(found.at(z), 3) for z in LINES)


def _shown(z: float) -> tuple[str, str]:
    """A z-score as it is written in Vietnamese and in English."""
    text = f"{z:.2f}"
    return text.replace(".", ","), text
