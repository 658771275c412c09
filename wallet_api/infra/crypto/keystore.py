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
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.infra.crypto.errors import KekInUse, KeyUnavailable, SealBroken
from wallet_api.infra.crypto.jws import (
    PrivateKey,
    PublicKey,
    Signer,
    load_private_key,
    new_private_pem,
    public_jwk,
    signer_of,
)
from wallet_api.infra.crypto.shelf import FileShelf, KeyShelf, MemoryShelf

SecretName = Literal["index", "reference", "cursor", "label", "etag"]
SigningUse = Literal["token", "receipt", "vneid_client", "ops_client", "checkpoint"]

SECRETS: Final[tuple[SecretName, ...]] = ("index", "reference", "cursor", "label", "etag")
ALGORITHMS: Final[dict[SigningUse, str]] = {
    "token": "ES256",
    "receipt": "ES256",
    "vneid_client": "ES256",
    "ops_client": "ES256",
    "checkpoint": "EdDSA",
}
HELD_SECONDS: Final = 60.0
RELIST_SECONDS: Final = 1.0
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_Held = TypeVar("_Held")


class Kek(Protocol):
    """A monthly key-encryption key: it wraps other keys and stays where it is."""

    @property
    def id(self) -> str:
        """The UTC month it was made for, 'YYYY-MM'."""

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Encrypt a key, bound to `aad`."""

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Decrypt a wrapped key. Raises SealBroken when key, bytes or `aad` differ."""


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


class _GcmKek:
    def __init__(self, kek_id: str, key: bytes) -> None:
        self.id = kek_id
        self._aead = AESGCM(key)

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        try:
            return self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], aad)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("A wrapped key does not open.") from error


class ShelfKeyStore:
    """A key store over a shelf. Thread-safe.

    Keys read are held for 60 seconds: a rotation or destruction by another process is obeyed within that.
    """

    def __init__(self, shelf: KeyShelf, *, create: bool) -> None:
        self._shelf = shelf
        self._create = create
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, object]] = {}

    def kek_for(self, now: datetime) -> Kek:
        """Return the key-encryption key of the UTC month of `now`, made on first use if `create`."""
        month = kek_month(now)
        return self._hold(f"kek-{month}", lambda: self._load_kek(month, self._create))

    def kek(self, kek_id: str) -> Kek:
        """Return one month's key-encryption key; KeyUnavailable when absent or destroyed."""
        if not _MONTH.fullmatch(kek_id):
            raise KeyUnavailable("A key-encryption key is named by its month, YYYY-MM.")
        return self._hold(f"kek-{kek_id}", lambda: self._load_kek(kek_id, create=False))

    def kek_ids(self) -> tuple[str, ...]:
        """Return the months whose key-encryption key exists, oldest first."""
        return tuple(sorted(n.removeprefix("kek-") for n in self._shelf.names() if n.startswith("kek-")))

    def destroy_kek(self, kek_id: str, now: datetime) -> None:
        """Destroy a past month's key; whatever it still wraps never opens again, in any backup.

        Raises KekInUse until an hour after its month: a slow writer may still be using it.
        """
        if kek_id >= kek_month(now - timedelta(hours=1)):
            raise KekInUse("A key-encryption key is destroyed an hour after its month at the earliest.")
        self.kek(kek_id)
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
        """Return the newest signing key of one use (the first is made if `create`)."""
        return self._hold(f"signer {use}", lambda: signer_of(self._ring(use)[0]))

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
        """Add a signing key, used from now on (within 60 s elsewhere); older ones stay published. Its kid."""
        name = f"{use}-{max(self._versions(use), default=0) + 1}"
        standing = load_private_key(self._shelf.put(name, new_private_pem(ALGORITHMS[use])))
        with self._lock:
            self._held.clear()
        return signer_of(standing).kid

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

    def _hold(self, name: str, load: Callable[[], _Held], seconds: float = HELD_SECONDS) -> _Held:
        held = self._held.get(name)
        if held is not None and time.monotonic() - held[0] < seconds:
            return cast(_Held, held[1])
        value = load()
        with self._lock:
            self._held[name] = (time.monotonic(), value)
        return value

    def _load_kek(self, month: str, create: bool) -> Kek:
        return _GcmKek(month, self._load_secret(f"kek-{month}", create))

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
        names = [f"{use}-{version}" for version in versions]
        return tuple(
            load_private_key(self._load(name, self._create, lambda: new_private_pem(ALGORITHMS[use])))
            for name in names
        )

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

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        super().__init__(FileShelf(directory), create=create)


class MemoryKeyStore(ShelfKeyStore):
    """Keys that live as long as the process, for tests; every key is made on first use."""

    def __init__(self) -> None:
        super().__init__(MemoryShelf(), create=True)


def kek_month(now: datetime) -> str:
    """Name the key-encryption key of an instant: its UTC month, 'YYYY-MM'."""
    return now.astimezone(UTC).strftime("%Y-%m")
