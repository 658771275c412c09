"""Wrapped citizen keys: the row, the port and the memory version. A row is useless without its KEK."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """The key of one citizen and retention class, encrypted by the key-encryption key `kek_id`."""

    citizen_id: str
    retention_class: str
    version: int
    kek_id: str
    wrapped: bytes


class WrappedKeys(Protocol):
    """Durable storage of wrapped keys, at most one per citizen and retention class.

    Every call stands outside any transaction of the caller: a key must be durable before anything is
    sealed with it, and must outlive a transaction that is rolled back.
    """

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        """Return the row if it is durable, else None."""

    def add(self, key: WrappedKey) -> bool:
        """Store a row durably. False, and nothing changed, when one is there already."""

    def ensure(self, keys: Sequence[WrappedKey]) -> tuple[WrappedKey, ...]:
        """Store durably those whose place is empty; return the rows now durable at these places.

        One write and one read, whatever was there.
        """

    def kept_for(self, citizen_ids: Iterable[str], retention_classes: Sequence[str]) -> Sequence[WrappedKey]:
        """Return the rows of many citizens that are durable."""

    def rewrap(self, key: WrappedKey, wrapped: bytes, kek_id: str) -> bool:
        """Replace how a key is wrapped. False when the row is gone or was changed since it was read."""

    def wrapped_by(self, kek_id: str, limit: int) -> tuple[WrappedKey, ...]:
        """Return up to `limit` rows wrapped by one key-encryption key."""

    def remove(self, citizen_id: str, retention_class: str) -> bool:
        """Delete a row: what was sealed with it never opens again. False when there was none."""


class MemoryWrappedKeys:
    """Wrapped keys that live as long as the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], WrappedKey] = {}

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        """Return the row, or None."""
        return self._rows.get((citizen_id, retention_class))

    def add(self, key: WrappedKey) -> bool:
        """Store a row; False when one is there already."""
        with self._lock:
            return self._rows.setdefault((key.citizen_id, key.retention_class), key) is key

    def ensure(self, keys: Sequence[WrappedKey]) -> tuple[WrappedKey, ...]:
        """Store those whose place is empty; return the rows at these places."""
        with self._lock:
            return tuple(self._rows.setdefault((key.citizen_id, key.retention_class), key) for key in keys)

    def kept_for(self, citizen_ids: Iterable[str], retention_classes: Sequence[str]) -> list[WrappedKey]:
        """Return the rows of many citizens."""
        asked = {(citizen_id, kind) for citizen_id in citizen_ids for kind in retention_classes}
        return [self._rows[place] for place in asked & self._rows.keys()]

    def rewrap(self, key: WrappedKey, wrapped: bytes, kek_id: str) -> bool:
        """Replace how a key is wrapped; False when the row is gone or changed."""
        place = (key.citizen_id, key.retention_class)
        with self._lock:
            if self._rows.get(place) != key:
                return False
            self._rows[place] = replace(key, wrapped=wrapped, kek_id=kek_id)
            return True

    def wrapped_by(self, kek_id: str, limit: int) -> tuple[WrappedKey, ...]:
        """Return up to `limit` rows wrapped by one key-encryption key."""
        with self._lock:
            return tuple(row for row in self._rows.values() if row.kek_id == kek_id)[:limit]

    def remove(self, citizen_id: str, retention_class: str) -> bool:
        """Delete a row; False when there was none."""
        with self._lock:
            return self._rows.pop((citizen_id, retention_class), None) is not None
