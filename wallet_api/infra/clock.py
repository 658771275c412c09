"""The only place that reads the clock. Everything else is handed a `Now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from wallet_api.settings import Settings

Now = Callable[[], datetime]
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def system_now() -> datetime:
    """This machine's time, aware, UTC, to the millisecond (what the database can hold)."""
    return _millis(datetime.now(UTC))


def vn_day(instant: datetime) -> date:
    """The Vietnamese calendar day an aware instant falls on."""
    return instant.astimezone(VIETNAM).date()


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
    """The clock this process is to use."""
    return FileClock(settings.clock_file) if settings.clock_file else system_now


def _millis(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
