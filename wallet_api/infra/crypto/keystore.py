"""The key store: who holds root secrets and what others may ask of it.

Shaped like a key management service: key-encryption keys wrap and unwrap and are never handed out;
signing keys sign and publish their public half; the smaller secrets (index, references, cursors, labels,
ETags) are handed to the one class that uses each.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar, cast

from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.errors import KekInUse, KeyUnavailable
from wallet_api.infra.crypto.jws import (
    PrivateKey,
    PublicKey,
    Signer,
    load_private_key,
    new_private_pem,
    public_jwk,
    signer_of,
)
from wallet_api.infra.crypto.keks import GcmKek, Kek, kek_month, kek_place, newest_kek, next_kek
from wallet_api.infra.crypto.shelf import FileShelf, KeyShelf, MemoryShelf

SecretName = Literal["index", "reference", "cursor", "label", "etag"]
SigningUse = Literal[
    "token",
    "receipt",
    "card",
    "health_card",
    "event",
    "vneid_client",
    "ops_client",
    "checkpoint",
    "backup",
]

SECRETS: Final[tuple[SecretName, ...]] = ("index", "reference", "cursor", "label", "etag")
ALGORITHMS: Final[dict[SigningUse, str]] = {
    "token": "ES256",
    "receipt": "ES256",
    "card": "ES256",
    "health_card": "ES256",
    "event": "ES256",
    "vneid_client": "ES256",
    "ops_client": "ES256",
    "checkpoint": "EdDSA",
    "backup": "EdDSA",
}
SIGNATURES_LIVE: Final[dict[SigningUse, timedelta]] = {
    "token": timedelta(hours=1),
    "event": timedelta(days=1),
    "vneid_client": timedelta(days=1),
    "ops_client": timedelta(days=1),
}
"""How long after a newer key took over an older one is still asked for: access tokens live 5 minutes, client
assertions and pushed events too, with leeway and other people's caches of key sets. What the other uses sign
is kept for years and must verify as long, so their older keys are never pruned."""
HELD_SECONDS: Final = 60.0
RELIST_SECONDS: Final = 1.0
PUBLISHED_FIRST: Final = timedelta(seconds=120)
"""A new signing key is published this long before it signs: twice what any process holds a key set."""
_SLOW_WRITER: Final = timedelta(hours=1)
_KEY_BYTES: Final = 32
_Held = TypeVar("_Held")


class KeyStore(Protocol):
    """What the product asks of its keys. Every method raises KeyUnavailable when the key is not there."""

    def kek_for(self, now: datetime) -> Kek:
        """Return the key-encryption key of the month of `now`, made on first use where that is allowed."""

    def kek(self, kek_id: str) -> Kek:
        """Return the key-encryption key of one month; it is never made here."""

    def destroy_kek(self, kek_id: str, now: datetime) -> None:
        """Destroy a past month's key for good. Callers go through `CitizenKeys.retire_kek`."""

    def secret(self, name: SecretName, version: int | None = None) -> bytes:
        """Return a 256-bit secret: of one version, or the newest."""

    def newest(self, name: SecretName) -> int:
        """Return the newest version of a secret, from 1."""

    def signer(self, use: SigningUse) -> Signer:
        """Return the newest signing key of one use."""

    def public_key(self, use: SigningUse, kid: str) -> PublicKey | None:
        """Return a public key of this use by its kid, or None: a kid of another use is unknown."""

    def jwk(self, kid: str) -> dict[str, str]:
        """Return the public JWK of any signing key by its kid."""

    def jwks(self, use: SigningUse) -> dict[str, list[dict[str, str]]]:
        """Return the public key set of one use, newest first."""


class ShelfKeyStore:
    """A key store over a shelf. Thread-safe.

    Keys read are held for 60 seconds: a rotation or destruction by another process is obeyed within that.
    """

    def __init__(
        self,
        shelf: KeyShelf,
        *,
        create: bool,
        published_first: timedelta = PUBLISHED_FIRST,
        wall: Callable[[], datetime] = system_now,
    ) -> None:
        # `wall` is the machine's time, not the injected one: it is compared with the times of files.
        self._shelf = shelf
        self._create = create
        self._published_first = published_first
        self._wall = wall
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, object]] = {}

    def kek_for(self, now: datetime) -> Kek:
        """Return the newest key-encryption key of the UTC month of `now`, made on first use if `create`."""
        month = kek_month(now)
        newest = self._hold(f"newest kek {month}", lambda: newest_kek(self.kek_ids(), month))
        return self._hold(f"kek-{newest}", lambda: self._load_kek(newest, self._create))

    def kek(self, kek_id: str) -> Kek:
        """Return one key-encryption key; KeyUnavailable when absent or destroyed."""
        kek_place(kek_id)  # a name, not a path
        return self._hold(f"kek-{kek_id}", lambda: self._load_kek(kek_id, create=False))

    def kek_ids(self) -> tuple[str, ...]:
        """Return the key-encryption keys that exist, oldest first."""
        ids = (name.removeprefix("kek-") for name in self._shelf.names() if name.startswith("kek-"))
        return tuple(sorted(ids, key=kek_place))

    def replace_kek(self, now: datetime) -> str:
        """Make a new key-encryption key for the month of `now`, before its time; its id.

        It wraps from now on (within 60 s in other processes). What the older ones wrap is to be moved.
        """
        wanted = next_kek(self.kek_ids(), kek_month(now))
        self._shelf.put(f"kek-{wanted}", os.urandom(_KEY_BYTES))
        self._forget()
        return wanted

    def destroy_kek(self, kek_id: str, now: datetime) -> None:
        """Destroy a key that a newer one has followed; what it still wraps never opens again, in any backup.

        Raises KekInUse until an hour after its month or its replacement: a slow writer may still use it.
        """
        self.kek(kek_id)
        month = kek_place(kek_id)[0]
        newest = newest_kek(self.kek_ids(), month)
        replaced = newest != kek_id and self._age(f"kek-{newest}") >= _SLOW_WRITER
        if month >= kek_month(now - _SLOW_WRITER) and not replaced:
            raise KekInUse(
                "A key-encryption key is destroyed an hour after its month or replacement at the earliest."
            )
        self._shelf.destroy(f"kek-{kek_id}")
        with self._lock:
            self._held.pop(f"kek-{kek_id}", None)

    def secret(self, name: SecretName, version: int | None = None) -> bytes:
        """Return a 256-bit secret: of one version, or the newest (the first is made if `create`)."""
        newest = self.newest(name)
        wanted = f"{name}-{version or newest}"
        may_make = self._create and (version or newest) == newest
        return self._hold(wanted, lambda: self._load_secret(wanted, may_make))

    def newest(self, name: SecretName) -> int:
        """Return the newest version of a secret; 1 when there is none yet."""
        return self._hold(f"newest {name}", lambda: max(self._versions(name), default=1))

    def signer(self, use: SigningUse) -> Signer:
        """Return the signing key of one use: the newest that was published long enough to be known.

        The first is made if `create`. While none is old enough the oldest signs.
        """
        return self._hold(f"signer {use}", lambda: signer_of(self._private(use, self._signing(use))))

    def public_key(self, use: SigningUse, kid: str) -> PublicKey | None:
        """Return a public key of this use by its kid, or None. An unknown kid looks again each second."""
        found = self._public(use, HELD_SECONDS).get(kid)
        return found or self._public(use, RELIST_SECONDS).get(kid)

    def jwk(self, kid: str) -> dict[str, str]:
        """Return the public JWK of any signing key by its kid."""
        for use in ALGORITHMS:
            if any(name.startswith(f"{use}-") for name in self._shelf.names()):
                key = self.public_key(use, kid)
                if key is not None:
                    return public_jwk(key)
        raise KeyUnavailable("No signing key has this kid.")

    def jwks(self, use: SigningUse) -> dict[str, list[dict[str, str]]]:
        """Return the public key set of one use, newest first."""
        return {"keys": [public_jwk(key) for key in self._public(use, HELD_SECONDS).values()]}

    def rotate(self, use: SigningUse) -> str:
        """Add a signing key; its kid. Published at once, it signs when every process has had time to see it.

        Older ones stay published, so that what they signed verifies.
        """
        name = f"{use}-{max(self._versions(use), default=0) + 1}"
        standing = load_private_key(self._shelf.put(name, new_private_pem(ALGORITHMS[use])))
        self._forget()
        return signer_of(standing).kid

    def replace_at_once(self, use: SigningUse) -> str:
        """Add a signing key and destroy all older ones: for a key that somebody else may hold. Its kid.

        Whatever the older ones signed is refused from now on (within 60 s elsewhere). Raises KekInUse for a
        use whose signatures are verified for years.
        """
        self._check_prunable(use)
        kid = self.rotate(use)
        for version in sorted(self._versions(use))[:-1]:
            self._shelf.destroy(f"{use}-{version}")
        self._forget()
        return kid

    def prune(self, use: SigningUse) -> tuple[str, ...]:
        """Destroy the signing keys of one use whose signatures have all run out; their names.

        Raises KekInUse for a use whose signatures are verified for years.
        """
        self._check_prunable(use)
        versions = sorted(self._versions(use))
        over = self._published_first + timedelta(seconds=HELD_SECONDS) + SIGNATURES_LIVE[use]
        spent = [
            f"{use}-{older}" for older, newer in pairwise(versions) if self._age(f"{use}-{newer}") >= over
        ]
        for name in spent:
            self._shelf.destroy(name)
        self._forget()
        return tuple(spent)

    def described(self, use: SigningUse) -> tuple[tuple[str, datetime, bool], ...]:
        """(kid, when it was made, whether it signs) of each key of one use, newest first."""
        signing = self._signing(use)
        return tuple(
            (signer_of(self._private(use, version)).kid, self.made_at(f"{use}-{version}"), version == signing)
            for version in sorted(self._versions(use), reverse=True)
        )

    def made_at(self, name: str) -> datetime:
        """When a key was made, by the name it is kept under ('kek-2026-11', 'index-1')."""
        return self._shelf.made_at(name)

    def prepare(self, now: datetime) -> None:
        """Make every key that is absent, this and next month's key-encryption keys included.

        Raises KeyUnavailable when this store may not make keys.
        """
        self.kek_for(now)
        self.kek_for(now.astimezone(UTC).replace(day=1) + timedelta(days=32))
        for name in SECRETS:
            self.secret(name)
        for use in ALGORITHMS:
            self.signer(use)

    def _forget(self) -> None:
        with self._lock:
            self._held.clear()

    @staticmethod
    def _check_prunable(use: SigningUse) -> None:
        if use not in SIGNATURES_LIVE:
            raise KekInUse(f"What {use} keys signed is verified for years, so no {use} key is destroyed.")

    def _signing(self, use: SigningUse) -> int:
        """Which version signs: the newest old enough to be known everywhere, else the oldest."""
        versions = sorted(self._versions(use), reverse=True)
        known = (each for each in versions if self._age(f"{use}-{each}") >= self._published_first)
        return next(known, min(versions, default=1))

    def _age(self, name: str) -> timedelta:
        return self._wall() - self._shelf.made_at(name)

    def _hold(self, name: str, load: Callable[[], _Held], seconds: float = HELD_SECONDS) -> _Held:
        held = self._held.get(name)
        if held is not None and time.monotonic() - held[0] < seconds:
            return cast(_Held, held[1])
        value = load()
        with self._lock:
            self._held[name] = (time.monotonic(), value)
        return value

    def _load_kek(self, month: str, create: bool) -> Kek:
        return GcmKek(month, self._load_secret(f"kek-{month}", create))

    def _load_secret(self, name: str, create: bool) -> bytes:
        found = self._load(name, create, lambda: os.urandom(_KEY_BYTES))
        if len(found) != _KEY_BYTES:
            raise KeyUnavailable(f"Key {name} is not {_KEY_BYTES} bytes long.")
        return found

    def _load(self, name: str, create: bool, make: Callable[[], bytes]) -> bytes:
        found = self._shelf.get(name)
        if found is None and create:
            found = self._shelf.put(name, make())
        if found is None:
            raise KeyUnavailable(f"Key {name} is absent from the key store; it must be prepared before use.")
        return found

    def _ring(self, use: SigningUse) -> tuple[PrivateKey, ...]:
        versions = sorted(self._versions(use), reverse=True) or [1]
        return tuple(self._private(use, version) for version in versions)

    def _private(self, use: SigningUse, version: int) -> PrivateKey:
        may_make = self._create and version == 1
        pem = self._load(f"{use}-{version}", may_make, lambda: new_private_pem(ALGORITHMS[use]))
        return load_private_key(pem)

    def _public(self, use: SigningUse, seconds: float) -> dict[str, PublicKey]:
        def load() -> dict[str, PublicKey]:
            keys = (private.public_key() for private in self._ring(use))
            return {public_jwk(key)["kid"]: key for key in keys}

        return self._hold(f"public {use}", load, seconds)

    def _versions(self, name: str) -> list[int]:
        found = (re.fullmatch(rf"{name}-(\d+)", kept) for kept in self._shelf.names())
        return [int(match[1]) for match in found if match]


class FileKeyStore(ShelfKeyStore):
    """Keys in a private folder: the development key store, shaped like a managed one.

    Without `create` an absent key is KeyUnavailable, so that a lost folder never turns into new keys.
    """

    def __init__(
        self, directory: Path, *, create: bool = False, published_first: timedelta = PUBLISHED_FIRST
    ) -> None:
        shelf = FileShelf(directory)
        super().__init__(shelf, create=create, published_first=published_first)
        self.check_private = shelf.check_private


class MemoryKeyStore(ShelfKeyStore):
    """Keys that live as long as the process, for tests; every key is made on first use."""

    def __init__(self) -> None:
        super().__init__(MemoryShelf(), create=True, published_first=timedelta(0))
