"""Whole wallets started as a person starts them, on free ports, and what is left of them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from wallet_api.cli import main
from wallet_api.infra.processes import free_port, port_taken

ROOT = Path(__file__).parents[2]
READY = "Ctrl-C stops everything"
SLOW = 150.0


@dataclass
class Run:
    """One `python -m wallet_api run`."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def await_ready(self) -> Run:
        limit = time.monotonic() + SLOW
        while READY not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < limit, self.said
            time.sleep(0.1)
        return self

    def end(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        return self.process.wait(60)


def free_ports() -> int:
    """A port with two free ones after it."""
    while True:
        port = free_port()
        if port < 65000 and not any(port_taken(port + more) for more in (0, 1, 2)):
            return port


def environment(**told: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    return bare | {"WALLET_ENV": "dev"} | told


def start(folder: Path, port: int) -> Run:
    output = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.out")
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "wallet_api", "run"],
            cwd=ROOT,
            # One API worker: how many there are changes nothing of what is tried, but each costs a start.
            env=environment(PORT=str(port), WALLET_DATA_DIR=str(folder), WEB_CONCURRENCY="1"),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return Run(process, port, folder, output)


def command(folder: Path, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wallet_api", *arguments],
        cwd=ROOT,
        env=environment(WALLET_DATA_DIR=str(folder), **told),
        capture_output=True,
        text=True,
        timeout=SLOW,
        check=False,
    )


def command_here(folder: Path, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which saves its start: for commands that are refused, or only help a test."""
    env, out, err = environment(WALLET_DATA_DIR=str(folder), **told), io.StringIO(), io.StringIO()
    with patch.dict(os.environ, env, clear=True), redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def living(folder: Path) -> list[str]:
    """Commands of processes whose environment or arguments name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                about = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                if str(folder).encode() in about:
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it ended meanwhile, or is somebody else's
                continue
    return found


def gone(folder: Path) -> list[str]:
    """What still lives a few seconds later: a killed parent's children need a moment."""
    limit = time.monotonic() + 30
    while (left := living(folder)) and time.monotonic() < limit:
        time.sleep(0.1)
    return left
