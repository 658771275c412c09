"""Whether this process can serve: the disk has room, the database reads, and it keeps what it is told.

A database that writes ahead goes on acknowledging for a while on a full disk, as long as the journal it set
aside beforehand lasts (10 MiB with the embedded one), and then stops with everything. So room is looked at
before it is gone, and that a write is kept is tried out, not guessed from a read.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Protocol

from wallet_api.infra.logs import say
from wallet_api.infra.mongo import DATABASE_ERRORS

MEBIBYTE = 2**20
_TRIED_EVERY = 5.0  # seconds a kept write stands for; whoever asks meanwhile is told the same
_TRIED_AGAIN = 1.0  # after one that was not kept


class CannotServe(Exception):
    """This process cannot serve now; asking again later may help."""

    code = "unavailable"


class Probe(Protocol):
    """One document to try the database with. Both raise one of DATABASE_ERRORS."""

    def read(self) -> None:
        """Have it read."""
        ...

    def write(self, at: datetime) -> None:
        """Have it kept, as surely as anything else is."""
        ...


class Readiness:
    """Asked by probes, and (`room`) before every write.

    `folder` is where the database keeps its files, None if that is another machine's business; `reserve` is
    how many MiB of its disk stay free, 0 to let it fill up.
    """

    def __init__(
        self,
        probe: Probe,
        folder: Path | None,
        reserve: int,
        now: Callable[[], datetime],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._folder = folder if reserve else None
        self._reserve = reserve * MEBIBYTE
        self._now = now
        self._elapsed = elapsed
        self._short = False
        self._kept = True
        self._try_at = 0.0
        self._turn = Lock()

    def room(self) -> None:
        """Look at the disk; some microseconds.

        Raises:
            CannotServe: less is free than must stay free.
        """
        if self._folder is None:
            return
        try:
            disk = os.statvfs(self._folder)
        except OSError:  # whether the database is there is for the database to say
            return
        free = disk.f_bavail * disk.f_frsize
        short = free < self._reserve
        if short != self._short:
            self._short = short
            event = "disk_nearly_full" if short else "disk_has_room"
            say(event, logging.ERROR if short else logging.WARNING, count=free // MEBIBYTE)
        if short:
            raise CannotServe("the disk is nearly full")

    def ready(self) -> None:
        """Look at the disk, read a document, and now and then write one.

        Raises:
            CannotServe: there is no room, or the last try at a write was not kept.
            one of DATABASE_ERRORS: the database does not read.
        """
        self.room()
        self._probe.read()
        with self._turn:
            mine = self._elapsed() >= self._try_at
            if mine:
                self._try_at = self._elapsed() + _TRIED_EVERY
        if mine:
            self._write()
        elif not self._kept:
            raise CannotServe("the database keeps nothing")

    def _write(self) -> None:
        try:
            self._probe.write(self._now())
        except DATABASE_ERRORS as fault:
            self._kept, self._try_at = False, self._elapsed() + _TRIED_AGAIN
            raise CannotServe("the database keeps nothing") from fault
        self._kept = True
