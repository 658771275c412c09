"""Which keys this database was written with, so that a foreign key folder is noticed before it does harm.

A wrong index secret finds nobody, and would let everybody be registered a second time; a wrong
key-encryption key opens nothing. So each key leaves a witness that proves it and tells nothing about it.
"""

from __future__ import annotations

import hmac
import logging
from datetime import datetime
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.crypto.errors import KeyUnavailable, SealBroken
from wallet_api.infra.crypto.keystore import SECRETS, KeyStore, SecretName
from wallet_api.infra.logs import say

_COLLECTION: Final = "key_witnesses"
_SAID: Final = b"this database was written with this key"
_KEK: Final = "kek-"


def check_keys(db: Database[dict[str, Any]], keys: KeyStore, now: datetime) -> None:
    """Compare the keys with those that were here first; a key that is new leaves its witness.

    A missing key of this month is told in the log alone while an older one opens: reading goes on.

    Raises:
        KeyUnavailable: a key is absent, or not the one this database was written with.
    """
    witnesses = {str(each["_id"]): bytes(each["proof"]) for each in db[_COLLECTION].find({})}
    for name in SECRETS:
        _check_secret(db, keys, name, witnesses)
    _check_keks(db, keys, now, witnesses)


def _check_secret(
    db: Database[dict[str, Any]], keys: KeyStore, name: SecretName, witnesses: dict[str, bytes]
) -> None:
    versions = [int(each.removeprefix(f"{name}-")) for each in witnesses if each.rpartition("-")[0] == name]
    if versions:  # an older folder than the database's lacks its newest version
        _compare(f"{name}-{max(versions)}", witnesses, keys.secret(name, max(versions)))
    newest = keys.newest(name)
    if newest not in versions:
        _leave(db, f"{name}-{newest}", _proof(keys.secret(name, newest)))


def _compare(witness: str, witnesses: dict[str, bytes], secret: bytes) -> None:
    if not hmac.compare_digest(witnesses[witness], _proof(secret)):
        raise _foreign(witness)


def _check_keks(
    db: Database[dict[str, Any]], keys: KeyStore, now: datetime, witnesses: dict[str, bytes]
) -> None:
    opened = 0
    for witness in (each for each in witnesses if each.startswith(_KEK)):
        try:
            keys.kek(witness.removeprefix(_KEK)).unwrap(witnesses[witness], _SAID)
        except SealBroken as why:
            raise _foreign(witness) from why
        except KeyUnavailable:
            continue  # past months' keys are destroyed on purpose
        opened += 1
    try:
        current = keys.kek_for(now)
    except KeyUnavailable:
        if not opened:
            raise
        say("kek_of_this_month_absent", logging.ERROR)
        return
    if _KEK + current.id not in witnesses:
        _leave(db, _KEK + current.id, current.wrap(_SAID, _SAID))


def _leave(db: Database[dict[str, Any]], witness: str, proof: bytes) -> None:
    try:
        db[_COLLECTION].insert_one({"_id": witness, "proof": proof})
    except DuplicateKeyError:
        return  # another process started at the same time; each start compares anew


def _proof(secret: bytes) -> bytes:
    return hmac.digest(secret, _SAID, "sha256")


def _foreign(witness: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"Key {witness} is not the one this database was written with: put back the key folder that belongs "
        "to it (WALLET_KEYS_DIR)."
    )
