"""Which files of an `import` are read, and which are filed, together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
LOT: Final = 8
"""So many files are read and looked up together."""
LOT_BYTES: Final = 4 * 2**20
MOST_ROWS: Final = 500
"""So many rows are filed in one transaction with those of other files: it has 3 seconds, on a slow machine
under load too."""


def in_lots(files: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """The files in their order, as many at a time as are few and light; a heavy one goes alone."""
    lot: list[Path] = []
    weight = 0
    for each in files:
        size = each.stat().st_size
        if lot and (len(lot) == LOT or weight + size > LOT_BYTES):
            yield tuple(lot)
            lot, weight = [], 0
        lot.append(each)
        weight += size
    if lot:
        yield tuple(lot)


def apart(
    items: Sequence[T], books: Callable[[T], Collection[str]], size: Callable[[T], int]
) -> Iterator[list[T]]:
    """The items in their order, in groups within which no book is named twice and that are not too large."""
    group: list[T] = []
    named: set[str] = set()
    rows = 0
    for each in items:
        mine = books(each)
        alone = len(set(mine)) < len(mine)
        full = alone or not named.isdisjoint(mine) or rows + size(each) > MOST_ROWS
        if group and full:
            yield group
            group, named, rows = [], set(), 0
        group.append(each)
        named.update(mine)
        rows += MOST_ROWS + 1 if alone else size(each)
    if group:
        yield group
