"""Safety flags: violence or abuse is suspected, so whoever acts for the person must not learn of a visit.

A flag covers what one organisation does for one person from an instant on. What it covers vanishes for every
companion as if it had never been, and so does the flag: nothing that a companion is answered tells of either.
What a companion may have seen before that instant stays, because its vanishing would tell as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Literal, Protocol

from consent.predicate import SAFETY
from wallet_api.records.errors import RecordNotFound

FlagKind = Literal["domestic_violence", "child_abuse"]
_NOTHING: frozenset[str] = frozenset()
_HIDDEN = frozenset({SAFETY})


@dataclass(frozen=True)
class SafetyFlag:
    """A flag. `since` is the first instant it covers; `set_by` an ops person or a practitioner."""

    id: str
    citizen_id: str
    organisation_id: str
    kind: FlagKind = field(repr=False)
    since: datetime
    set_by: str
    set_at: datetime
    lifted_at: datetime | None = None

    def covers(self, organisation_id: str | None, at: datetime) -> bool:
        """Whether what this organisation did then is not for companions."""
        return self.lifted_at is None and organisation_id == self.organisation_id and at >= self.since


class FlagStore(Protocol):
    """Flags by person."""

    def add(self, flag: SafetyFlag) -> None:
        """Keep a flag; one whose id is there stays as it is."""

    def of(self, citizen_id: str) -> Sequence[SafetyFlag]:
        """The person's flags that were not lifted."""

    def of_many(self, citizen_ids: Collection[str]) -> Sequence[SafetyFlag]:
        """The flags of several people that were not lifted."""

    def get(self, flag_id: str) -> SafetyFlag | None:
        """One flag, lifted ones too."""

    def lift(self, flag_id: str, at: datetime) -> None:
        """Lift it; the first time counts."""


class Written(Protocol):
    """What of the records this needs."""

    def hide_written(self, citizen_id: str, organisation_id: str, since: datetime, audience: str) -> None:
        """Hide all that the organisation filed from an instant on from an audience."""

    def show_written(self, citizen_id: str, organisation_id: str, audience: str) -> None:
        """Show all that was hidden from the audience of what the organisation filed."""


class SafetyDesk:
    """Sets and lifts flags, and tells what they cover."""

    def __init__(self, flags: FlagStore, records: Written) -> None:
        self._flags = flags
        self._records = records

    def set(self, flag: SafetyFlag) -> SafetyFlag:
        """Raise a flag. What it covers is hidden when this returns; once more finishes what broke off."""
        self._flags.add(flag)
        self.settle(flag.citizen_id)
        return flag

    def lift(self, flag_id: str, at: datetime) -> SafetyFlag:
        """Take a flag down: what no other flag covers is shown again.

        Raises:
            RecordNotFound: there is no such flag.
        """
        found = self._flags.get(flag_id)
        if found is None:
            raise RecordNotFound(flag_id)
        self._flags.lift(flag_id, at)
        self._records.show_written(found.citizen_id, found.organisation_id, SAFETY)
        self.settle(found.citizen_id)
        return found if found.lifted_at is not None else replace(found, lifted_at=at)

    def of(self, citizen_id: str) -> Sequence[SafetyFlag]:
        """The flags over a person."""
        return self._flags.of(citizen_id)

    def hidden_for(self, citizen_id: str, organisation_id: str, at: datetime) -> frozenset[str]:
        """From whom a record that the organisation files now is hidden from its first moment on."""
        covered = any(each.covers(organisation_id, at) for each in self._flags.of(citizen_id))
        return _HIDDEN if covered else _NOTHING

    def hidden_for_many(self, citizen_ids: Collection[str]) -> Callable[[str, str, datetime], frozenset[str]]:
        """`hidden_for` of these people, over the flags of this moment."""
        flags = self._flags.of_many(citizen_ids)

        def hidden(citizen_id: str, organisation_id: str, at: datetime) -> frozenset[str]:
            mine = (each for each in flags if each.citizen_id == citizen_id)
            return _HIDDEN if any(each.covers(organisation_id, at) for each in mine) else _NOTHING

        return hidden

    def settle_many(self, citizen_ids: Collection[str]) -> None:
        """`settle` each of them over whom there is a flag."""
        for each in sorted({flag.citizen_id for flag in self._flags.of_many(citizen_ids)}):
            self.settle(each)

    def settle(self, citizen_id: str) -> None:
        """Hide what a flag covers and was filed while the flag was being raised."""
        for each in self._flags.of(citizen_id):
            self._records.hide_written(citizen_id, each.organisation_id, each.since, SAFETY)


class MemoryFlags:
    """`FlagStore` in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flags: dict[str, SafetyFlag] = {}

    def add(self, flag: SafetyFlag) -> None:
        """Keep a flag."""
        with self._lock:
            self._flags.setdefault(flag.id, flag)

    def of(self, citizen_id: str) -> list[SafetyFlag]:
        """The person's flags that were not lifted."""
        found = [each for each in self._flags.values() if each.citizen_id == citizen_id]
        return [each for each in found if each.lifted_at is None]

    def of_many(self, citizen_ids: Collection[str]) -> list[SafetyFlag]:
        """The flags of several people that were not lifted."""
        return [flag for each in sorted(set(citizen_ids)) for flag in self.of(each)]

    def get(self, flag_id: str) -> SafetyFlag | None:
        """One flag."""
        return self._flags.get(flag_id)

    def lift(self, flag_id: str, at: datetime) -> None:
        """Lift it."""
        with self._lock:
            found = self._flags[flag_id]
            if found.lifted_at is None:
                self._flags[flag_id] = replace(found, lifted_at=at)
