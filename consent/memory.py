"""The ports kept in memory: for tests, and for using this package without a database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from threading import RLock

from consent.errors import StaleVersion
from consent.model import ConsentRequest, Grant, LiveGrant, Standing
from consent.ports import Before, Spend, Unit


class MemoryConsents:
    """`Consents` in this process. One lock makes each call whole."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._requests: dict[str, ConsentRequest] = {}
        self._grants: dict[str, Grant] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._used: set[tuple[str, str]] = set()

    def add_request(self, request: ConsentRequest, spend: Spend | None = None) -> None:
        """Keep a new request, and spend what it was bought with."""
        with self._lock:
            if request.id in self._requests:
                return
            if spend is not None:
                spend(None)
            self._requests[request.id] = request

    def request(self, citizen_id: str, request_id: str) -> ConsentRequest | None:
        """One request of this citizen."""
        found = self._requests.get(request_id)
        return found if found is not None and found.citizen_id == citizen_id else None

    def requests_of(
        self,
        citizen_id: str,
        limit: int,
        without: frozenset[str] = frozenset(),
        before: Before | None = None,
    ) -> list[ConsentRequest]:
        """The citizen's newest requests but for those of some organisations, newest first."""
        mine = [
            request
            for request in self._requests.values()
            if request.citizen_id == citizen_id
            and request.scope.organisation_id not in without
            and (before is None or (request.created_at, request.id) < before)
        ]
        return sorted(mine, key=lambda each: (each.created_at, each.id), reverse=True)[:limit]

    def save_request(self, request: ConsentRequest, *, expected: int) -> None:
        """Put a new version of the request in the place of the old."""
        with self._lock:
            self._check(self._requests.get(request.id), expected)
            self._requests[request.id] = request

    def approve(self, request: ConsentRequest, grant: Grant, *, expected: int) -> None:
        """Close the request, keep the grant, make it live."""
        with self._lock:
            kept = self._requests.get(request.id)
            if kept is not None and kept.citizen_id == request.citizen_id and kept.grant_id == grant.id:
                return  # the same act, once more
            self.save_request(request, expected=expected)
            self._grants[grant.id] = grant
            self._shift(grant, add=_live(grant))

    def grant(self, citizen_id: str, grant_id: str) -> Grant | None:
        """One grant of this citizen."""
        found = self._grants.get(grant_id)
        return found if found is not None and found.citizen_id == citizen_id else None

    def grants_of(self, citizen_id: str, limit: int, before: Before | None = None) -> list[Grant]:
        """The citizen's newest grants, newest first."""
        mine = [
            grant
            for grant in self._grants.values()
            if grant.citizen_id == citizen_id and (before is None or (grant.granted_at, grant.id) < before)
        ]
        return sorted(mine, key=lambda each: (each.granted_at, each.id), reverse=True)[:limit]

    def grants_named(self, citizen_id: str, grant_ids: Collection[str]) -> list[Grant]:
        """Those of these grants that are this citizen's."""
        found = (self.grant(citizen_id, grant_id) for grant_id in set(grant_ids))
        return [each for each in found if each is not None]

    def give(self, grant: Grant, along: Spend | None = None) -> None:
        """Keep a grant that answers no request and make it live."""
        with self._lock:
            if grant.id not in self._grants:
                if along is not None:
                    along(None)
                self._grants[grant.id] = grant
                self._shift(grant, add=_live(grant))

    def hold(self, grant: Grant, *, expected: int) -> None:
        """Replace the grant by its form with another state and `holds_until`."""
        with self._lock:
            self._check(self._grants.get(grant.id), expected)
            self._grants[grant.id] = grant
            key = (grant.citizen_id, grant.scope.organisation_id)
            now = self.standing(*key)
            live = tuple(
                replace(each, holds_until=grant.holds_until) if each.id == grant.id else each
                for each in now.live
            )
            self._standings[key] = replace(now, epoch=now.epoch + 1, live=live)

    def end(self, grant: Grant, *, expected: int) -> None:
        """Replace the grant by its ended form and take it off the standing."""
        with self._lock:
            self._check(self._grants.get(grant.id), expected)
            self._grants[grant.id] = grant
            self._shift(grant)

    def narrow(self, old: Grant, new: Grant, *, expected: int) -> None:
        """Replace `old` by `new` in one step, with the uses `old` had left at most."""
        with self._lock:
            self._check(self._grants.get(old.id), expected)
            self._grants[old.id], self._grants[new.id] = old, new
            left = _uses_left(self.standing(old.citizen_id, old.scope.organisation_id), old.id)
            self._shift(old, add=_live(new, left))

    def standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """How the two stand now."""
        with self._lock:
            return self._standings.get((citizen_id, organisation_id), Standing())

    def settled_standing(self, citizen_id: str, organisation_id: str) -> Standing:
        """The same: this memory has no other state."""
        return self.standing(citizen_id, organisation_id)

    def standings_of(self, citizen_id: str) -> dict[str, Standing]:
        """How the citizen and every organisation stand."""
        with self._lock:
            return {org: each for (who, org), each in self._standings.items() if who == citizen_id}

    def note_hiding(self, citizen_id: str) -> None:
        """Raise `hidings` in every standing of the citizen."""
        with self._lock:
            for key, each in self._standings.items():
                if key[0] == citizen_id:
                    self._standings[key] = replace(each, hidings=each.hidings + 1)

    def use(
        self,
        citizen_id: str,
        organisation_id: str,
        grant_id: str,
        act: str | None = None,
        at: datetime | None = None,
    ) -> bool:
        """Count one use, atomically; an act counts once."""
        with self._lock:
            if act is not None and (grant_id, act) in self._used:
                return any(each.id == grant_id for each in self.standing(citizen_id, organisation_id).live)
            standing = self.standing(citizen_id, organisation_id)
            for grant in standing.live:
                if grant.id == grant_id and grant.uses_left != 0:
                    self._count(citizen_id, organisation_id, standing, grant, -1, at)
                    if act is not None:
                        self._used.add((grant_id, act))
                    return True
            return False

    def unuse(self, citizen_id: str, organisation_id: str, grant_id: str, act: str | None = None) -> None:
        """Give one counted use back."""
        with self._lock:
            if act is not None and (grant_id, act) not in self._used:
                return
            self._used.discard((grant_id, act or ""))
            standing = self.standing(citizen_id, organisation_id)
            for grant in standing.live:
                if grant.id == grant_id and grant.uses_left is not None:
                    self._count(citizen_id, organisation_id, standing, grant, 1)

    def set_blocked(self, citizen_id: str, organisation_id: str, *, blocked: bool) -> None:
        """Put the organisation on, or take it off, the deny list."""
        with self._lock:
            now = self.standing(citizen_id, organisation_id)
            changed = replace(now, blocked=blocked, epoch=now.epoch + 1)
            self._standings[citizen_id, organisation_id] = changed

    def blocked_by(self, citizen_id: str) -> list[str]:
        """The organisations this citizen blocks, sorted."""
        return sorted(
            org for (who, org), each in self._standings.items() if who == citizen_id and each.blocked
        )

    @staticmethod
    def _check(stored: ConsentRequest | Grant | None, expected: int) -> None:
        if stored is None or stored.version != expected:
            raise StaleVersion("version")

    def _shift(self, grant: Grant, add: LiveGrant | None = None) -> None:
        key = (grant.citizen_id, grant.scope.organisation_id)
        now = self.standing(*key)
        kept = tuple(
            each
            for each in now.live
            if each.id != grant.id and (add is None or each.scope.expires_at > grant.granted_at)
        )
        live = (*kept, add) if add else kept
        self._standings[key] = replace(now, epoch=now.epoch + 1, live=live, known=True)

    def _count(
        self,
        citizen_id: str,
        organisation_id: str,
        standing: Standing,
        used: LiveGrant,
        step: int,
        at: datetime | None = None,
    ) -> None:
        left = None if used.uses_left is None else used.uses_left + step
        counted = replace(used, uses_left=left, used_at=at or used.used_at)
        live = tuple(counted if each.id == used.id else each for each in standing.live)
        self._standings[citizen_id, organisation_id] = replace(standing, live=live)


class MemoryVisitCodes:
    """`VisitCodes` in this process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._codes: dict[str, tuple[str, datetime]] = {}
        self._taken: set[str] = set()

    def add(self, digest: str, citizen_id: str, expires_at: datetime) -> None:
        """Keep a new code."""
        with self._lock:
            self._codes.setdefault(digest, (citizen_id, expires_at))

    def shown(self, digest: str, now: datetime) -> str | None:
        """The citizen behind a live code, which stays live."""
        with self._lock:
            citizen_id, expires_at = self._codes.get(digest, (None, now))
            return citizen_id if now < expires_at and digest not in self._taken else None

    def take(self, digest: str, now: datetime, unit: Unit = None) -> bool:
        """Use a live code up, once."""
        with self._lock:
            live = self.shown(digest, now) is not None
            self._taken.add(digest)
            return live


def _live(grant: Grant, left: int | None = None) -> LiveGrant:
    limits = [each for each in (grant.scope.uses, left) if each is not None]
    return LiveGrant(grant.id, grant.scope, min(limits) if limits else None, grant.holds_until)


def _uses_left(standing: Standing, grant_id: str) -> int | None:
    return next((each.uses_left for each in standing.live if each.id == grant_id), None)
