"""Turns under an Idempotency-Key in MongoDB: a row a key, found by its id alone."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.clock import system_now
from wallet_api.infra.idempotency import KEPT, LEASE, IdempotencyMismatch, IdempotencyRunning, Noted, Turn
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Index

Document = dict[str, Any]

INDEXES = (Index("idempotency_keys", ("purge_at",), ttl=0),)


class MongoTurns:
    """`Turns` over pymongo. `wall` is the machine's time: leases and clearing away are between machines."""

    def __init__(self, db: Database[Document], wall: Callable[[], datetime] = system_now) -> None:
        self._rows = db["idempotency_keys"]
        self._wall = wall

    def begin(self, key: str, fingerprint: str) -> Turn:
        """One insert for a new key; else a look, and a compare-and-set on the lease of a turn left behind."""
        now, lease = self._wall(), new_id()
        row: Document = {
            "_id": key,
            "fingerprint": fingerprint,
            "seed": secrets.token_bytes(32),
            "lease": lease,
            "leased_until": now + LEASE,
            "done": False,
            "noted": {},
            "purge_at": now + KEPT,
        }
        try:
            self._rows.insert_one(row)
        except DuplicateKeyError:
            return self._known(key, fingerprint, lease, now)
        return Turn(key, row["seed"], lease, again=False, done=False, noted={})

    def note(self, turn: Turn, noted: Noted) -> None:
        """Keep it, if the turn is still ours; whoever took it over has the same ids and notes the same."""
        fields = {f"noted.{name}": value for name, value in noted.items()}
        self._rows.update_one({"_id": turn.key}, {"$set": fields})

    def finish(self, turn: Turn) -> None:
        """Mark it done, whoever has the turn now: the effect is there."""
        self._rows.update_one({"_id": turn.key}, {"$set": {"done": True}})

    def leave(self, turn: Turn) -> None:
        """End the lease, if it is still ours."""
        over = {"leased_until": datetime.fromtimestamp(0, UTC)}
        self._rows.update_one({"_id": turn.key, "lease": turn.lease}, {"$set": over})

    def _known(self, key: str, fingerprint: str, lease: str, now: datetime) -> Turn:
        found = self._rows.find_one({"_id": key})
        if found is None:
            raise IdempotencyRunning(1)  # cleared away in this moment: the next request begins anew
        if not secrets.compare_digest(str(found["fingerprint"]), fingerprint):
            raise IdempotencyMismatch(key)
        if found["done"]:
            return _turn(found, lease)
        until = found["leased_until"].astimezone(UTC)
        if now < until:
            raise IdempotencyRunning(max(1, math.ceil((until - now).total_seconds())))
        left = {"_id": key, "lease": found["lease"], "done": False}
        taken = self._rows.update_one(left, {"$set": {"lease": lease, "leased_until": now + LEASE}})
        if taken.modified_count == 0:
            raise IdempotencyRunning(1)
        return _turn(found, lease)


def _turn(found: Document, lease: str) -> Turn:
    return Turn(
        found["_id"], bytes(found["seed"]), lease, again=True, done=found["done"], noted=found["noted"]
    )
