"""Sessions: where somebody is signed in, and the rotating refresh tokens that keep them there."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wallet_api.identity.errors import SessionUnknown, TokenRefused
from wallet_api.identity.model import Session
from wallet_api.identity.oauth.model import Client, RefreshLine, SignedIn, digest
from wallet_api.identity.ports import SessionStore, TellTheft

IDLE = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
_ROUNDS = 64
_LONGEST = 128


@dataclass(frozen=True)
class OpenSession:
    """A live session and the refresh token just issued in it (256 random bits, shown once)."""

    session: Session
    refresh_token: str = field(repr=False)


class Sessions:
    """Opens, refreshes, lists and ends sessions. What it ends has ended when it returns.

    `tell` is called with the session that a stolen refresh token ended.
    """

    def __init__(self, sessions: SessionStore, now: Callable[[], datetime], tell: TellTheft) -> None:
        self._sessions = sessions
        self._now = now
        self._tell = tell

    def open(self, session_id: str, person: SignedIn, client: Client) -> OpenSession:
        """A new session for somebody who has just authenticated."""
        now, token = self._now(), _new_token()
        session = Session(
            id=session_id,
            kind=person.kind,
            subject_id=person.subject_id,
            client_id=client.id,
            client_label=client.label,
            created_at=now,
            last_used_at=now,
            auth_time=person.auth_time,
            acr=person.acr,
            roles=person.roles,
        )
        self._sessions.add(session, digest(token))
        return OpenSession(session, token)

    def refresh(self, token: str, client_id: str) -> OpenSession:
        """The session and its next refresh token.

        A token that was exchanged already may be presented again until its successor has been used once;
        it gets a fresh successor and the earlier one is void. From then on, presenting it ends the session.

        Raises:
            TokenRefused: unknown, void, another client's, idle for 30 days, older than 90, or ended.
        """
        presented = digest(token[:_LONGEST])
        for _ in range(_ROUNDS):
            found = self._sessions.issued(presented)
            if found is None or found.session.client_id != client_id or not self.live(found.session):
                raise TokenRefused("not a refresh token of a live session")
            session, line = found.session, found.line
            if presented not in (line.waiting, line.used):
                if found.successor_of != line.used:
                    self._stolen(session)
                raise TokenRefused("the refresh token was replaced")
            fresh, now = _new_token(), self._now()
            after = RefreshLine(used=presented, waiting=digest(fresh))
            if self._sessions.rotate(session.id, before=line, after=after, at=now):
                return OpenSession(session, fresh)
        raise TokenRefused("too many parties present this refresh token")

    def live(self, session: Session) -> bool:
        """Whether the session has neither ended nor run out (30 days idle, 90 in all)."""
        now = self._now()
        return (
            session.ended_at is None
            and now < session.last_used_at + IDLE
            and now < session.created_at + ABSOLUTE
        )

    def get(self, session_id: str) -> Session | None:
        """The session, ended ones too. One database operation, hit or miss."""
        return self._sessions.get(session_id)

    def of(self, subject_id: str) -> list[Session]:
        """Where the subject is signed in, newest first."""
        return [one for one in self._sessions.of(subject_id) if self.live(one)]

    def end(self, session_id: str, *, subject_id: str) -> None:
        """End one of the subject's sessions.

        Raises:
            SessionUnknown: it is not a live session of theirs.
        """
        found = self._sessions.get(session_id)
        if found is None or found.subject_id != subject_id or not self._sessions.end(session_id, self._now()):
            raise SessionUnknown("no such session")

    def end_all(self, subject_id: str) -> int:
        """End every session of the subject; how many there were."""
        return self._sessions.end_all(subject_id, self._now())

    def revoke(self, session_id: str) -> None:
        """End a session whoever it belongs to; nothing happens if it has ended already."""
        self._sessions.end(session_id, self._now())

    def revoke_token(self, token: str, client_id: str) -> None:
        """End the session a refresh token was issued in, if it is this client's."""
        found = self._sessions.issued(digest(token[:_LONGEST]))
        if found is not None and found.session.client_id == client_id:
            self.revoke(found.session.id)

    def _stolen(self, session: Session) -> None:
        if self._sessions.end(session.id, self._now()):
            self._tell(session)


def _new_token() -> str:
    return secrets.token_urlsafe(32)
