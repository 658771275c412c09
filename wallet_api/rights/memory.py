"""The desk's storage in memory: the same promises, as long as the process lives. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

from wallet_api.rights.errors import StaleRightsRequest
from wallet_api.rights.model import Relation, RightsRequest


class MemoryRightsRequests:
    """`desk.RightsRequests` in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, RightsRequest] = {}

    def add(self, request: RightsRequest) -> None:
        """Keep a new request."""
        with self._lock:
            self._rows.setdefault(request.id, request)

    def get(self, request_id: str) -> RightsRequest | None:
        """One request."""
        return self._rows.get(request_id)

    def save(self, request: RightsRequest, *, expected: int) -> None:
        """Put a new version in the place of `expected`."""
        with self._lock:
            found = self._rows.get(request.id)
            if found is None or found.version != expected:
                raise StaleRightsRequest(request.id)
            self._rows[request.id] = request

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[RightsRequest]:
        """A person's requests, newest first."""
        theirs = self._where(lambda each: each.citizen_id == citizen_id and relation in (None, each.relation))
        older = [each for each in theirs if before is None or each.place < before]
        return sorted(older, key=lambda each: each.place, reverse=True)[:limit]

    def by_deadline(self, *, open: bool, after: str | None, limit: int) -> list[RightsRequest]:
        """Requests of everybody, the nearest deadline first."""
        found = self._where(lambda each: each.open == open and (after is None or each.due_place > after))
        return sorted(found, key=lambda each: each.due_place)[:limit]

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""
        return len(self._where(lambda each: each.citizen_id == citizen_id and each.open))

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""
        return len(self._where(lambda each: each.overdue(today)))

    def erasing(self, limit: int) -> list[RightsRequest]:
        """Requests whose erasure has begun and is not done."""
        return self._where(lambda each: each.state == "carrying_out")[:limit]

    def _where(self, holds: Callable[[RightsRequest], bool]) -> list[RightsRequest]:
        with self._lock:
            return [each for each in self._rows.values() if holds(each)]
