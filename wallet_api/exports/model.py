"""An export: what was asked for, by whom, and how far it is. The file itself is kept apart, in parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

Relation = Literal["self", "guardian"]
Format = Literal["pdf", "fhir"]
Scope = Literal["book", "encounter"]
State = Literal["queued", "making", "ready", "failed"]
Locale = Literal["vi", "en"]

LEASE: Final = timedelta(seconds=60)
"""For how long whoever makes a file has it to itself; each step on the way asks for as long again."""
MOST_TRIES: Final = 3
"""How often a file is begun; what ends three workers would end a fourth."""


@dataclass(frozen=True)
class Export:
    """One version of one export. `made_by` alone may have it; `due_at` is when a worker may take it up.

    `tries` tells the parts of one making from those of a worker that died on the way. `progress` is in
    per cent. `reason` says why a failed one failed, as a code.
    """

    id: str
    citizen_id: str
    made_by: str
    relation: Relation
    client_id: str
    format: Format
    scope: Scope
    encounter_id: str | None
    locale: Locale
    asked_at: datetime
    expires_at: datetime
    due_at: datetime
    version: int = 1
    state: State = "queued"
    tries: int = 0
    progress: int = 0
    parts: int = 0
    size: int = 0
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether a worker still has something to do."""
        return self.state in ("queued", "making")

    def over_at(self, now: datetime) -> bool:
        """Whether its time is over."""
        return now >= self.expires_at

    def taken(self, now: datetime) -> Export:
        """In a worker's hands, for a while."""
        return self._next(state="making", tries=self.tries + 1, progress=0, due_at=now + LEASE)

    def moved(self, progress: int, now: datetime) -> Export:
        """Further on."""
        return self._next(progress=min(99, progress), due_at=now + LEASE)

    def done(self, parts: int, size: int) -> Export:
        """Ready to be handed over."""
        return self._next(state="ready", progress=100, parts=parts, size=size)

    def failed(self, reason: str) -> Export:
        """Given up."""
        return self._next(state="failed", reason=reason)

    def log_detail(self) -> dict[str, str | int | bool]:
        """What the access log tells of it: ids and codes."""
        return {"export": self.id, "format": self.format, "scope": self.scope}

    def _next(self, **changes: object) -> Export:
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]  # own names above
