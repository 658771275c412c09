"""The desk: takes requests, moves them on by compare-and-set, and has them carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from wallet_api.rights.erasure import Eraser, Erasing
from wallet_api.rights.errors import (
    RightsRequestNotFound,
    RightsStepRefused,
    StaleRightsRequest,
    TooManyRightsRequests,
)
from wallet_api.rights.model import Kind, Relation, RightsRequest, Step

MOST_OPEN: Final = 20
"""Open requests of one person."""
Journal = Callable[[RightsRequest], None]
"""Writes the act into the access log, durably; what it raises stops the act that follows."""


class RightsRequests(Protocol):
    """Requests, durable when a call returns; never deleted. Places are those of a `RightsRequest`."""

    def add(self, request: RightsRequest) -> None:
        """Keep a new request; one that is there already under this id is left as it is."""

    def get(self, request_id: str) -> RightsRequest | None:
        """One request."""

    def save(self, request: RightsRequest, *, expected: int) -> None:
        """Put a new version in the place of `expected`, or raise StaleRightsRequest."""

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[RightsRequest]:
        """A person's requests before a place, newest first; those made in one relation, or all."""

    def by_deadline(self, *, open: bool, after: str | None, limit: int) -> list[RightsRequest]:
        """Requests of everybody after a due place, the nearest deadline first."""

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""

    def erasing(self, limit: int) -> list[RightsRequest]:
        """Requests whose erasure has begun and is not done."""


class Carrying(Erasing, Protocol):
    """What the wallet does when a request is carried out. Every call may be repeated."""

    def withdraw_all(self, request: RightsRequest) -> None:
        """End every consent of the person. Each has stopped working when this returns."""


@dataclass(frozen=True)
class Asked:
    """What somebody asks for."""

    id: str
    citizen_id: str
    kind: Kind
    details: str | None
    by: str
    relation: Relation


class RightsDesk:
    """Takes requests and moves them on. What opens is logged first; what closes acts first."""

    def __init__(
        self,
        requests: RightsRequests,
        carrying: Carrying,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        note: Journal,
    ) -> None:
        """`note` logs what the desk goes on with by itself."""
        self._note = note
        self._requests = requests
        self._carrying = carrying
        self._now = now
        self._eraser = Eraser(carrying, now, new_id)

    def ask(self, asked: Asked, journal: Journal) -> RightsRequest:
        """Take a request; its clocks run from now. Raises TooManyRightsRequests."""
        if self._requests.open_of(asked.citizen_id) >= MOST_OPEN:
            raise TooManyRightsRequests(asked.citizen_id)
        now = self._now()
        made = RightsRequest(
            id=asked.id,
            citizen_id=asked.citizen_id,
            kind=asked.kind,
            version=1,
            state="received",
            asked_at=now,
            asked_by=asked.by,
            relation=asked.relation,
            details=asked.details,
            history=(Step("received", asked.by, now),),
        )
        self._requests.add(made)
        journal(made)
        return made

    def get(self, request_id: str) -> RightsRequest:
        """One request. Raises RightsRequestNotFound."""
        found = self._requests.get(request_id)
        if found is None:
            raise RightsRequestNotFound(request_id)
        return found

    def of_person(self, citizen_id: str, request_id: str, relation: Relation) -> RightsRequest:
        """One request of a person; to a guardian only what was asked by one.

        Raises RightsRequestNotFound for anything else: absent, another's, or the person's own business.
        """
        found = self.get(request_id)
        if found.citizen_id != citizen_id or (relation == "guardian" and found.relation != "guardian"):
            raise RightsRequestNotFound(request_id)
        return found

    def listed(
        self, citizen_id: str, relation: Relation, before: str | None, limit: int
    ) -> list[RightsRequest]:
        """A person's requests, newest first; to a guardian only what was asked by one."""
        seen: Relation | None = "guardian" if relation == "guardian" else None
        return self._requests.of_citizen(citizen_id, seen, before, limit)

    def by_deadline(self, *, open: bool, after: str | None, limit: int) -> list[RightsRequest]:
        """Everybody's requests, the nearest deadline first."""
        return self._requests.by_deadline(open=open, after=after, limit=limit)

    def overdue(self, today: date) -> int:
        """How many open requests are overdue."""
        return self._requests.overdue(today)

    def move(
        self,
        request_id: str,
        expected: frozenset[str],
        step: Callable[[RightsRequest, datetime], RightsRequest],
        journal: Journal,
    ) -> RightsRequest:
        """Take a step that only writes, from a version that was read (as its tag says it).

        Raises RightsRequestNotFound, StaleRightsRequest, RightsStepRefused.
        """
        found = self._expected(request_id, expected)
        moved = step(found, self._now())
        journal(moved)
        self._requests.save(moved, expected=found.version)
        return moved

    def complete(
        self, request_id: str, expected: frozenset[str], by: str, reason: str | None, journal: Journal
    ) -> RightsRequest:
        """Carry out. An erasure is decided by this and done a while later; asking again goes on with it.

        Raises RightsRequestNotFound, StaleRightsRequest, RightsStepRefused.
        """
        found = self._expected(request_id, expected)
        if found.rule.acts == "erase":
            return self._erase(found, by, reason, journal)
        now = self._now()
        moved = found.completed(by, now, reason)
        if found.rule.acts == "restrict":
            self._carrying.restrict(found.citizen_id, found.id, on=True)
        elif found.rule.acts == "withdraw":
            self._carrying.withdraw_all(found)
        try:
            journal(moved)
            self._requests.save(moved, expected=found.version)
        except StaleRightsRequest:
            self._undo(found)
            raise
        return moved

    def take_back(
        self, found: RightsRequest, relation: Relation, by: str, check: Callable[[], None], journal: Journal
    ) -> RightsRequest:
        """Cancel what waits, or lift a restriction; `check` is asked before anything is opened.

        What the person asked for is not a guardian's to lift. Raises StaleRightsRequest, RightsStepRefused.
        """
        if found.state == "lifted":
            self._carrying.restrict(found.citizen_id, found.id, on=False)
            return found
        moved = found.taken_back(by, self._now())
        if moved.state == "lifted":
            if relation == "guardian" and found.relation != "guardian":
                raise RightsStepRefused(found.id)
            check()
        journal(moved)
        self._requests.save(moved, expected=found.version)
        if moved.state == "lifted":
            self._carrying.restrict(found.citizen_id, found.id, on=False)
        return moved

    def settle(self, limit: int = 100) -> int:
        """Go on with erasures that were begun: after a crash, and when their time to settle has come.

        Returns how many were brought to their end. Safe to run in many processes at once.
        """
        ended = 0
        for each in self._requests.erasing(limit):
            try:
                ended += self._erase(each, "wallet", None, self._note).state == "completed"
            except StaleRightsRequest:
                continue  # another process takes the same step
        return ended

    def _erase(self, found: RightsRequest, by: str, reason: str | None, journal: Journal) -> RightsRequest:
        if found.state != "carrying_out":
            decided = self._eraser.decide(found, by, reason)
            journal(decided)
            self._requests.save(decided, expected=found.version)
            found = decided
        erasure = found.erasure
        if erasure is None:
            raise RightsStepRefused(found.id)
        if erasure.settles_at is not None and self._now() < erasure.settles_at:
            return found
        moved = self._eraser.go_on(found, by)
        journal(moved)
        self._requests.save(moved, expected=found.version)
        return moved

    def _undo(self, found: RightsRequest) -> None:
        """Somebody else was first: a restriction stays only if that was carried out too."""
        there = self._requests.get(found.id)
        if found.rule.acts == "restrict" and (there is None or there.state != "completed"):
            self._carrying.restrict(found.citizen_id, found.id, on=False)

    def _expected(self, request_id: str, expected: frozenset[str]) -> RightsRequest:
        found = self.get(request_id)
        if str(found.version) not in expected:
            raise StaleRightsRequest(request_id)
        return found
