"""What counts of people may be told: none below ten, none that a difference would give away. Pure.

Rules, our own choice within what the law on personal data asks of statistics (Law 91/2025/QH15): a count of
1 to 9 is never told; what is told of an audience is cut to tens, at a place that nobody outside knows; and
where a sum is told as well, no line of a table has a single gap, which the sum would fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

SMALLEST = 10
"""The least count of people that is told."""
STEP = 10


def rounded(count: int, shift: int) -> int | None:
    """A count of an audience as it may be told: a multiple of ten within nine of it, None below ten.

    `shift` (0 to 9) is secret and always the same for one audience: whoever adds a person to a group of
    known size cannot tell whether that would carry it over the next ten, and asking again tells nothing new.
    """
    return None if count < SMALLEST else max(SMALLEST, (count + shift) // STEP * STEP)


def too_like(count: int, others: Iterable[int]) -> bool:
    """Whether a count differs from one that was told of a wider or narrower audience by too few to tell."""
    return any(abs(count - other) < SMALLEST for other in others)


def progress_shown(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Parts of one total as they may be told: none of 1 to 9, and then never one gap alone.

    Nothing is said by a nought: that nobody opened a message tells of nobody in particular.
    """
    hidden = {name for name, count in counts.items() if 0 < count < SMALLEST}
    if len(hidden) == 1:
        rest = {name: count for name, count in counts.items() if name not in hidden and count > 0}
        if rest:
            hidden.add(min(rest, key=lambda name: (rest[name], name)))
    return {name: None if name in hidden else count for name, count in counts.items()}


Table = Sequence[Sequence[int]]
Mask = list[list[bool]]


def share_is_small(part: int, whole: int) -> bool:
    """Whether a part of a group, or what is left of the group, is too few to tell."""
    return whole < SMALLEST or part < SMALLEST or whole - part < SMALLEST


def gaps(small: Sequence[Sequence[bool]], sizes: Table) -> Mask:
    """Which cells of a table with sums of rows and of columns stay empty.

    Every small one, and as many of the next smallest as it takes until no row and no column has exactly one.
    """
    mask = [list(row) for row in small]
    changed = True
    while changed:
        changed = False
        for line in _lines(mask):
            if sum(mask[r][c] for r, c in line) != 1:
                continue
            free = [(sizes[r][c], r, c) for r, c in line if not mask[r][c] and sizes[r][c] > 0]
            if free:
                _, r, c = min(free)
                mask[r][c] = changed = True
    return mask


def _lines(mask: Mask) -> list[list[tuple[int, int]]]:
    height, width = len(mask), len(mask[0]) if mask else 0
    rows = [[(r, c) for c in range(width)] for r in range(height)]
    columns = [[(r, c) for r in range(height)] for c in range(width)]
    return rows + columns
