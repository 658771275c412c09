"""What changed in a book since a reader last asked, so that a copy on a phone follows it. Pure.

A book keeps its latest changes in order, each under a mark that nobody can guess. A reader holds marks: up to
which record id its copy is as the book was at which mark. The next page brings that copy up to date, and goes
on with what it lacks in the order of ids. At every step the copy is exactly what this reader might see at its
marks; so a record that was hidden meanwhile is told as deleted to whoever has it, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from consent.predicate import Predicate
from wallet_api.records.errors import BookBusy, ResyncRequired
from wallet_api.records.model import Record

KEPT: Final = timedelta(days=90)
"""How long changes are told one by one where no setting says otherwise: a session lives no longer."""
MOST: Final = 500
"""Records touched by the changes that a book keeps: beyond, fetching the book anew costs no more."""
END: Final = "~"
"""Behind every record id."""
_MOST_PARTS: Final = 12
_TRIES: Final = 5


class Touched(NamedTuple):
    """One record of a change: from whom it was hidden before (None: it was not there) and is hidden now."""

    record_id: str
    was: frozenset[str] | None
    now: frozenset[str]


class Step(NamedTuple):
    """One change of a book."""

    mark: str
    at: datetime
    touched: tuple[Touched, ...]


@dataclass(frozen=True)
class History:
    """The latest changes of a book, oldest first. `base` is the mark of the book before them."""

    base: str
    steps: tuple[Step, ...] = ()

    @property
    def mark(self) -> str:
        """The mark of the book as it is now."""
        return self.steps[-1].mark if self.steps else self.base

    def since(self, mark: str) -> Sequence[Step]:
        """The changes after a mark.

        Raises:
            ResyncRequired: the book no longer knows the mark, or never did.
        """
        if mark == self.base:
            return self.steps
        for place, step in enumerate(self.steps, 1):
            if step.mark == mark:
                return self.steps[place:]
        raise ResyncRequired("mark")

    def after(self, step: Step, oldest: datetime) -> History:
        """The history with one change more, without those before `oldest` and beyond `MOST` records."""
        base, steps = self.base, [*self.steps, step]
        held = sum(len(each.touched) for each in steps)
        while steps and (steps[0].at < oldest or held > MOST):
            held -= len(steps[0].touched)
            base = steps.pop(0).mark
        return History(base, tuple(steps))


class Part(NamedTuple):
    """A part of a reader's copy: the records up to an id, from where the part before ended, at a mark."""

    upto: str
    mark: str


Held = tuple[Part, ...]
"""The parts of a copy in the order of ids; behind the last, nothing is held yet."""


class Change(NamedTuple):
    """A record as it is now; None: whoever has it may see it no longer."""

    record_id: str
    record: Record | None


@dataclass(frozen=True)
class ChangePage:
    """What brings a copy further, and what is held after it."""

    changes: list[Change]
    held: Held

    @property
    def more(self) -> bool:
        """Whether the copy is not whole yet."""
        return len(self.held) != 1 or self.held[0].upto != END


class ChangingBook(Protocol):
    """What of the records this needs."""

    def history(self, citizen_id: str) -> History:
        """The latest changes of a book. One read."""

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        """Those of these records that the predicate admits."""

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        """At most `limit` admitted records whose ids come after one, in the order of ids."""


def next_page(
    book: ChangingBook, citizen_id: str, predicate: Predicate, held: Held, limit: int
) -> ChangePage:
    """What brings a copy further, `limit` changes at most. Where nothing changed, one read of the history.

    For readers of a whole book: their predicate differs from everybody's by audiences alone.

    Raises:
        ResyncRequired: what is held cannot be brought up to date by changes.
        BookBusy: the book changed at every try.
    """
    for _ in range(_TRIES):
        history = book.history(citizen_id)
        waiting = _waiting(history, held, predicate.audiences)
        if not waiting and held and held[-1].upto == END:
            return ChangePage([], (Part(END, history.mark),))
        page = _page(book, citizen_id, predicate, held, history, waiting, limit)
        # What was read is the book at one mark, or it is read again.
        if book.history(citizen_id).mark == history.mark:
            return page
    raise BookBusy(citizen_id)


class _Due(NamedTuple):
    record_id: str
    held: bool
    shown: bool


def _waiting(history: History, held: Held, audiences: frozenset[str]) -> list[_Due]:
    """What changed for this reader of what is held. What was hidden before and after is not among it."""
    found: dict[str, Touched] = {}
    start = ""
    for part in held:
        for step in history.since(part.mark):
            for one in step.touched:
                if start < one.record_id <= part.upto:
                    first = found.get(one.record_id, one)
                    found[one.record_id] = one._replace(was=first.was)
        start = part.upto
    due = [
        _Due(one.record_id, one.was is not None and not one.was & audiences, not one.now & audiences)
        for one in found.values()
    ]
    return sorted(each for each in due if each.held or each.shown)


def _page(
    book: ChangingBook,
    citizen_id: str,
    predicate: Predicate,
    held: Held,
    history: History,
    waiting: Sequence[_Due],
    limit: int,
) -> ChangePage:
    taken = waiting[:limit]
    shown = [each.record_id for each in taken if each.shown]
    records = book.admitted(citizen_id, shown, predicate) if shown else {}
    changes = _told(taken, records)
    start = held[-1].upto if held else ""
    if len(waiting) > limit:
        upto = taken[-1].record_id
        return _checked(changes, (Part(upto, history.mark), *(each for each in held if each.upto > upto)))
    room = limit - len(taken)
    if start == END or not room:
        return ChangePage(changes, (Part(start, history.mark),))
    listed = book.following(citizen_id, start, predicate, room + 1)
    changes += [Change(each.id, each) for each in listed[:room]]
    upto = END if len(listed) <= room else listed[room - 1].id
    return ChangePage(changes, (Part(upto, history.mark),))


def _told(taken: Sequence[_Due], records: Mapping[str, Record]) -> list[Change]:
    told = [(each.held, Change(each.record_id, records.get(each.record_id))) for each in taken]
    return [change for held, change in told if held or change.record is not None]


def _checked(changes: list[Change], held: Held) -> ChangePage:
    if len(held) > _MOST_PARTS:
        raise ResyncRequired("parts")  # it changes faster than it is read
    return ChangePage(changes, held)
