"""The desk for merges: what two people of ops agree on is carried out, and undone by two people as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Protocol

from wallet_api.identity.errors import MergeConflict, MergeStepRefused, MergeUnknown, StaleVersion, Taken
from wallet_api.identity.merging import (
    MADE,
    Grounds,
    Merge,
    MergeDecision,
    MergeLine,
    MergeState,
    check_identities,
)
from wallet_api.identity.model import Citizen
from wallet_api.infra.clock import vn_day


class MergeStore(Protocol):
    """Merges, durable when a call returns; never deleted."""

    def add(self, merge: Merge) -> None:
        """Keep a new one.

        Raises:
            Taken: the id is in use, or another merge that stands absorbs this book.
        """

    def get(self, merge_id: str) -> Merge | None:
        """One of them."""

    def save(self, merge: Merge, *, expected: int) -> None:
        """Put it in the place of version `expected`. Raises StaleVersion."""

    def listed(self, state: MergeState, after: str | None, limit: int) -> list[Merge]:
        """Those in one state after a place, the oldest first."""

    def of(self, citizen_id: str) -> list[Merge]:
        """Every merge a book is part of, the oldest first."""


def books_of(merges: MergeStore, citizen_id: str) -> tuple[str, ...]:
    """All books of the person whose book is named, that one first: what continues in which, either way."""
    found = [each for each in merges.of(citizen_id) if each.in_force]
    roots = {each.surviving_id for each in found} - {citizen_id}
    found += [each for root in roots for each in merges.of(root) if each.in_force]
    ids = {name for each in found for name in (each.surviving_id, each.absorbed_id)}
    return (citizen_id, *sorted(ids - {citizen_id}))


class MergeEffects(Protocol):
    """What a merge does to the rest of the wallet. Each call may be repeated, and then changes nothing."""

    def citizen(self, citizen_id: str) -> Citizen:
        """One of the two. Raises CitizenUnknown."""

    def related(self, one_id: str, other_id: str) -> bool:
        """Whether one of them ever acted for the other, so that they are two people."""

    def found(self, merge: Merge) -> Merge:
        """The merge with all that it will close and every relation it will join added to what it names."""

    def shut(self, merge: Merge) -> None:
        """Close either book to whom the other is closed."""

    def join(self, merge: Merge) -> None:
        """Let the absorbed book continue in the other."""

    def part(self, merge: Merge) -> None:
        """The opposite of `join`."""

    def open(self, merge: Merge) -> None:
        """The opposite of `shut`, of what the merge itself had closed."""


class MergeDesk:
    """Proposals and decisions. What was begun and not finished is finished by deciding the same again."""

    def __init__(self, merges: MergeStore, effects: MergeEffects, now: Callable[[], datetime]) -> None:
        self._merges = merges
        self._effects = effects
        self._now = now

    def get(self, merge_id: str) -> Merge:
        """One merge. Raises MergeUnknown."""
        found = self._merges.get(merge_id)
        if found is None:
            raise MergeUnknown(merge_id)
        return found

    def listed(self, state: MergeState, after: str | None, limit: int) -> list[Merge]:
        """Those in one state, the oldest first."""
        return self._merges.listed(state, after, limit)

    def of(self, citizen_id: str) -> list[Merge]:
        """Every merge a book is part of, the oldest first."""
        return self._merges.of(citizen_id)

    def books_with(self, citizen_id: str) -> tuple[str, ...]:
        """The books that continue in this one now. One read."""
        found = self._merges.of(citizen_id)
        return tuple(each.absorbed_id for each in found if each.in_force and each.surviving_id == citizen_id)

    def books_of(self, citizen_id: str) -> tuple[str, ...]:
        """All books of the person whose book is named, that one first."""
        return books_of(self._merges, citizen_id)

    def propose(self, merge_id: str, surviving_id: str, absorbed_id: str, grounds: Grounds, by: str) -> Merge:
        """Keep what a registrar was shown. It changes nothing else until a second person confirms it.

        Raises:
            CitizenUnknown. MergeConflict: by what is known they are two people.
            MergeStepRefused: a merge that stands absorbs this book already.
        """
        self._check(surviving_id, absorbed_id, grounds)
        line = MergeLine("propose", by, self._now(), grounds.reason)
        made = Merge(merge_id, surviving_id, absorbed_id, grounds, (line,))
        try:
            self._merges.add(made)
        except Taken as why:
            raise MergeStepRefused(merge_id) from why
        return made

    def object(self, merge_id: str, citizen_id: str, by: str) -> Merge:
        """One of the people concerned stops a proposal; objecting again changes nothing.

        Raises:
            MergeUnknown: there is none, or it is about others. MergeStepRefused: it does not wait any more.
            StaleVersion: somebody else changed it first.
        """
        found = self.get(merge_id)
        if not found.concerns(citizen_id):
            raise MergeUnknown(merge_id)
        if found.state == "objected":
            return found
        changed = found.objected(by, self._now())
        self._merges.save(changed, expected=found.version)
        return changed

    def decide(self, merge_id: str, decision: MergeDecision, by: str, reason: str | None) -> Merge:
        """Decide, and carry it out; in force when this returns. The same again finishes what was begun.

        Raises:
            MergeUnknown, SecondPersonNeeded, MergeStepRefused, MergeConflict: what is known of the two has
            changed; StaleVersion: somebody else decided first.
        """
        found = self.get(merge_id)
        if found.state != MADE[decision] or found.history[-1].event != decision:
            decided = found.decided(decision, by, self._now(), reason)
            if decision == "confirm":
                self._check(found.surviving_id, found.absorbed_id, found.grounds)
            self._merges.save(decided, expected=found.version)
            found = decided
        if found.done:
            return found
        return self._joined(found) if found.state == "joined" else self._parted(found)

    def _check(self, surviving_id: str, absorbed_id: str, grounds: Grounds) -> None:
        surviving, absorbed = self._effects.citizen(surviving_id), self._effects.citizen(absorbed_id)
        check_identities(surviving, absorbed, grounds, vn_day(self._now()))
        if self._effects.related(surviving_id, absorbed_id):
            raise MergeConflict("one acts for the other")

    def _joined(self, merge: Merge) -> Merge:
        # First what closes, then what shows: nobody sees more in between than before or after.
        merge = self._kept(self._effects.found(merge), merge)
        self._effects.shut(merge)
        self._effects.join(merge)
        return self._kept(replace(merge, done=True), merge)

    def _parted(self, merge: Merge) -> Merge:
        self._effects.part(merge)
        self._effects.open(merge)
        return self._kept(replace(merge, done=True), merge)

    def _kept(self, changed: Merge, before: Merge) -> Merge:
        if changed == before:
            return before
        changed = replace(changed, version=before.version + 1)
        self._merges.save(changed, expected=before.version)
        return changed


class MemoryMerges:
    """`MergeStore` in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, Merge] = {}

    def add(self, merge: Merge) -> None:
        """Keep a new one."""
        with self._lock:
            absorbed = {one.absorbed_id for one in self._rows.values() if one.stands}
            if merge.id in self._rows or merge.absorbed_id in absorbed:
                raise Taken("merge")
            self._rows[merge.id] = merge

    def get(self, merge_id: str) -> Merge | None:
        """One of them."""
        return self._rows.get(merge_id)

    def save(self, merge: Merge, *, expected: int) -> None:
        """Put it in the place of a version."""
        with self._lock:
            found = self._rows.get(merge.id)
            if found is None or found.version != expected:
                raise StaleVersion("merge")
            self._rows[merge.id] = merge

    def listed(self, state: MergeState, after: str | None, limit: int) -> list[Merge]:
        """Those in one state after a place."""
        found = sorted((one for one in self._rows.values() if one.state == state), key=lambda one: one.place)
        return [one for one in found if after is None or one.place > after][:limit]

    def of(self, citizen_id: str) -> list[Merge]:
        """Every merge a book is part of."""
        found = [one for one in self._rows.values() if one.concerns(citizen_id)]
        return sorted(found, key=lambda one: one.place)
