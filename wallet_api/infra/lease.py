"""One worker at a time, by compare-and-set on one document.

Clocks of different machines are never compared: a lease has run out when whoever waits has seen nobody
renew it for as long as it lasts, by the waiter's own clock.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from wallet_api.infra.ids import new_id

_ID: Final = "lease"
_LOOK_SECONDS: Final = 0.2


class Lease:
    """A lease over one kind of work; renewed by a thread, so it ends with the process that holds it."""

    def __init__(self, collection: Collection[dict[str, Any]], seconds: float) -> None:
        self._collection = collection
        self._seconds = seconds
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{new_id()[:6]}"
        self._version = -1
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @contextmanager
    def held(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Hold it while the block runs. Waits for another holder, and tells once that it does."""
        self._acquire(tell)
        self._stop.clear()
        renewing = threading.Thread(target=self._renew_on, name="lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            self._stop.set()
            renewing.join(self._seconds)
            with self._lock, suppress(PyMongoError):
                self._step({"holder": None})

    def still_held(self) -> bool:
        """Renew it; False when somebody else took it because this process was silent too long."""
        with self._lock:
            return self._step({"holder": self._holder})

    def _acquire(self, tell: Callable[[str], None]) -> None:
        with suppress(DuplicateKeyError):
            self._collection.update_one(
                {"_id": _ID}, {"$setOnInsert": {"holder": None, "version": 0}}, upsert=True
            )
        seen, since, told = -1, time.monotonic(), False
        while True:
            found = self._collection.find_one({"_id": _ID}) or {"holder": None, "version": 0}
            if found["version"] != seen:
                seen, since = found["version"], time.monotonic()
            if found["holder"] is None or time.monotonic() - since >= self._seconds:
                self._version = found["version"]
                if self._step({"holder": self._holder}):
                    return
            elif not told:
                tell(f"Another runner is at work ({found['holder']}); waiting for it.")
                told = True
            time.sleep(_LOOK_SECONDS)

    def _renew_on(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            with suppress(PyMongoError):  # the next time may do; whoever waits sees no renewal meanwhile
                self.still_held()

    def _step(self, change: dict[str, Any]) -> bool:
        done = self._collection.update_one(
            {"_id": _ID, "version": self._version}, {"$set": change, "$inc": {"version": 1}}
        )
        if done.modified_count == 1:
            self._version += 1
            return True
        return False
