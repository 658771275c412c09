"""The desk's storage in memory: the same promises, as long as the process lives. Thread-safe."""

from __future__ import annotations

import threading
from datetime import datetime

from wallet_api.exports.errors import ExportNotFound, StaleExport
from wallet_api.exports.model import MOST_TRIES, Export


class MemoryExports:
    """`desk.Exports` in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Export] = {}
        self._parts: dict[tuple[str, int, int], bytes] = {}

    def add(self, export: Export) -> None:
        """Keep a new one."""
        with self._lock:
            self._rows.setdefault(export.id, export)

    def get(self, export_id: str) -> Export | None:
        """One export."""
        return self._rows.get(export_id)

    def save(self, export: Export, *, expected: int) -> None:
        """Put a new version in the place of `expected`."""
        with self._lock:
            found = self._rows.get(export.id)
            if found is None or found.version != expected:
                raise StaleExport(export.id)
            self._rows[export.id] = export

    def due(self, now: datetime) -> Export | None:
        """The one that has waited longest for a worker."""
        with self._lock:
            waiting = [each for each in self._rows.values() if each.open and each.due_at <= now]
        return min(waiting, key=lambda each: each.due_at, default=None)

    def kept_by(self, citizen_id: str, made_by: str, now: datetime) -> int:
        """How many files of a book one person has waiting or ready."""
        with self._lock:
            rows = list(self._rows.values())
        mine = [each for each in rows if (each.citizen_id, each.made_by) == (citizen_id, made_by)]
        return sum(each.state != "failed" and not each.over_at(now) for each in mine)

    def put_part(self, export: Export, number: int, content: bytes) -> None:
        """Keep one part."""
        with self._lock:
            self._parts[export.id, export.tries, number] = content

    def part(self, export: Export, number: int) -> bytes:
        """One part of a file that is ready."""
        try:
            return self._parts[export.id, export.tries, number]
        except KeyError as why:
            raise ExportNotFound(export.id) from why

    def drop_parts(self, export: Export, tries: int) -> None:
        """Delete what the first so many tries have made."""
        with self._lock:
            for key in [key for key in self._parts if key[0] == export.id and key[1] <= tries]:
                del self._parts[key]

    def remove(self, export: Export) -> None:
        """Delete the export and all its parts."""
        with self._lock:
            self._rows.pop(export.id, None)
        self.drop_parts(export, MOST_TRIES)
