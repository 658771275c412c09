"""In-memory stores of the OAuth server: clients, sessions, sign-ins under way, codes, assertion ids."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import Session
from wallet_api.identity.oauth.model import (
    AuthorizationCode,
    Client,
    IssuedRefresh,
    LoginAttempt,
    RefreshLine,
)


@dataclass
class MemoryClients:
    """Clients in a dictionary."""

    _rows: dict[str, Client] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, client: Client) -> None:
        """Add one."""
        with self._lock:
            if client.id in self._rows:
                raise Taken("client id")
            self._rows[client.id] = client

    def save(self, client: Client, *, expected: int) -> None:
        """Replace it."""
        with self._lock:
            found = self._rows.get(client.id)
            if found is None or found.version != expected:
                raise StaleVersion("client")
            self._rows[client.id] = client

    def get(self, client_id: str) -> Client | None:
        """One client."""
        return self._rows.get(client_id)

    def of_organisation(self, organisation_id: str) -> list[Client]:
        """The organisation's clients."""
        return [one for one in list(self._rows.values()) if one.organisation_id == organisation_id]

    def all(self) -> list[Client]:
        """Every client, by id."""
        return sorted(self._rows.values(), key=lambda client: client.id)


@dataclass
class MemorySessions:
    """Sessions and refresh lines in dictionaries."""

    _rows: dict[str, Session] = field(default_factory=dict)
    _lines: dict[str, RefreshLine] = field(default_factory=dict)
    _issued: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, session: Session, refresh: str) -> None:
        """Open a session whose first refresh token has this digest."""
        with self._lock:
            if session.id in self._rows:
                raise Taken("session id")
            self._rows[session.id] = session
            self._lines[session.id] = RefreshLine(None, refresh)
            self._issued[refresh] = (session.id, None)

    def get(self, session_id: str) -> Session | None:
        """The session, ended ones too."""
        return self._rows.get(session_id)

    def of(self, subject_id: str) -> list[Session]:
        """The subject's sessions that have not ended, newest first."""
        found = [
            one for one in list(self._rows.values()) if one.subject_id == subject_id and one.ended_at is None
        ]
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def end(self, session_id: str, at: datetime, unused_since: datetime | None = None) -> bool:
        """End it; False if it was not live, or was used after `unused_since`."""
        with self._lock:
            found = self._rows.get(session_id)
            if found is None or found.ended_at is not None:
                return False
            if unused_since not in (None, found.last_used_at):
                return False
            self._rows[session_id] = replace(found, ended_at=at, version=found.version + 1)
            return True

    def end_all(self, subject_id: str, at: datetime) -> int:
        """End every live session of the subject."""
        return sum(self.end(one.id, at) for one in self.of(subject_id))

    def issued(self, refresh: str) -> IssuedRefresh | None:
        """What is known of the refresh token with this digest."""
        with self._lock:
            session_id, successor_of = self._issued.get(refresh, (None, None))
            if session_id is None:
                return None
            return IssuedRefresh(self._rows[session_id], self._lines[session_id], successor_of)

    def rotate(self, session_id: str, *, before: RefreshLine, after: RefreshLine, at: datetime) -> bool:
        """Move the live session's line from exactly `before` to `after`."""
        with self._lock:
            if self._lines.get(session_id) != before or self._rows[session_id].ended_at is not None:
                return False
            self._lines[session_id] = after
            self._issued[after.waiting] = (session_id, after.used)
            self._rows[session_id] = replace(self._rows[session_id], last_used_at=at)
            return True


@dataclass
class MemoryLoginAttempts:
    """Sign-ins under way in a dictionary."""

    _rows: dict[str, LoginAttempt] = field(default_factory=dict)

    def add(self, attempt: LoginAttempt) -> None:
        """Remember one."""
        self._rows[attempt.state_digest] = attempt

    def take(self, state_digest: str) -> LoginAttempt | None:
        """Give the attempt to exactly one taker."""
        return self._rows.pop(state_digest, None)


@dataclass
class MemoryCodes:
    """One-time codes in a dictionary."""

    _rows: dict[str, AuthorizationCode] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, code: AuthorizationCode) -> None:
        """Remember one."""
        self._rows[code.digest] = code

    def get(self, digest: str) -> AuthorizationCode | None:
        """The code, used or not."""
        return self._rows.get(digest)

    def use(self, digest: str) -> bool:
        """Mark it used; True for exactly one caller."""
        with self._lock:
            found = self._rows.get(digest)
            if found is None or found.used:
                return False
            self._rows[digest] = replace(found, used=True)
            return True

    def mark_replayed(self, digest: str) -> None:
        """Remember that it was presented again."""
        with self._lock:
            self._rows[digest] = replace(self._rows[digest], replayed=True)


@dataclass
class MemoryJtis:
    """Assertion ids in a set, kept for ever."""

    _used: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        """True the first time this client presents it."""
        del expires_at
        with self._lock:
            fresh = (client_id, jti) not in self._used
            self._used.add((client_id, jti))
            return fresh
