"""Tie a child process to the life of its parent, so that a killed parent leaves nothing running.

As a program, ``python -m wallet_api.infra.tether PARENT_PID[:SIGNAL] -- COMMAND...`` asks the kernel for that
signal (a number; SIGTERM if left out) at the parent's death and then becomes COMMAND. Only Linux knows how;
elsewhere it just becomes COMMAND.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_USAGE = "usage: python -m wallet_api.infra.tether PARENT_PID[:SIGNAL] -- COMMAND [ARGUMENT...]"


class _Spawner:
    """The one thread that forks: the kernel counts the forking thread, not the process, as the parent."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def pool(self) -> ThreadPoolExecutor:
        with self._guard:
            if self._pool is None or self._pid != os.getpid():
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="spawner")
                self._pid = os.getpid()
            return self._pool


_SPAWNER = _Spawner()


def spawn(
    argv: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    last_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `argv` as a child that ends with this process, in a session of its own, writing to `log`.

    At this process's death the kernel sends it `last_signal`. The session keeps a Ctrl-C at the terminal from
    reaching the child, so its parent decides the order of ending; the child's id is also the id of its
    process group.

    Raises:
        OSError: if the log cannot be written or no process can be made.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    return _SPAWNER.pool().submit(_spawn, argv, log, env, last_signal).result()


def _spawn(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None, last_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", __file__, f"{os.getpid()}:{last_signal:d}", "--", *argv]
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def tether(parent: int, last_signal: int = signal.SIGTERM) -> bool:
    """Ask for a signal to this process when process `parent` ends; False if it has ended already.

    Only the parent itself can be asked for: any other id counts as ended.
    """
    if sys.platform != "linux":
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, last_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return os.getppid() == parent  # it may have died between fork and prctl


def main(arguments: Sequence[str]) -> int:
    """Become the command after ``--``; 127 if there is none such, 143 if the parent is gone."""
    parent, _, last_signal = (arguments[0] if arguments else "").partition(":")
    known = parent.isdecimal() and (not last_signal or last_signal.isdecimal())
    if len(arguments) < 3 or not known or arguments[1] != "--":
        sys.stderr.write(_USAGE + "\n")
        return 2
    if not tether(int(parent), int(last_signal or signal.SIGTERM)):
        return 128 + signal.SIGTERM
    command = list(arguments[2:])
    try:
        os.execvp(command[0], command)
    except OSError as fault:
        sys.stderr.write(f"{command[0]}: {fault.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
