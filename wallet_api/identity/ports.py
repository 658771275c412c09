"""What the identity services need from storage. Memory versions ship in `memory.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from wallet_api.identity.model import (
    Account,
    Citizen,
    Guardianship,
    IdentifierKind,
    IdentifierOwner,
    Organisation,
    Practitioner,
    Review,
    Session,
)
from wallet_api.identity.oauth.model import (
    AuthorizationCode,
    Client,
    IssuedRefresh,
    LoginAttempt,
    RefreshLine,
)

TellTheft = Callable[[Session], None]
"""Called with the session that a stolen refresh token ended."""
TellCrowded = Callable[[Session], None]
"""Called with the session that had to make room for a newer one."""
TellStarted = Callable[[Session], None]
"""Called with a session before it opens; what it raises keeps it from opening."""


class CitizenStore(Protocol):
    """People, their numbers and their accounts. A number or an account belongs to one citizen for ever."""

    def create(self, citizen: Citizen) -> None:
        """Add the citizen with all numbers and accounts, all or nothing.

        Raises:
            Taken: the id, a number or an account is in use.
        """

    def save(self, citizen: Citizen, *, expected: int) -> None:
        """Replace the citizen; new numbers and accounts are claimed, all or nothing.

        Raises:
            StaleVersion: the stored version is not `expected`.
            Taken: a number or an account belongs to somebody else.
        """

    def save_together(self, changes: Sequence[tuple[Citizen, int]]) -> None:
        """Replace each citizen of the version named beside it, all or nothing; numbers and accounts stay.

        Raises:
            StaleVersion: a stored version is another.
        """

    def get(self, citizen_id: str) -> Citizen | None:
        """The citizen, if there is one."""

    def by_account(self, account: Account) -> str | None:
        """Whose account it is. One database operation, hit or miss."""

    def owner(self, kind: IdentifierKind, value: str) -> IdentifierOwner | None:
        """Whose number it is, valid or not. One database operation, hit or miss."""


class ReviewStore(Protocol):
    """Identity questions waiting for a person."""

    def add(self, review: Review) -> None:
        """Open one."""

    def open(self, limit: int = 100) -> list[Review]:
        """The open ones, oldest first."""


class GuardianshipStore(Protocol):
    """Dated relations between people."""

    def add(self, guardianship: Guardianship) -> None:
        """Add one.

        Raises:
            Taken: the id is in use, or the pair already has one that has not ended.
        """

    def get(self, guardianship_id: str) -> Guardianship | None:
        """One of them."""

    def save(self, guardianship: Guardianship, *, expected: int) -> None:
        """Replace it.

        Raises:
            StaleVersion: the stored version is not `expected`.
        """

    def for_pair(self, guardian_id: str, dependent_id: str) -> list[Guardianship]:
        """Every relation of the pair, ended ones too."""

    def of_guardian(self, guardian_id: str) -> list[Guardianship]:
        """Every relation in which they are the guardian."""

    def of_dependent(self, dependent_id: str) -> list[Guardianship]:
        """Every relation in which they are the dependent."""

    def proposed(self, limit: int = 100) -> list[Guardianship]:
        """Those waiting for a registrar."""


class OrganisationStore(Protocol):
    """The registry of provider organisations."""

    def add(self, organisation: Organisation) -> None:
        """Add one.

        Raises:
            Taken: the id, facility code or GLN is in use.
        """

    def save(self, organisation: Organisation, *, expected: int) -> None:
        """Replace it.

        Raises:
            StaleVersion: the stored version is not `expected`.
            Taken: the facility code or GLN is in use.
        """

    def get(self, organisation_id: str) -> Organisation | None:
        """One organisation."""

    def search(self, words: Sequence[str], limit: int) -> list[Organisation]:
        """Those with, for each folded word, a word in their folded names beginning so; none for none."""

    def names(self) -> Iterable[tuple[str, str, str]]:
        """Id, Vietnamese and English name of every organisation. For registrars: it reads them all."""

    def merged_into(self, organisation_id: str) -> list[str]:
        """The organisations that were merged into this one, by id."""


class RosterStore(Protocol):
    """Who works where, from when to when."""

    def put(self, practitioner: Practitioner) -> None:
        """Add the entry (organisation, practitioner) or replace it."""

    def get(self, organisation_id: str, practitioner_id: str) -> Practitioner | None:
        """One entry, current or past."""

    def of(self, organisation_id: str) -> list[Practitioner]:
        """The whole roster, past members too, by name."""


class ClientStore(Protocol):
    """Registered OAuth clients."""

    def add(self, client: Client) -> None:
        """Add one.

        Raises:
            Taken: the client id is in use.
        """

    def save(self, client: Client, *, expected: int) -> None:
        """Replace it.

        Raises:
            StaleVersion: the stored version is not `expected`.
        """

    def get(self, client_id: str) -> Client | None:
        """One client. One database operation, hit or miss."""

    def of_organisation(self, organisation_id: str) -> list[Client]:
        """The organisation's clients."""

    def all(self) -> list[Client]:
        """Every client, suspended ones too, by id. For operators: it reads the whole register."""


class SessionStore(Protocol):
    """Live sessions and their one line of refresh tokens."""

    def add(self, session: Session, refresh: str) -> None:
        """Open a session whose first refresh token has this digest."""

    def get(self, session_id: str) -> Session | None:
        """The session, ended ones too. One database operation, hit or miss."""

    def of(self, subject_id: str) -> list[Session]:
        """The subject's sessions that have not ended, newest first."""

    def end(self, session_id: str, at: datetime, unused_since: datetime | None = None) -> bool:
        """End it and move its version; False if it was not live, or was used after `unused_since`."""

    def end_all(self, subject_id: str, at: datetime) -> int:
        """End every live session of the subject; how many there were."""

    def issued(self, refresh: str) -> IssuedRefresh | None:
        """What is known of the refresh token with this digest; None if we never issued it."""

    def rotate(self, session_id: str, *, before: RefreshLine, after: RefreshLine, at: datetime) -> bool:
        """Move the live session's line from exactly `before` to `after`; False if it was not there."""


class LoginAttemptStore(Protocol):
    """Sign-ins under way."""

    def add(self, attempt: LoginAttempt) -> None:
        """Remember one."""

    def take(self, state_digest: str) -> LoginAttempt | None:
        """Give the attempt to exactly one taker; None for everybody else, for ever."""


class CodeStore(Protocol):
    """Our one-time authorization codes."""

    def add(self, code: AuthorizationCode) -> None:
        """Remember one."""

    def get(self, digest: str) -> AuthorizationCode | None:
        """The code, used or not."""

    def use(self, digest: str) -> bool:
        """Mark it used; True for exactly one caller."""

    def mark_replayed(self, digest: str) -> None:
        """Remember that it was presented again."""


class JtiStore(Protocol):
    """Identifiers of assertions, each good once."""

    def use(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        """True the first time this client presents it, False ever after (until it would have expired)."""
