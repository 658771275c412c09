"""Heirs: somebody who may see the summary of a dead person's book for a while, by two people's word.

proposed -> given | refused; given -> ended. By the law on examination and treatment other representatives get
the summary alone; an heir is asked for the paper that shows the relation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType
from typing import Final, Literal, Protocol

from wallet_api.identity.deaths import RULES, Death, Line
from wallet_api.identity.errors import (
    CitizenUnknown,
    HeirStepRefused,
    HeirUnknown,
    SecondPersonNeeded,
    StaleVersion,
    Taken,
)
from wallet_api.identity.people import People

HeirState = Literal["proposed", "given", "refused", "ended"]
HeirDecision = Literal["give", "refuse", "end"]
_MOVES: Final[Mapping[tuple[HeirState, HeirDecision], HeirState]] = MappingProxyType(
    {("proposed", "give"): "given", ("proposed", "refuse"): "refused", ("given", "end"): "ended"}
)


@dataclass(frozen=True)
class Heir:
    """What somebody may see of a dead person's book, and why. `until`: from that instant on nothing."""

    id: str
    death_id: str
    citizen_id: str
    heir_id: str
    relation: str = field(repr=False)
    evidence_kind: str
    history: tuple[Line, ...]
    state: HeirState = "proposed"
    version: int = 1
    until: datetime | None = None

    @property
    def place(self) -> str:
        """Its place in a list, the oldest first."""
        return f"{self.history[0].at:%Y-%m-%dT%H:%M:%S.%f}|{self.id}"

    def stands_at(self, now: datetime) -> bool:
        """Whether the heir may look at that instant, as far as this says."""
        return self.state == "given" and self.until is not None and now < self.until

    def decided(self, decision: HeirDecision, by: str, at: datetime) -> Heir:
        """The next state.

        Raises:
            SecondPersonNeeded: whoever proposed it does not decide.
            HeirStepRefused: there is no such step from this state.
        """
        if by == self.history[0].by:
            raise SecondPersonNeeded(self.id)
        after = _MOVES.get((self.state, decision))
        if after is None:
            raise HeirStepRefused(self.id)
        until = at + timedelta(days=RULES.heir_days) if after == "given" else self.until
        history = (*self.history, Line(decision, by, at))
        return replace(self, state=after, version=self.version + 1, until=until, history=history)


class HeirStore(Protocol):
    """Heirs, durable when a call returns."""

    def add(self, heir: Heir) -> None:
        """Keep a new one. Raises Taken: the id is in use."""

    def get(self, heir_id: str) -> Heir | None:
        """One of them, by its own id."""

    def save(self, heir: Heir, *, expected: int) -> None:
        """Put it in the place of version `expected`. Raises StaleVersion."""

    def of_death(self, death_id: str) -> list[Heir]:
        """Those of one death, the oldest first."""

    def of_person(self, person_id: str) -> list[Heir]:
        """Those in which somebody is the heir, the oldest first."""


class HeirDesk:
    """Proposes, decides, and says what somebody may see now."""

    def __init__(
        self,
        heirs: HeirStore,
        people: People,
        death_of: Callable[[str], Death],
        now: Callable[[], datetime],
    ) -> None:
        self._heirs = heirs
        self._people = people
        self._death_of = death_of
        self._now = now

    def of_death(self, death_id: str) -> list[Heir]:
        """Those of one death, the oldest first."""
        return self._heirs.of_death(death_id)

    def propose(
        self, new_id: str, death: Death, person_id: str, relation: str, evidence_kind: str, by: str
    ) -> Heir:
        """Put down what a registrar was shown. It gives nothing yet. The same id again is the same.

        Raises:
            HeirStepRefused: the death is not confirmed, or the heir is the person or has died as well.
        """
        if not _closed(death) or person_id == death.citizen_id or self._people.facts(person_id).deceased:
            raise HeirStepRefused(death.id)
        line = Line("propose", by, self._now())
        made = Heir(new_id, death.id, death.citizen_id, person_id, relation, evidence_kind, (line,))
        try:
            self._heirs.add(made)
        except Taken:
            return self.get(death.id, new_id)
        return made

    def get(self, death_id: str, heir_id: str) -> Heir:
        """One of a death. Raises HeirUnknown."""
        found = self._heirs.get(heir_id)
        if found is None or found.death_id != death_id:
            raise HeirUnknown(heir_id)
        return found

    def decide(self, death: Death, heir_id: str, decision: HeirDecision, by: str) -> Heir:
        """Give what was proposed, refuse it, or end it.

        Raises:
            HeirUnknown, SecondPersonNeeded, StaleVersion.
            HeirStepRefused: there is no such step, or the death is not confirmed any more.
        """
        found = self.get(death.id, heir_id)
        decided = found.decided(decision, by, self._now())
        if decision == "give" and not _closed(death):
            raise HeirStepRefused(heir_id)
        self._heirs.save(decided, expected=found.version)
        return decided

    def standing(self, person_id: str) -> list[Heir]:
        """What somebody may see now as an heir."""
        return [one for one in self._heirs.of_person(person_id) if self._stands(one)]

    def seen_by(self, person_id: str, heir_id: str) -> Heir:
        """One that this person may see now; all else is as if it were not there. Raises HeirUnknown."""
        found = self._heirs.get(heir_id)
        if found is None or found.heir_id != person_id or not self._stands(found):
            raise HeirUnknown(heir_id)
        return found

    def _stands(self, heir: Heir) -> bool:
        if not heir.stands_at(self._now()) or not _closed(self._death_of(heir.death_id)):
            return False
        try:
            return self._people.facts(heir.citizen_id).deceased
        except CitizenUnknown:
            return False


def _closed(death: Death) -> bool:
    """Whether the book is closed by this death, and all that follows is carried out."""
    return death.state == "confirmed" and death.done


class MemoryHeirs:
    """`HeirStore` in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, Heir] = {}

    def add(self, heir: Heir) -> None:
        """Keep a new one."""
        with self._lock:
            if heir.id in self._rows:
                raise Taken("heir")
            self._rows[heir.id] = heir

    def get(self, heir_id: str) -> Heir | None:
        """One of them."""
        return self._rows.get(heir_id)

    def save(self, heir: Heir, *, expected: int) -> None:
        """Put it in the place of a version."""
        with self._lock:
            found = self._rows.get(heir.id)
            if found is None or found.version != expected:
                raise StaleVersion("heir")
            self._rows[heir.id] = heir

    def of_death(self, death_id: str) -> list[Heir]:
        """Those of one death."""
        return sorted((o for o in self._rows.values() if o.death_id == death_id), key=lambda o: o.place)

    def of_person(self, person_id: str) -> list[Heir]:
        """Those in which somebody is the heir."""
        return sorted((o for o in self._rows.values() if o.heir_id == person_id), key=lambda o: o.place)
