"""What consent needs of the outside, as promises. `memory.py` keeps them without a database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Protocol

from consent.model import ConsentRequest, Grant, Licence, Standing

Now = Callable[[], datetime]
NewId = Callable[[], str]
Digest = Callable[[str], str]
Before = tuple[datetime, str]
"""Where a page ended: the moment and the id of its last item."""
Unit = Any
"""What several writes are done in as one; None where there is nothing to hold together."""
Spend = Callable[[Unit], None]
"""Spends something inside the unit it is given, or raises, which undoes the unit."""


class Consents(Protocol):
    """Requests, grants and standings. Every change is a compare-and-set, durable when it returns.

    The three are kept in step: a call that touches a request, its grant and the standing changes all
    of them or none.
    """

    def add_request(self, request: ConsentRequest, spend: Spend | None = None) -> None:
        """Keep a new request, and spend what it was bought with, in one step: both or neither.

        A request whose id is there already is kept as it is.

        Raises:
            VisitCodeInvalid: what `spend` raises; nothing was kept.
        """

    def request(self, citizen_id: str, request_id: str) -> ConsentRequest | None:
        """One request of this citizen."""

    def requests_of(
        self,
        citizen_id: str,
        limit: int,
        without: frozenset[str] = frozenset(),
        before: Before | None = None,
    ) -> list[ConsentRequest]:
        """The citizen's newest requests but for those of some organisations, newest first by (time, id)."""

    def save_request(self, request: ConsentRequest, *, expected: int) -> None:
        """Put a new version of the request in the place of the old.

        Raises:
            StaleVersion: the stored version is not `expected`.
        """

    def approve(self, request: ConsentRequest, grant: Grant, *, expected: int) -> None:
        """Close the request as granted, keep the grant, make it live and raise the epoch.

        Live grants whose time is over by `grant.granted_at` leave the standing with this. Approving again
        with the same grant changes nothing.

        Raises:
            StaleVersion: the stored request is not at version `expected`, and not answered with this grant.
        """

    def grant(self, citizen_id: str, grant_id: str) -> Grant | None:
        """One grant of this citizen."""

    def grants_of(self, citizen_id: str, limit: int, before: Before | None = None) -> list[Grant]:
        """The citizen's newest grants, newest first by (time, id)."""

    def grants_named(self, citizen_id: str, grant_ids: Collection[str]) -> list[Grant]:
        """Those of these grants that are this citizen's, in any order."""

    def give(self, grant: Grant, along: Spend | None = None) -> None:
        """Keep a grant that answers no request, make it live and raise the epoch.

        One whose id is there already is kept as it is, and nothing else is done. `along` writes what must
        stand with the grant, in the same unit: all or nothing.
        """

    def hold(self, grant: Grant, *, expected: int) -> None:
        """Replace the grant by its form with another state and `holds_until`; raise the epoch.

        It stays on the standing with the uses it has left; from `holds_until` on it covers nothing.

        Raises:
            StaleVersion: the stored grant is not at version `expected`.
        """

    def end(self, grant: Grant, *, expected: int) -> None:
        """Replace the grant by its ended form, take it off the standing and raise the epoch.

        When this returns, every `standing` that starts afterwards, in any process, lacks the grant.

        Raises:
            StaleVersion: the stored grant is not at version `expected`.
        """

    def narrow(self, old: Grant, new: Grant, *, expected: int) -> None:
        """Replace `old` (now superseded) by `new` in one step and raise the epoch.

        Raises:
            StaleVersion: the stored `old` is not at version `expected`.
        """

    def standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """How the two stand now: the newest state, never a cached or secondary one."""

    def settled_standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """The same, linearizable: it sees every change whose call returned before this one began."""

    def standings_of(self, citizen_id: str) -> dict[str, Standing]:
        """How the citizen and every organisation stand that has a standing, by organisation."""

    def note_hiding(self, citizen_id: str) -> None:
        """Something in this book was hidden: raise `hidings` in every standing, before this returns."""

    def use(
        self,
        citizen_id: str,
        organisation_id: str,
        grant_id: str,
        act: str | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Count one use, atomically; False when none was left or the grant is not live.

        `at` is kept as the time of the last use. An `act` that has counted its use of this grant counts
        none again: True.
        """

    def unuse(self, citizen_id: str, organisation_id: str, grant_id: str, act: str | None = None) -> None:
        """Give one counted use back, because nothing could be had for it; no more than were counted."""

    def set_blocked(self, citizen_id: str, organisation_id: str, *, blocked: bool) -> None:
        """Put the organisation on, or take it off, the citizen's deny list; raises the epoch."""

    def blocked_by(self, citizen_id: str) -> list[str]:
        """The organisations this citizen blocks, sorted."""


class VisitCodes(Protocol):
    """One-time codes a citizen shows in the surgery, kept as digests only."""

    def add(self, digest: str, citizen_id: str, expires_at: datetime) -> None:
        """Keep a new code. One that is there already stays as it is."""

    def shown(self, digest: str, now: datetime) -> str | None:
        """The citizen behind a live code, which stays live."""

    def take(self, digest: str, now: datetime, unit: Unit = None) -> bool:
        """Use a live code up, once: of all callers, however many at once, one is told True."""


LicenceOf = Callable[[str], Licence]
"""An organisation's licence; an unknown or suspended organisation has an empty one."""
