"""The package stands alone: no web framework, no database, no SDK until a channel is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import notifications
from notifications import errors
from notifications.__main__ import main

ROOT = Path(notifications.__file__).resolve().parent.parent
STRANGERS = (
    "flask",
    "marshmallow",
    "pymongo",
    "celery",
    "wallet_api",
    "consent",
    "firebase_admin",
    "requests",
)


def test_importing_it_all_brings_in_no_stranger() -> None:
    code = (
        "import sys, notifications, notifications.memory, notifications.memory_devices\n"
        "import notifications.channels.fcm\n"
        f"print([m for m in {STRANGERS!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_prints_a_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--born", "2024-01-31", "--sex", "female", "--today", "2024-10-31", "--dose", "bcg=2024-02-01"]
    assert main(["plan", *args]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("series")
    assert any(row.split()[:3] == ["bcg", "1", "given"] for row in rows)
    assert any(row.split()[:4] == ["measles", "1", "due", "2024-10-31"] for row in rows)


def test_the_command_refuses_an_unknown_vaccine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--born", "2024-01-31", "--today", "2024-10-31", "--dose", "nope=2024-02-01"])
    assert "unknown vaccine" in capsys.readouterr().err


def test_every_refusal_has_its_own_stable_code() -> None:
    kinds = errors.NotificationError.__subclasses__()
    codes = {kind.code for kind in kinds}
    assert len(codes) == len(kinds) and errors.NotificationError.code not in codes
