"""One act, one effect, however often it is sent: what a turn under an Idempotency-Key is.

The first request with a key takes a turn: a row with a random seed and a lease of some seconds. What the
act creates takes its ids from that seed, and what it is about to touch is noted in the row first. So if
the process dies, whoever asks next takes the turn over, finds what is there already, and finishes it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Protocol

from wallet_api.infra.ids import id_from_bytes

LEASE = timedelta(seconds=10)
"""Longer than any act of ours takes: three operations of three seconds and some."""
KEPT = timedelta(hours=24)


class IdempotencyMismatch(Exception):
    """The key was used with another body."""

    code: ClassVar[str] = "idempotency_mismatch"


class IdempotencyRunning(Exception):
    """The first request with this key has not ended; ask again in `retry_after` seconds."""

    code: ClassVar[str] = "idempotency_running"

    def __init__(self, retry_after: int) -> None:
        super().__init__("running")
        self.retry_after = retry_after


Noted = Mapping[str, str]


@dataclass(frozen=True)
class Turn:
    """One request's hold on a key.

    `again`: an earlier request with this key may have done all, part or nothing of it.
    `noted`: what it noted: references, never what was answered.
    """

    key: str
    seed: bytes = field(repr=False)
    lease: str
    again: bool
    done: bool
    noted: Noted

    def id_of(self, what: str) -> str:
        """The id that this act gives to what it creates: the same each time, and nobody can guess it."""
        return id_from_bytes(self.secret(what)[:16])

    def secret(self, what: str) -> bytes:
        """32 bytes that are the same each time this act runs."""
        return hmac.digest(self.seed, what.encode(), hashlib.sha256)


class Turns(Protocol):
    """Keeps turns for 24 hours. Durable when it returns."""

    def begin(self, key: str, fingerprint: str) -> Turn:
        """Take the turn of a key, or one that was left behind, or learn that it is done.

        Of several at once one gets it.

        Raises:
            IdempotencyMismatch: the key came with another fingerprint before.
            IdempotencyRunning: somebody has the turn.
        """

    def note(self, turn: Turn, noted: Noted) -> None:
        """Keep what the act is about to touch, before it does."""

    def finish(self, turn: Turn) -> None:
        """It is done: whoever comes with the key from now on is answered from what is there."""

    def leave(self, turn: Turn) -> None:
        """Give the turn back undone: the next request with the key may take it at once."""
