"""The keys of citizens: made once, wrapped at rest, held open for a minute."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.infra.crypto.derive import derive_key
from wallet_api.infra.crypto.errors import KekInUse, KeyUnavailable, SealBroken
from wallet_api.infra.crypto.framing import framed
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.crypto.wrapped_keys import WrappedKey, WrappedKeys

HELD_KEYS: Final = 10_000
HELD_SECONDS: Final = 60.0
_FIRST_VERSION: Final = 1
_OPENED_AT_ONCE: Final = 32
_SETTLE_TRIES: Final = 50
_SETTLE_PAUSE_SECONDS: Final = 0.02


class OpenKey:
    """One citizen's key for one retention class, unwrapped, with a key of its own for each purpose."""

    def __init__(self, version: int, key: bytes) -> None:
        self.version = version
        self._key = key
        self._ciphers: dict[str, AESGCM] = {}

    def cipher(self, purpose: str) -> AESGCM:
        """Return the cipher of one purpose (HKDF-SHA256 of the citizen's key)."""
        found = self._ciphers.get(purpose)
        if found is None:
            found = self._ciphers[purpose] = AESGCM(derive_key(self._key, 32, "seal", purpose))
        return found


class CitizenKeys:
    """Finds or makes citizen keys. Holds at most 10,000 open ones, each for 60 s. Thread-safe."""

    def __init__(self, rows: WrappedKeys, keystore: KeyStore, now: Callable[[], datetime]) -> None:
        self._rows = rows
        self._keystore = keystore
        self._now = now
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], tuple[float, OpenKey]] = OrderedDict()

    def existing(self, citizen_id: str, retention_class: str) -> OpenKey:
        """Return the key that is there. Raises SealBroken when there is none or it does not unwrap."""
        place = (citizen_id, retention_class)
        held = self._recall(place)
        if held is not None:
            return held
        row = self._rows.find(citizen_id, retention_class)
        if row is None:
            raise SealBroken("There is no key for this value.")
        return self._hold(place, self._unwrap(place, row))

    def for_sealing(self, citizen_id: str, retention_class: str) -> OpenKey:
        """Return the key, made now if there is none. It is durable before this returns."""
        place = (citizen_id, retention_class)
        held = self._recall(place)
        if held is not None:
            return held
        row = self._rows.find(citizen_id, retention_class) or self._make(citizen_id, retention_class)
        return self._hold(place, self._unwrap(place, row))

    def open_many(self, citizen_ids: Collection[str], retention_class: str) -> None:
        """Open the keys of many that are not held yet, in one read; those without one stay without."""
        wanted = iter([each for each in citizen_ids if self._recall((each, retention_class)) is None])
        while part := list(islice(wanted, _OPENED_AT_ONCE)):
            for row in self._rows.kept_for(part, (retention_class,)):
                place = (row.citizen_id, retention_class)
                self._hold(place, self._unwrap(place, row))

    def make_many(self, citizen_ids: Sequence[str], retention_class: str) -> None:
        """Open the keys of many, made now where there are none: one write and one read."""
        for row in self._rows.ensure([self._fresh(each, retention_class) for each in citizen_ids]):
            place = (row.citizen_id, retention_class)
            self._hold(place, self._unwrap(place, row))

    def prepare(self, citizen_id: str, *retention_classes: str) -> None:
        """Open these keys, made now where there are none: always one write and one read.

        For work whose cost must not tell whether the keys were there, or were held.
        """
        fresh = [self._fresh(citizen_id, kind) for kind in retention_classes]
        there = {row.retention_class: row for row in self._rows.ensure(fresh)}
        for kind in retention_classes:
            row = there.get(kind) or self._winner(citizen_id, kind)
            self._hold((citizen_id, kind), self._unwrap((citizen_id, kind), row))

    def prepare_many(self, citizen_ids: Collection[str], *retention_classes: str) -> None:
        """Open these keys of several, made now where there are none. One read where all are there."""
        wanted = {(each, kind) for each in citizen_ids for kind in retention_classes}
        there = {(row.citizen_id, row.retention_class): row for row in self._rows_at(wanted)}
        missing = sorted(wanted - there.keys())
        if missing:
            made = self._rows.ensure([self._fresh(*place) for place in missing])
            there |= {(row.citizen_id, row.retention_class): row for row in made}
        for place in sorted(wanted):
            self._hold(place, self._unwrap(place, there.get(place) or self._winner(*place)))

    def _rows_at(self, places: Collection[tuple[str, str]]) -> Iterator[WrappedKey]:
        kinds = sorted({kind for _, kind in places})
        whose = iter(sorted({each for each, _ in places}))
        while part := list(islice(whose, _OPENED_AT_ONCE // len(kinds))):
            yield from self._rows.kept_for(part, kinds)

    def look_up(self, citizen_id: str, retention_class: str) -> None:
        """Open the key if there is one: always one read, held or not, there or not."""
        row = self._rows.find(citizen_id, retention_class)
        if row is not None:
            place = (citizen_id, retention_class)
            self._hold(place, self._unwrap(place, row))

    def known(self, citizen_id: str, retention_class: str) -> bool:
        """Whether there is a key, be it one that opens or not."""
        place = (citizen_id, retention_class)
        return self._recall(place) is not None or self._rows.find(*place) is not None

    def destroy(self, citizen_id: str, retention_class: str) -> bool:
        """Delete the wrapped key and forget the open one; False when there was none.

        Other processes hold it open for up to 60 s more: stop writes for this citizen first.
        """
        removed = self._rows.remove(citizen_id, retention_class)
        with self._lock:
            self._held.pop((citizen_id, retention_class), None)
        return removed

    def rewrap(self, kek_id: str, limit: int = 500) -> int:
        """Move up to `limit` keys from a past month's KEK to the current one; how many were seen."""
        kek, rows = self._keystore.kek_for(self._now()), self._rows.wrapped_by(kek_id, limit)
        if kek.id == kek_id:
            return 0
        for row in rows:
            key = self._keystore.kek(kek_id).unwrap(row.wrapped, _aad(row, kek_id))
            self._rows.rewrap(row, kek.wrap(key, _aad(row, kek.id)), kek.id)
        return len(rows)

    def retire_kek(self, kek_id: str) -> None:
        """Move every key off a past month's KEK and destroy it: old backups lose the erased, nobody else.

        Raises KekInUse while its month is not over; safe to repeat after any failure.
        """
        while self.rewrap(kek_id):
            pass
        if self._rows.wrapped_by(kek_id, 1):
            raise KekInUse("The key-encryption key of this month still wraps keys.")
        self._keystore.destroy_kek(kek_id, self._now())

    def _fresh(self, citizen_id: str, retention_class: str) -> WrappedKey:
        kek = self._keystore.kek_for(self._now())
        bare = WrappedKey(citizen_id, retention_class, _FIRST_VERSION, kek.id, b"")
        return replace(bare, wrapped=kek.wrap(os.urandom(32), _aad(bare, kek.id)))

    def _make(self, citizen_id: str, retention_class: str) -> WrappedKey:
        row = self._fresh(citizen_id, retention_class)
        return row if self._rows.add(row) else self._winner(citizen_id, retention_class)

    def _winner(self, citizen_id: str, retention_class: str) -> WrappedKey:
        # Another process added it first; `find` shows it only once it is durable, a moment later.
        for _ in range(_SETTLE_TRIES):
            row = self._rows.find(citizen_id, retention_class)
            if row is not None:
                return row
            time.sleep(_SETTLE_PAUSE_SECONDS)
        raise KeyUnavailable("A citizen key is being made elsewhere and is not durable yet.")

    def _unwrap(self, place: tuple[str, str], row: WrappedKey) -> OpenKey:
        # The place asked for, not the one the row claims: a row copied to another citizen must not open.
        aad = framed("dek", *place, row.version, row.kek_id)
        key = self._keystore.kek(row.kek_id).unwrap(row.wrapped, aad)
        return OpenKey(row.version, key)

    def _recall(self, place: tuple[str, str]) -> OpenKey | None:
        with self._lock:
            held = self._held.get(place)
            if held is None:
                return None
            if time.monotonic() - held[0] > HELD_SECONDS:
                del self._held[place]
                return None
            self._held.move_to_end(place)
            return held[1]

    def _hold(self, place: tuple[str, str], key: OpenKey) -> OpenKey:
        with self._lock:
            self._held[place] = (time.monotonic(), key)
            self._held.move_to_end(place)
            while len(self._held) > HELD_KEYS:
                self._held.popitem(last=False)
        return key


def _aad(row: WrappedKey, kek_id: str) -> bytes:
    return framed("dek", row.citizen_id, row.retention_class, row.version, kek_id)
