"""Sessions and refresh tokens in MongoDB. A session's line of refresh tokens is one compare-and-set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import Taken
from wallet_api.identity.model import Session
from wallet_api.identity.oauth.model import IssuedRefresh, RefreshLine
from wallet_api.identity.sessions import ABSOLUTE, IDLE
from wallet_api.infra.clock import system_now
from wallet_api.infra.mongo import Index

_SESSIONS, _REFRESH = "sessions", "refresh_tokens"
_GRACE = timedelta(days=1)

INDEXES = (
    Index(_SESSIONS, ("subject_id", "ended_at")),
    Index(_SESSIONS, ("purge_at",), ttl=0),
    Index(_REFRESH, ("purge_at",), ttl=0),
)

Document = dict[str, Any]


class MongoSessions:
    """`SessionStore` over pymongo.

    `wall` is the machine's time, not the injected one: it only sets when the database may clear away, and
    the database clears by its own clock.
    """

    def __init__(self, db: Database[Document], wall: Callable[[], datetime] = system_now) -> None:
        self._sessions = db[_SESSIONS]
        self._refresh = db[_REFRESH]
        self._wall = wall

    def add(self, session: Session, refresh: str) -> None:
        """Open a session whose first refresh token has this digest."""
        document = _document(session) | {
            "refresh_used": None,
            "refresh_waiting": refresh,
            "purge_at": self._wall() + ABSOLUTE + _GRACE,
        }
        try:
            self._sessions.insert_one(document)
        except DuplicateKeyError as why:
            raise Taken("session id") from why
        self._issue(refresh, session.id, None)

    def get(self, session_id: str) -> Session | None:
        """The session, ended ones too."""
        found = self._sessions.find_one({"_id": session_id})
        return None if found is None else _session(found)

    def of(self, subject_id: str) -> list[Session]:
        """The subject's sessions that have not ended, newest first."""
        rows = self._sessions.find({"subject_id": subject_id, "ended_at": None})
        return sorted((_session(row) for row in rows), key=lambda one: one.created_at, reverse=True)

    def end(self, session_id: str, at: datetime, unused_since: datetime | None = None) -> bool:
        """End it; False if it was not live, or was used after `unused_since`."""
        live: Document = {"_id": session_id, "ended_at": None}
        if unused_since is not None:
            live["last_used_at"] = unused_since
        done = self._sessions.update_one(live, {"$set": {"ended_at": at}, "$inc": {"version": 1}})
        return done.modified_count == 1

    def end_all(self, subject_id: str, at: datetime) -> int:
        """End every live session of the subject."""
        live = {"subject_id": subject_id, "ended_at": None}
        done = self._sessions.update_many(live, {"$set": {"ended_at": at}, "$inc": {"version": 1}})
        return done.modified_count

    def issued(self, refresh: str) -> IssuedRefresh | None:
        """What is known of the refresh token with this digest."""
        token = self._refresh.find_one({"_id": refresh})
        found = None if token is None else self._sessions.find_one({"_id": token["session_id"]})
        if token is None or found is None:
            return None
        line = RefreshLine(found["refresh_used"], found["refresh_waiting"])
        return IssuedRefresh(_session(found), line, token["successor_of"])

    def rotate(self, session_id: str, *, before: RefreshLine, after: RefreshLine, at: datetime) -> bool:
        """Move the live session's line from exactly `before` to `after`."""
        # The token first: a line must never wait for a token that nobody would recognise.
        self._issue(after.waiting, session_id, after.used)
        unmoved = {
            "_id": session_id,
            "refresh_used": before.used,
            "refresh_waiting": before.waiting,
            "ended_at": None,
        }
        moved = {"refresh_used": after.used, "refresh_waiting": after.waiting, "last_used_at": at}
        if self._sessions.update_one(unmoved, {"$set": moved}).modified_count == 1:
            return True
        self._refresh.delete_one({"_id": after.waiting})
        return False

    def _issue(self, refresh: str, session_id: str, successor_of: str | None) -> None:
        purge_at = self._wall() + IDLE + _GRACE
        self._refresh.insert_one(
            {"_id": refresh, "session_id": session_id, "successor_of": successor_of, "purge_at": purge_at}
        )


def _document(session: Session) -> Document:
    return {
        "_id": session.id,
        "kind": session.kind,
        "subject_id": session.subject_id,
        "client_id": session.client_id,
        "client_label": session.client_label,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "auth_time": session.auth_time,
        "acr": session.acr,
        "roles": sorted(session.roles),
        "ended_at": session.ended_at,
        "version": session.version,
        "scope": session.scope,
        "books": list(session.books),
    }


def _session(row: Document) -> Session:
    return Session(
        id=row["_id"],
        kind=row["kind"],
        subject_id=row["subject_id"],
        client_id=row["client_id"],
        client_label=row["client_label"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        auth_time=row["auth_time"],
        acr=row["acr"],
        roles=frozenset(row["roles"]),
        ended_at=row["ended_at"],
        version=row["version"],
        scope=row.get("scope", ""),  # older sessions have none
        books=tuple(row.get("books", ())),
    )
