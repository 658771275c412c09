"""F2 and F9, small: workers die, messages vanish, FCM answers 429, 500, 503, nothing, and "unknown"."""

from __future__ import annotations

from pathlib import Path

from tests.faults.plant import planted
from tests.faults.pushing import Sending, send_through_failures, worker_harm


def test_each_reminder_is_shown_once_and_says_nothing(tmp_path: Path) -> None:
    with planted(tmp_path, api=False) as plant:
        sending = Sending(plant)
        harm = worker_harm(sending)
        send_through_failures(sending, "F2/F9 push worker, files, FCM", families=7, harm=harm, times=1)
