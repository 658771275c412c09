"""The values of the OAuth server. Secrets appear only as SHA-256 digests (lower-case hex)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from wallet_api.identity.model import CallerKind, ClientKind, Role, Session

Upstream = Literal["vneid", "ops"]


def digest(secret: str) -> str:
    """SHA-256 of a 256-bit random secret: enough at rest, since nobody can guess such a secret."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Client:
    """A registered client. Apps and the ops console are public; providers hold a private key."""

    id: str
    kind: ClientKind
    label: str
    redirect_uris: tuple[str, ...] = ()
    jwks: Mapping[str, object] = field(default_factory=dict)
    organisation_id: str | None = None
    status: Literal["active", "suspended"] = "active"
    version: int = 1


@dataclass(frozen=True)
class LoginAttempt:
    """A sign-in between /oauth/authorize and the callback. Good for five minutes, once, in one browser."""

    state_digest: str
    browser_digest: str
    upstream: Upstream
    client_id: str
    redirect_uri: str
    app_state: str
    code_challenge: str
    started_at: datetime
    scope: str = ""
    """As granted to a session that reads some types of resources alone; "": the whole of its kind."""


@dataclass(frozen=True)
class SignedIn:
    """The person an upstream provider vouched for, as one of ours."""

    kind: CallerKind
    subject_id: str
    acr: str
    auth_time: datetime
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class AuthorizationCode:
    """Our one-time code: 60 seconds, once, for one client, redirect address and challenge."""

    digest: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    person: SignedIn
    session_id: str
    issued_at: datetime
    used: bool = False
    replayed: bool = False
    scope: str = ""


@dataclass(frozen=True)
class RefreshLine:
    """Where a session's refresh tokens stand: `used` was exchanged last, `waiting` is its successor.

    `used` may be presented again (an answer got lost) until `waiting` has been used once.
    """

    used: str | None
    waiting: str


@dataclass(frozen=True)
class IssuedRefresh:
    """A refresh token we issued: its session, where its line stands, and which token it succeeded."""

    session: Session
    line: RefreshLine
    successor_of: str | None


@dataclass(frozen=True)
class Answer:
    """What to send: framework-neutral. `body` is JSON when a mapping, HTML when text."""

    status: int
    body: Mapping[str, object] | str = ""
    headers: tuple[tuple[str, str], ...] = ()
    set_cookie: tuple[str, str] | None = None
    drop_cookie: str | None = None
