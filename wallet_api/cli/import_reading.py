"""Reading the files of an `import`, in a process of its own where there are many: a third of the work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Protocol

from wallet_api.records.files import FileRead, read_files

MANY: Final = 64
"""From so many files on a second process is worth its start."""


class Reads(Protocol):
    """Reads files; called by several threads at once."""

    def __call__(self, paths: Sequence[Path], today: date, /) -> list[FileRead]:
        """What each holds, or why it cannot be read."""


@contextmanager
def reading(files: int) -> Iterator[Reads]:
    """A reader for so many files."""
    if files < MANY or (os.cpu_count() or 1) < 2:
        yield read_files
        return
    # Begun anew rather than forked: this process has threads and connections. What it runs lies outside the
    # commands, all of which it would load first.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(len, ())  # it starts while this one gets ready
        yield lambda paths, today: pool.submit(read_files, paths, today).result()
