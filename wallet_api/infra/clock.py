"""The only place that reads the clock. Everything else is handed a `Now`."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from wallet_api.infra.logs import say
from wallet_api.settings import Settings

Now = Callable[[], datetime]
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")

CATCH_UP = 0.05
"""How much slower than time itself the steady clock runs while the machine's clock is behind it: a token of
five minutes then lives 16 s longer, less than the leeway of its verifiers."""
_NOTED_EVERY = 1.0  # seconds; what a later process may at most be behind an earlier one
_TOLD_FROM = timedelta(seconds=2)  # smaller steps back are everyday work of time synchronisation


def system_now() -> datetime:
    """This machine's time, aware, UTC, to the millisecond (what the database can hold)."""
    return _millis(datetime.now(UTC))


def vn_day(instant: datetime) -> date:
    """The Vietnamese calendar day an aware instant falls on."""
    return instant.astimezone(VIETNAM).date()


class SteadyClock:
    """The machine's time, but never going back: what has expired stays expired.

    When the machine's clock is set back, this one goes on from the latest instant it told, 5 % slower than
    time itself, until the machine's has caught up. A step forward is followed at once. The latest instant
    is noted in a file, once a second and at every step forward, and taken over from there as often, so that
    no process goes back behind another: neither one that starts after the step nor one that had nothing to
    do meanwhile. Where the file cannot be written, each process is steady by itself. Thread-safe.
    """

    def __init__(
        self, seen: Path | None, wall: Now = system_now, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._seen = seen
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._at = elapsed()
        self._latest = max(wall(), self._noted())
        self._noted_at = -_NOTED_EVERY
        self._told = False

    def __call__(self) -> datetime:
        """Now, aware, UTC, to the millisecond."""
        with self._lock:
            wall, at = self._wall(), self._elapsed()
            steady = self._latest + timedelta(seconds=(at - self._at) * (1 - CATCH_UP))
            self._tell(steady - wall)
            leapt = wall - steady > _TOLD_FROM
            self._latest, self._at = max(wall, steady), at
            if leapt or at - self._noted_at >= _NOTED_EVERY:
                self._noted_at = at
                self._compare_notes()
            return _millis(self._latest)

    def _tell(self, behind: timedelta) -> None:
        if behind > _TOLD_FROM and not self._told:
            say("clock_went_back", logging.WARNING, milliseconds=round(behind / timedelta(milliseconds=1)))
        self._told = behind > _TOLD_FROM

    def _noted(self) -> datetime:
        never = datetime.min.replace(tzinfo=UTC)
        if self._seen is None:
            return never
        try:
            found = datetime.fromisoformat(self._seen.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return never
        return found if found.tzinfo is not None else never

    def _compare_notes(self) -> None:
        noted = self._noted()
        if self._seen is None or noted >= self._latest:
            self._latest = max(noted, self._latest)
            return
        fresh = self._seen.with_name(f".{self._seen.name}-{os.getpid()}-{threading.get_ident()}")
        with suppress(OSError):
            fresh.write_text(self._latest.isoformat(), encoding="ascii")
            fresh.replace(self._seen)


class FileClock:
    """A clock that a file moves: the file holds an offset in seconds from this machine's time.

    Development only (`Settings` refuses it in production). An absent or unreadable file means no offset.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> datetime:
        """The machine's time plus the offset in the file."""
        return system_now() + timedelta(seconds=self._offset())

    def set_to(self, instant: datetime) -> None:
        """Make it `instant` now, for every process that reads the same file."""
        offset = (instant - system_now()).total_seconds()
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{offset:.3f}\n", encoding="ascii")
        fresh.replace(self._path)

    def _offset(self) -> float:
        try:
            return float(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0.0


def clock_from(settings: Settings) -> Now:
    """The clock this process is to use: steady, unless a file moves it on purpose."""
    if settings.clock_file:
        return FileClock(settings.clock_file)
    return SteadyClock(settings.data_dir / "clock.seen")


def _millis(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
