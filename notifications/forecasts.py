"""What is due for a person, as they know it and as who acts for them may know it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from notifications.model import CitizenFacts, DueItem
from notifications.reminders import Reminder, State


@dataclass(frozen=True, slots=True)
class Forecasts:
    """A person's plan as it is, and as it looks to who acts for them and does not know what was hidden.

    `turns_on`: the next day on which a programme that concerns this person begins or ends.
    """

    citizen_id: str
    own: tuple[DueItem, ...]
    companions: tuple[DueItem, ...]
    turns_on: date | None = None
    facts: CitizenFacts | None = None

    @property
    def same(self) -> bool:
        """Whether nothing that is hidden makes a difference."""
        return self.own is self.companions

    @property
    def either(self) -> tuple[DueItem, ...]:
        """Every item of one or the other."""
        return self.own if self.same else self.own + self.companions

    def known_to(self, recipient_id: str) -> tuple[DueItem, ...]:
        """The plan somebody is reminded by."""
        return self.own if recipient_id == self.citizen_id else self.companions


def unspent(plans: Forecasts, known: Sequence[Reminder]) -> Iterator[tuple[DueItem, set[str]]]:
    """Each item with the reminders of it that are spent: a plan two people share counts for both alike."""
    live = [each for each in known if each.state is not State.CANCELLED]
    if plans.same:
        every = {each.key for each in live}
        yield from ((item, every) for item in plans.own)
        return
    mine = {each.key for each in live if each.recipient_id == plans.citizen_id}
    others = {each.key for each in live if each.recipient_id != plans.citizen_id}
    yield from ((item, mine | others) for item in plans.own)
    yield from ((item, others) for item in plans.companions)
