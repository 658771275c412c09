"""What a sign-in leaves behind for minutes: attempts, one-time codes, used assertion ids. Digests only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.oauth.model import AuthorizationCode, LoginAttempt, SignedIn
from wallet_api.infra.clock import system_now
from wallet_api.infra.mongo import Index

_ATTEMPTS, _CODES, _JTIS = "login_attempts", "authorization_codes", "used_assertions"
_ATTEMPT_KEPT = timedelta(minutes=10)
_CODE_KEPT = timedelta(days=1)  # a code that is replayed hours later still ends what it gave
_JTI_KEPT = timedelta(minutes=15)  # an assertion lives five minutes and half a minute of leeway

INDEXES = tuple(Index(name, ("purge_at",), ttl=0) for name in (_ATTEMPTS, _CODES, _JTIS))

Document = dict[str, Any]
Wall = Callable[[], datetime]


class MongoLoginAttempts:
    """`LoginAttemptStore` over pymongo. `wall`: the machine's time, for clearing away only."""

    def __init__(self, db: Database[Document], wall: Wall = system_now) -> None:
        self._rows = db[_ATTEMPTS]
        self._wall = wall

    def add(self, attempt: LoginAttempt) -> None:
        """Remember one."""
        document = {**vars(attempt), "_id": attempt.state_digest, "purge_at": self._wall() + _ATTEMPT_KEPT}
        del document["state_digest"]
        _leave_out_whole(document)
        self._rows.insert_one(document)

    def take(self, state_digest: str) -> LoginAttempt | None:
        """Give the attempt to exactly one taker."""
        found = self._rows.find_one({"_id": state_digest})
        if found is None or self._rows.delete_one({"_id": state_digest}).deleted_count == 0:
            return None
        del found["purge_at"]
        return LoginAttempt(state_digest=found.pop("_id"), **found)


class MongoCodes:
    """`CodeStore` over pymongo. `wall`: the machine's time, for clearing away only."""

    def __init__(self, db: Database[Document], wall: Wall = system_now) -> None:
        self._rows = db[_CODES]
        self._wall = wall

    def add(self, code: AuthorizationCode) -> None:
        """Remember one."""
        person = {**vars(code.person), "roles": sorted(code.person.roles)}
        more = {"_id": code.digest, "person": person, "purge_at": self._wall() + _CODE_KEPT}
        document = vars(code) | more
        del document["digest"]
        _leave_out_whole(document)
        self._rows.insert_one(document)

    def get(self, digest: str) -> AuthorizationCode | None:
        """The code, used or not."""
        found = self._rows.find_one({"_id": digest})
        if found is None:
            return None
        del found["purge_at"]
        told = found.pop("person")
        person = SignedIn(**{**told, "roles": frozenset(told["roles"])})
        return AuthorizationCode(digest=found.pop("_id"), person=person, **found)

    def use(self, digest: str) -> bool:
        """Mark it used; True for exactly one caller."""
        done = self._rows.update_one({"_id": digest, "used": False}, {"$set": {"used": True}})
        return done.modified_count == 1

    def mark_replayed(self, digest: str) -> None:
        """Remember that it was presented again."""
        self._rows.update_one({"_id": digest}, {"$set": {"replayed": True}})


def _leave_out_whole(document: Document) -> None:
    """A scope is kept where there is one: whoever runs before it was known reads all others as ever."""
    if not document["scope"]:
        del document["scope"]


class MongoJtis:
    """`JtiStore` over pymongo: one insert, unique by `_id`."""

    def __init__(self, db: Database[Document], wall: Wall = system_now) -> None:
        self._rows = db[_JTIS]
        self._wall = wall

    def use(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        """True the first time this client presents it."""
        del expires_at  # by the injected clock; the database clears by its own
        key = hashlib.sha256(f"{len(client_id)}|{client_id}|{jti}".encode()).hexdigest()
        try:
            self._rows.insert_one({"_id": key, "purge_at": self._wall() + _JTI_KEPT})
        except DuplicateKeyError:
            return False
        return True
