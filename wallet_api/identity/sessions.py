"""Sessions: where somebody is signed in, and the rotating refresh tokens that keep them there."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wallet_api.identity.errors import SessionUnknown, TokenRefused
from wallet_api.identity.model import CallerKind, Session
from wallet_api.identity.oauth.model import Client, RefreshLine, SignedIn, digest
from wallet_api.identity.ports import CitizenStore, SessionStore, TellCrowded, TellStarted, TellTheft

IDLE = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
OPS_IDLE = timedelta(minutes=15)
OPS_ABSOLUTE = timedelta(hours=8)
MOST_SESSIONS = 5
"""Places where one person may be signed in at a time (ASVS 7.1.2); one more ends the one unused longest."""
BooksHeld = Callable[[CallerKind, str], tuple[str, ...] | None]
"""The other books that continue in a subject's own now; None: it may hold no session at all."""
_ROUNDS = 64
_LONGEST = 128


@dataclass(frozen=True)
class OpenSession:
    """A live session and the refresh token just issued in it (256 random bits, shown once)."""

    session: Session
    refresh_token: str = field(repr=False)


class Sessions:
    """Opens, refreshes, lists and ends sessions. What it ends has ended when it returns.

    `books_held` is asked about a subject at each opening and refresh. `tell` is called with the session that
    a stolen refresh token ended, `tell_crowded` with one that made room for a newer one, `tell_started`
    with one that is about to open: what it raises keeps the session from opening.
    """

    def __init__(
        self,
        sessions: SessionStore,
        now: Callable[[], datetime],
        books_held: BooksHeld,
        *,
        tell: TellTheft,
        tell_crowded: TellCrowded,
        tell_started: TellStarted,
    ) -> None:
        self._sessions = sessions
        self._now = now
        self._books_held = books_held
        self._tell = tell
        self._tell_crowded = tell_crowded
        self._tell_started = tell_started

    def open(self, session_id: str, person: SignedIn, client: Client, scope: str = "") -> OpenSession:
        """A new session for somebody who has just authenticated; beyond five, the one unused longest ends.

        `scope`: what a narrowed session may read.

        Raises:
            TokenRefused: the person has died or is locked since.
        """
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
            scope=scope,
            books=self._books_held(person.kind, person.subject_id) or (),
        )
        self._tell_started(session)
        self._sessions.add(session, digest(token))
        # Asked once the session stands: a death, a lock or a merge that came between ended only what it saw.
        self._refuse_unless_held_rightly(session)
        self._make_room(session)
        return OpenSession(session, token)

    def refresh(self, token: str, client_id: str) -> OpenSession:
        """The session and its next refresh token.

        A token that was exchanged already may be presented again until its successor has been used once;
        it gets a fresh successor and the earlier one is void. From then on, presenting it ends the session.

        Raises:
            TokenRefused: unknown, void, another client's, run out, ended, or its person died or is locked.
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
            self._refuse_unless_held_rightly(session)
            fresh, now = _new_token(), self._now()
            after = RefreshLine(used=presented, waiting=digest(fresh))
            if self._sessions.rotate(session.id, before=line, after=after, at=now):
                return OpenSession(session, fresh)
        raise TokenRefused("too many parties present this refresh token")

    def live(self, session: Session) -> bool:
        """Whether it has neither ended nor run out: 30 days idle, 90 in all; for ops 15 minutes, 8 hours."""
        now = self._now()
        idle, absolute = (OPS_IDLE, OPS_ABSOLUTE) if session.kind == "ops" else (IDLE, ABSOLUTE)
        return (
            session.ended_at is None
            and now < session.last_used_at + idle
            and now < session.created_at + absolute
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

    def _refuse_unless_held_rightly(self, session: Session) -> None:
        if self._books_held(session.kind, session.subject_id) != session.books:
            self.revoke(session.id)
            raise TokenRefused("nobody may be signed in as this person")

    def _make_room(self, opened: Session) -> None:
        for _ in range(_ROUNDS):
            by_use = sorted(self.of(opened.subject_id), key=_freshness, reverse=True)
            # Only what is still unused as seen: a place refreshed meanwhile is not the one to go.
            ended = [self._crowd_out(one) for one in by_use[MOST_SESSIONS:]]
            if all(ended):
                return

    def _crowd_out(self, session: Session) -> bool:
        if not self._sessions.end(session.id, self._now(), unused_since=session.last_used_at):
            return False
        self._tell_crowded(session)
        return True

    def _stolen(self, session: Session) -> None:
        if self._sessions.end(session.id, self._now()):
            self._tell(session)


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _freshness(session: Session) -> tuple[datetime, datetime, str]:
    return session.last_used_at, session.created_at, session.id


def standing_of(citizens: CitizenStore) -> BooksHeld:
    """`BooksHeld` by the register of people: a citizen who is known, alive and not locked; ops always."""

    def books_held(kind: CallerKind, subject_id: str) -> tuple[str, ...] | None:
        if kind != "citizen":
            return ()
        found = citizens.get(subject_id)
        return found.joined if found is not None and found.may_be_signed_in else None

    return books_held
