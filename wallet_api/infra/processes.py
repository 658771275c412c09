"""Run the wallet's processes as one: start in order, watch, restart, stop in reverse, leave none behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from wallet_api.infra.machine import (
    FolderLock,
    command_of,
    disk_space_fault,
    end_process,
    free_port,
    port_fault,
    port_taken,
    write_private,
)
from wallet_api.infra.tether import spawn

__all__ = [
    "AlreadyRunning",
    "Child",
    "ChildFailed",
    "ProcessError",
    "Stopped",
    "Supervisor",
    "answers",
    "disk_space_fault",
    "free_port",
    "port_fault",
    "port_taken",
]

_MARK = "WALLET_RUN"  # in the environment of every child: tells our leftovers from other people's processes
_STEADY = 60.0  # seconds of life after which an end no longer counts as one more crash in a row
_BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0)
_GOING = 1.0  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessError(Exception):
    """The wallet's processes cannot run here; the message is one sentence for the person who started them."""

    code = "processes_cannot_run"


class ChildFailed(ProcessError):
    """A child ended or stayed silent while starting; the message names it and its log file."""

    code = "child_failed"


class AlreadyRunning(ProcessError):
    """Another run holds the data folder."""

    code = "already_running"


class Stopped(ProcessError):
    """A signal to stop came while children were starting; `with Supervisor(...)` then ends quietly."""

    code = "stopped"


@dataclass(frozen=True)
class Child:
    """One process to keep running.

    `env` is laid over this process's environment. `ready` is a URL to be answered below 500, or a question
    asked about ten times a second; starting waits for it at most `patience` seconds.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] | str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: float = 90.0

    def is_ready(self) -> bool:
        """Ask once."""
        return answers(self.ready) if isinstance(self.ready, str) else self.ready()


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    since: float
    crashes: int = 0
    again_at: float | None = None


class Supervisor:
    """Keeps `children` running as one, on one data folder, until told to stop.

    Use it as a context: entering takes the folder (AlreadyRunning if another run has it), ends what a killed
    run left, and takes over SIGINT, SIGTERM and SIGHUP; leaving stops every child in reverse order, SIGTERM
    first and SIGKILL after `grace` seconds, or at once on a second signal. A child's output goes to
    ``<data_dir>/logs/<name>.log``. `tell` gets one sentence for a person at every restart.
    """

    def __init__(
        self,
        children: Sequence[Child],
        data_dir: Path,
        *,
        grace: float = 10.0,
        tell: Callable[[str], object] = lambda sentence: sys.stderr.write(sentence + "\n"),
    ) -> None:
        self._children = tuple(children)
        self._data_dir = data_dir
        self._grace = grace
        self._tell = tell
        self._lock = FolderLock(data_dir / "run.lock")
        self._record = data_dir / "run.json"
        self._mark = secrets.token_hex(16)
        self._running: list[_Running] = []
        self._before: dict[signal.Signals, Any] = {}
        self._signals = 0

    def __enter__(self) -> Self:
        if not self._lock.take():
            raise AlreadyRunning(
                f"Another wallet (process {self._lock.holder()}) is running on {self._data_dir}: stop it, "
                "or choose another folder with WALLET_DATA_DIR."
            )
        self._end_leftovers()
        for signum in _SIGNALS:
            self._before[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.stop()
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._lock.release()
        return isinstance(fault, Stopped)

    def start(self) -> None:
        """Start the children in order, each when the one before is ready.

        Raises:
            ChildFailed: one ended, or was not ready in time.
            Stopped: a signal came meanwhile.
        """
        for child in self._children:
            running = _Running(child, self._spawn(child), time.monotonic())
            self._running.append(running)
            self._write_record()
            self._await_ready(running)

    def watch(self) -> None:
        """Restart what ends, with back-off, until a signal comes."""
        while not self._signals:
            for running in self._running:
                self._tend(running)
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop every child in reverse order and return when none is left."""
        for running in reversed(self._running):
            self._stop_one(running)
        self._await_gone()
        self._running.clear()
        self._record.unlink(missing_ok=True)

    def log_of(self, name: str) -> Path:
        """The log file of a child."""
        return self._data_dir / "logs" / f"{name}.log"

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        return spawn(child.argv, self.log_of(child.name), {**os.environ, **child.env, _MARK: self._mark})

    def _await_ready(self, running: _Running) -> None:
        child, log = running.child, self.log_of(running.child.name)
        limit = time.monotonic() + child.patience
        while not child.is_ready():
            if self._signals:
                raise Stopped("Stopped while starting.")
            if running.process.poll() is not None:
                raise ChildFailed(
                    f"{child.name} ended while starting (code {running.process.returncode}): see {log}"
                )
            if time.monotonic() > limit:
                raise ChildFailed(f"{child.name} was not ready within {child.patience:g} seconds: see {log}")
            time.sleep(0.1)

    def _tend(self, running: _Running) -> None:
        now = time.monotonic()
        if running.again_at is not None:
            if now >= running.again_at:
                running.process, running.since, running.again_at = self._spawn(running.child), now, None
                self._write_record()
        elif running.process.poll() is not None:
            running.crashes = 1 if now - running.since > _STEADY else running.crashes + 1
            pause = _BACK_OFF[min(running.crashes, len(_BACK_OFF)) - 1]
            running.again_at = now + pause
            _kill_group(running.process.pid)  # what a dead child left would hold its port
            self._tell(
                f"{running.child.name} ended (code {running.process.returncode}), starting it again in "
                f"{pause:g} s: see {self.log_of(running.child.name)}"
            )

    def _stop_one(self, running: _Running) -> None:
        if running.again_at is not None:  # ended and cleaned up already; its id may be someone else's by now
            return
        process, limit = running.process, time.monotonic() + self._grace
        process.terminate()
        while process.poll() is None and time.monotonic() < limit and self._signals < 2:
            time.sleep(0.02)
        _kill_group(process.pid)  # what is left of it: itself if it did not listen, and its own children
        process.wait()

    def _await_gone(self) -> None:
        # Killed is not yet gone: a child's own children may hold its port for a moment.
        limit = time.monotonic() + _GOING
        while _left_of(self._mark, {}) and time.monotonic() < limit:
            time.sleep(0.01)

    def _write_record(self) -> None:
        commands = {running.process.pid: " ".join(running.child.argv) for running in self._running}
        write_private(self._record, json.dumps({"mark": self._mark, "commands": commands}))

    def _end_leftovers(self) -> None:
        try:
            left = json.loads(self._record.read_text(encoding="utf-8"))
            mark, commands = str(left["mark"]), {int(pid): line for pid, line in left["commands"].items()}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return
        for pid in _left_of(mark, commands):
            end_process(pid, self._grace)
        self._record.unlink(missing_ok=True)


def answers(url: str) -> bool:
    """Whether a GET of this loopback URL is answered within a second, below 500."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=1) as answer:
            return bool(answer.status < 500)
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except OSError:
        return False


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody left, or (macOS) only zombies
        return


def _left_of(mark: str, commands: Mapping[int, str]) -> list[int]:
    """Living processes of the run `mark`, never anyone else's.

    Where the system shows environments, the mark in them tells, for children and their children alike;
    elsewhere a recorded id must still run its recorded command.
    """
    if not Path("/proc/self/environ").exists():
        return [pid for pid, line in commands.items() if command_of(pid) == line]
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended meanwhile, or is another user's
                continue
            if wanted in environment:
                found.append(int(folder.name))
    return found
