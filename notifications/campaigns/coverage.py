"""Coverage of a series by province and year of birth, from counters, as it may be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from notifications.campaigns.disclosure import SMALLEST, gaps, rounded, share_is_small
from notifications.campaigns.ports import People, SeriesTotals

ELSEWHERE: Final = "--"
"""The province of people whose residence is not known."""


@dataclass(frozen=True, slots=True)
class Cell:
    """People of one province and year for whom a series is: how many, with a first dose, with all.

    Each a multiple of ten; None where there are too few, or all but too few, or where another cell needs it.
    """

    province: str
    year: int
    eligible: int | None = None
    started: int | None = None
    complete: int | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every cell asked for, in order of province and year, and how many of them are held back."""

    series: str
    cells: tuple[Cell, ...]
    suppressed: int


def coverage_of(
    people: People, series: str, provinces: Sequence[str], years: Sequence[int], shift: Callable[[str], int]
) -> Coverage:
    """The table of these provinces and years.

    Cells of fewer than ten people are held back, and beside a lone one its smallest neighbour in the row and
    in the column, since sums are known from elsewhere. In a cell that is told, a part is held back when it,
    or what it leaves, is below ten. All of a cell is cut to tens at one place, so that yesterday's figures
    taken from today's seldom differ by the one dose that was given.
    """
    found = people.totals(series, provinces, years)
    sizes = [[_at(found, p, y).eligible for y in years] for p in provinces]
    mask = gaps([[size < SMALLEST for size in row] for row in sizes], sizes)
    cells = [
        Cell(p, y) if mask[r][c] else _told(p, y, _at(found, p, y), shift(f"{series}|{p}|{y}"))
        for r, p in enumerate(provinces)
        for c, y in enumerate(years)
    ]
    return Coverage(series, tuple(cells), sum(map(sum, mask)))


def _at(found: Mapping[tuple[str, int], SeriesTotals], province: str, year: int) -> SeriesTotals:
    return found.get((province, year), SeriesTotals())


def _told(province: str, year: int, totals: SeriesTotals, shift: int) -> Cell:
    started, complete = (
        None if share_is_small(part, totals.eligible) else rounded(part, shift)
        for part in (totals.started, totals.complete)
    )
    return Cell(province, year, rounded(totals.eligible, shift), started, complete)
