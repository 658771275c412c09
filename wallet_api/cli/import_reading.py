"""Reading the files of an `import`, in a process of its own where there are many: a third of the work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Protocol

from wallet_api.infra.tether import tether
from wallet_api.records.files import FileRead, read_files

MANY: Final = 64
"""From so many files on a second process is worth its start."""


class Reads(Protocol):
    """Reads files; called by several threads at once."""

    def __call__(self, paths: Sequence[Path], today: date, /) -> list[FileRead]:
        """What each holds, or why it cannot be read."""


@contextmanager
def reading(files: int) -> Iterator[Reads]:
    """A reader for so many files. Open it before the database: see `_method`."""
    if files < MANY or (os.cpu_count() or 1) < 2:
        yield read_files
        return
    context = get_context(_method())
    with ProcessPoolExecutor(1, context, initializer=_begin, initargs=(os.getpid(),)) as pool:
        pool.submit(len, ())  # it starts while this one gets ready
        yield lambda paths, today: pool.submit(read_files, paths, today).result()


def _method() -> str:
    """Forked from a process that has no threads yet, and so no connections, it need load nothing again; from
    any other it would be given locks that nobody opens, and is begun anew."""
    return "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"


def _begin(parent: int) -> None:
    """In the reader: nobody else ends it when its parent is killed, and a Ctrl-C is the parent's to tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not tether(parent, signal.SIGKILL):
        os._exit(128 + signal.SIGKILL)
