"""A rebuild: all stored plans made anew by other rules, previewed first, and let go by a second person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal, Protocol

from notifications.effects import Effect, Part, Range
from notifications.errors import RebuildStepRefused, SecondPersonNeeded

State = Literal["previewing", "waiting", "running", "done", "cancelled"]
OPEN: Final[frozenset[State]] = frozenset({"previewing", "waiting", "running"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a rebuild may do by itself, and how fast. Our choices.

    `alone`: more new reminders than this need a second person. `a_day`: about how many new reminders of
    late doses a day may bring, over at most `longest` days. `a_second`: citizens planned anew by one worker.
    """

    alone: int = 10_000
    a_day: int = 20_000
    longest: int = 28
    a_second: int = 200

    def days_for(self, appear: int) -> int:
        """Over how many days so many new reminders are let in."""
        return max(1, min(self.longest, -(-appear // self.a_day)))


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rebuild would do in the shards that were looked at, and what that says of all it is for.

    `rows`: plans looked at; `failed`: of them, those that could not be judged.
    """

    rows: int
    failed: int
    parts: Mapping[Part, Effect]
    appear: Range
    vanish: Range
    move: Range

    @property
    def total(self) -> Effect:
        """Of all parts, as counted."""
        return sum(self.parts.values(), Effect())


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild. `shards`: what it is for; `looked_at`: the shards of its preview.

    previewing -> done (a dry run) | running | waiting (too much for one person) -> running -> done; it may
    be cancelled until it is done. `rules`: the version it plans by; a worker with other rules leaves it
    alone. `from_day`, `over_days`: when what appears is let in.
    """

    id: str
    rules: str
    dry_run: bool
    shards: tuple[int, ...]
    looked_at: tuple[int, ...]
    asked_by: str
    asked_at: datetime
    state: State = "previewing"
    version: int = 1
    preview: Preview | None = None
    from_day: date | None = None
    over_days: int = 1
    decided_by: str | None = None
    ended_at: datetime | None = None

    @property
    def preview_walk(self) -> str:
        """The walk that counts."""
        return f"{self.id}/preview"

    @property
    def walk(self) -> str:
        """The walk that plans anew."""
        return f"{self.id}/run"

    def previewed(self, found: Preview, bounds: Bounds, today: date, now: datetime) -> Rebuild:
        """The same with its preview: done if that was all, else it goes on or waits for a second person."""
        if self.state != "previewing":
            raise RebuildStepRefused(self.id)
        known = self._moved(preview=found)
        if self.dry_run:
            return replace(known, state="done", ended_at=now)
        if found.appear.high > bounds.alone:
            return replace(known, state="waiting")
        return known._let_go(bounds, today)

    def approved(self, by: str, bounds: Bounds, today: date) -> Rebuild:
        """Let go by somebody else than who asked for it.

        Raises:
            SecondPersonNeeded, RebuildStepRefused: it does not wait.
        """
        if self.state != "waiting":
            raise RebuildStepRefused(self.id)
        if by == self.asked_by:
            raise SecondPersonNeeded(self.id)
        return self._moved(decided_by=by)._let_go(bounds, today)

    def cancelled(self, by: str, now: datetime) -> Rebuild:
        """Stopped; what was planned anew stays so. Raises RebuildStepRefused when it has ended."""
        if self.state not in OPEN:
            raise RebuildStepRefused(self.id)
        return replace(self._moved(decided_by=by), state="cancelled", ended_at=now)

    def finished(self, now: datetime) -> Rebuild:
        """All plans are made anew. Raises RebuildStepRefused when it does not run."""
        if self.state != "running":
            raise RebuildStepRefused(self.id)
        return replace(self._moved(), state="done", ended_at=now)

    def _let_go(self, bounds: Bounds, today: date) -> Rebuild:
        days = 1 if self.preview is None else bounds.days_for(self.preview.appear.high)
        return replace(self, state="running", from_day=today, over_days=days)

    def _moved(self, **change: object) -> Rebuild:
        return replace(self, version=self.version + 1, **change)  # type: ignore[arg-type]  # own fields


class Rebuilds(Protocol):
    """Rebuilds by id."""

    def add(self, rebuild: Rebuild) -> None:
        """Keep a new one; one that is there under this id stays as it is."""
        ...

    def get(self, rebuild_id: str) -> Rebuild | None:
        """One rebuild."""
        ...

    def save(self, rebuild: Rebuild, *, expected: int) -> None:
        """Put it in the place of version `expected`, or raise StaleRebuild."""
        ...

    def newest(self, limit: int) -> Sequence[Rebuild]:
        """Those asked for last, the last first."""
        ...

    def unfinished(self) -> Sequence[Rebuild]:
        """Those that have not ended, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a walk of a rebuild is: shards done of how many, plans looked at, what was found."""

    shards_done: int
    shards: int
    rows: int
    counts: Mapping[str, int] = field(default_factory=dict)
