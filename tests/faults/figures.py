"""What the fault tests counted, so that it can be printed as one table at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One fault: how often it was tried, and what came of it."""

    fault: str
    tries: int
    lost: int | None
    half: int | None
    unlogged: int | None
    more: str


ROWS: list[Row] = []
_HEAD = ("fault", "tries", "lost", "half-applied", "disclosed without row", "also seen")


def note(
    fault: str,
    tries: int,
    *,
    lost: int | None = None,
    half: int | None = None,
    unlogged: int | None = None,
    more: str = "",
) -> None:
    """Keep one line of the table, and print it for whoever watches with -s. None: does not apply."""
    row = Row(fault, tries, lost, half, unlogged, more)
    ROWS.append(row)
    print(" | ".join(_cells(row)))


def table(rows: Iterable[Row]) -> list[str]:
    """The lines of the whole table, columns aligned."""
    cells = [_HEAD, *(_cells(row) for row in sorted(rows, key=lambda row: _order(row.fault)))]
    widths = [max(len(line[n]) for line in cells) for n in range(len(_HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    counts = ("-" if each is None else str(each) for each in (row.lost, row.half, row.unlogged))
    return (row.fault, str(row.tries), *counts, row.more)


def _order(fault: str) -> tuple[int, str]:
    number = fault.partition(" ")[0].removeprefix("F")
    return (int(number) if number.isdecimal() else 99, fault)
