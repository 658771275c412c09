"""`story`: the main job from end to end, for real, on a wallet of its own that is thrown away after."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from datetime import datetime
from pathlib import Path

import requests

from consent.receipt import ReceiptInvalid
from wallet_api.cli.local import LocalWallet, Ports, database_up, prepare
from wallet_api.cli.opened import dev_settings
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.cli.story import acting, arriving, campaigning, consenting, keeping, proving, reminding
from wallet_api.cli.story.cast import Cast
from wallet_api.cli.story.clients import ClientFailed
from wallet_api.cli.story.journal import Journal, StoryFailed
from wallet_api.infra.clock import VIETNAM, FileClock
from wallet_api.infra.processes import Supervisor, disk_space_fault, free_port

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=VIETNAM)
"""When the story plays: a working morning in Viet Nam."""
_OWN = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH"})
_TAIL = 5


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "story",
        help="play the main job from end to end and check every step (development)",
        description="Start a whole wallet on free ports and a temporary folder, play the main job through "
        "three separate clients over HTTP, print every step, and end with 0 only if each was as it must be.",
    )
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder, with the logs")
    parser.set_defaults(do=_story)


def _story(options: argparse.Namespace) -> int:
    dev_settings("story")
    folder = Path(tempfile.mkdtemp(prefix="wallet-story-"))
    try:
        return _played(folder)
    finally:
        if options.keep:
            tell(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _played(folder: Path) -> int:
    began = time.monotonic()
    fault = disk_space_fault(folder)
    if fault:
        raise CannotDo(fault)
    clock = FileClock(folder / "clock")
    clock.set_to(MORNING)
    wallet = LocalWallet.described(_environment(folder), Ports(free_port(), free_port(), free_port()))
    journal = Journal()
    with Supervisor(wallet.servers(), folder, tell=tell) as supervisor, database_up(wallet.settings):
        _stop_on_signals()
        try:
            tell(f"It is {MORNING:%Y-%m-%d %H:%M} in Viet Nam. Starting database, sandbox and API ...")
            prepare(wallet, lambda line: None)
            supervisor.start()
            tell(f"Ready after {time.monotonic() - began:.1f} s.")
            _play(wallet, clock, journal)
        except (StoryFailed, ClientFailed, ReceiptInvalid, requests.RequestException) as why:
            _tell_logs(folder)
            raise CannotDo(f"The story broke off: {why}") from why
        finally:
            supervisor.stop()
    tell(f"All {journal.steps} steps were as they must be; {time.monotonic() - began:.1f} s in all.")
    return 0


def _play(wallet: LocalWallet, clock: FileClock, journal: Journal) -> None:
    cast = Cast.assembled(wallet, clock, journal)
    for act in (*consenting.ACTS, *acting.ACTS):
        act(cast)
    reminding.citizen_registers_phone(cast)
    # The worker reminds of itself as soon as it runs, so it begins when there is a phone to ring.
    folder = wallet.settings.data_dir / "evening"
    with Supervisor((wallet.worker(),), folder, tell=tell) as late:
        late.start()
        _stop_on_signals()
        for act in (*reminding.ACTS, *proving.ACTS, *arriving.ACTS, *keeping.ACTS, *campaigning.ACTS):
            act(cast)


def _stop_on_signals() -> None:
    """A signal ends the story at once, and `with` stops all: a supervisor alone would only note it."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)


def _environment(folder: Path) -> dict[str, str]:
    """A wallet told nothing but where to live: what the caller has set for another one does not count."""
    env = {name: value for name, value in os.environ.items() if name in _OWN}
    told = {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder), "WALLET_CLOCK_FILE": str(folder / "clock")}
    return env | told


def _tell_logs(folder: Path) -> None:
    for log in sorted(folder.glob("**/logs/*.log")):
        wrong = [
            line
            for line in log.read_text(errors="replace").splitlines()
            if "ERROR" in line or "rror:" in line
        ]
        for line in wrong[-_TAIL:]:
            tell(f"  {log.name}: {line}")
