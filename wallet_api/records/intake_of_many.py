"""Taking in what is about several people in one transaction: fewer commands for each, by one code path.

What each of them is filed as is decided by `IntakeService`, which here reads what was read for all of them
together and writes into what is written for all of them together. Its work differs with who is known, so it
is for files that an operator takes in, never for what a sender asks over the network.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from wallet_api.records.bundle import Person, Reading
from wallet_api.records.intake import Found, IntakeParts, IntakeService, Sender
from wallet_api.records.model import Intake
from wallet_api.records.ports import Filing, HiddenFor, Intakes, Match, OnRecorded, Unit


@dataclass(frozen=True)
class Writing:
    """What one transaction writes into several books. `finish` writes what was gathered, and what follows
    from it."""

    records: Filing
    intakes: Intakes
    on_recorded: OnRecorded
    finish: Callable[[], None]


class Together(Protocol):
    """What an intake asks of the outside, asked for several books at once."""

    def match(self, people: Sequence[Person]) -> Match:
        """A search that knows the answer for the numbers of these."""

    def prepare(self, books: Collection[str]) -> None:
        """Open the keys of the books, made where there are none."""

    def hidden_for(self, books: Collection[str]) -> HiddenFor:
        """From whom what is filed now is hidden at once."""

    def begin(self, books: Collection[str], unit: Unit) -> Writing:
        """Begin to write into these books, in a transaction that has not written into them yet."""

    def settle(self, books: Collection[str]) -> None:
        """Hide what a flag covers that came in between."""


class IntakeOfMany:
    """Receives what is about several people, all of it or nothing."""

    def __init__(self, parts: IntakeParts, together: Together) -> None:
        self._parts = parts
        self._together = together
        # A transaction that waits for others still holds what it saw. For as long, the embedded database can
        # split no page of an index that they fill, and each write into one waits some milliseconds.
        self._turn = Lock()

    def finder(self, said: Sequence[Reading]) -> Callable[[Sender, Reading], Found]:
        """`IntakeService.find` for these, whose numbers are all looked up now."""
        match = self._together.match([each.person for each in said])
        return IntakeService(replace(self._parts, match=match)).find

    def receive(self, sender: Sender, sent: Sequence[tuple[Reading, Found]]) -> list[Intake]:
        """File each, of which no two go into the same book, in one transaction with the reports; one
        transaction at a time.

        Raises:
            ValueError: two go into one book. BundleRefused: one of them cannot be kept; nothing was.
        """
        books = [found.book for _, found in sent]
        if len(set(books)) != len(books):
            raise ValueError("two of them go into the same book")
        self._together.prepare(books)
        hidden_for = self._together.hidden_for(books)

        def work(unit: Unit) -> list[Intake]:
            writing = self._together.begin(books, unit)
            service = IntakeService(self._in(writing, unit, hidden_for))
            made = [service.receive(sender, said, found=found) for said, found in sent]
            writing.finish()
            return made

        with self._turn:
            made = self._parts.in_unit(work)
        self._together.settle(books)
        return made

    def _in(self, writing: Writing, unit: Unit, hidden_for: HiddenFor) -> IntakeParts:
        return replace(
            self._parts,
            records=writing.records,
            intakes=writing.intakes,
            on_recorded=writing.on_recorded,
            prepare=lambda book: None,
            in_unit=lambda work: work(unit),
            hidden_for=hidden_for,
            settle=lambda book: None,
        )
