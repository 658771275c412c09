"""One accepted examination in a calendar year serves every yearly programme, so one of them speaks for all.

Decree 165/2026/ND-CP Art. 70(2). The programme that others name in `year_of` reminds; the others tell what
they are, and that they wait for it. So no change of a person's conditions can make two reminders of one year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from notifications.model import WANTED, DueItem, Status
from notifications.schedule import Programme

Identity = tuple[str, str, int]
Rounds = Mapping[Programme, Sequence[DueItem]]


def in_one_year(found: Rounds, today: date) -> Rounds:
    """The rounds of each programme, with those that share a year's examination joined."""
    served = [each for each in found if each.rounds is not None and each.rounds.year_of is not None]
    if not served:
        return found
    heads = {item.identity: item for items in found.values() for item in items}
    for programme in served:
        for item in found[programme]:
            _set_day(heads, programme, item, today)
    joined: dict[Programme, Sequence[DueItem]] = {}
    for programme, items in found.items():
        if programme in served:
            joined[programme] = [_served(heads, programme, item, today) for item in items]
        else:
            joined[programme] = [heads[item.identity] for item in items]
    return joined


def _head_of(heads: Mapping[Identity, DueItem], programme: Programme, year: int) -> DueItem | None:
    name = programme.rounds.year_of if programme.rounds is not None else None
    return heads.get((name, name, year)) if name is not None else None


def _year_of(programme: Programme, item: DueItem) -> int | None:
    if programme.rounds is not None and programme.rounds.anchor == "calendar_year":
        return item.dose
    return item.recommended.year if item.recommended is not None else None


def _set_day(heads: dict[Identity, DueItem], programme: Programme, item: DueItem, today: date) -> None:
    """Let a programme with a day of its own, as the start of the school year, set the day of the year."""
    fixed = programme.rounds is not None and programme.rounds.month_day is not None
    head = _head_of(heads, programme, item.dose) if fixed and item.status in WANTED else None
    if head is None or head.status not in WANTED:
        return
    why = head.because._replace(
        rule="one_exam_for_all",
        evidence=head.because.evidence + item.because.evidence,
        source=head.because.source + item.because.source,
    )
    moved = head._replace(recommended=item.recommended, overdue=item.overdue, because=why)
    heads[head.identity] = moved.seen_on(today)


def _served(heads: Mapping[Identity, DueItem], programme: Programme, item: DueItem, today: date) -> DueItem:
    """The item of a programme that another reminds for."""
    year = _year_of(programme, item)
    head = _head_of(heads, programme, year) if year is not None else None
    if year is None or head is None or item.status not in WANTED:
        return item
    whole_year = programme.rounds is not None and programme.rounds.anchor == "calendar_year"
    because = item.because._replace(rule="one_exam_for_all")
    if head.status is not Status.GIVEN:
        return item._replace(because=because, waits_for=f"{head.series_id}/{year}").seen_on(today)
    if whole_year:
        because = because._replace(evidence=head.because.evidence)
        return DueItem(item.programme_id, item.series_id, item.dose, item.topic, Status.GIVEN, because)
    # The year has its examination: what this window is for is looked at in the next.
    return item._replace(because=because, waits_for=f"{head.series_id}/{year + 1}").seen_on(today)
