"""What the identity package refuses. `code` is public API and is never reworded."""

from __future__ import annotations

from typing import ClassVar


class IdentityError(Exception):
    """Root of everything this package refuses. Texts never hold personal data."""

    code: ClassVar[str] = "identity_error"


class TokenRefused(IdentityError):
    """The access token is absent, malformed, forged, expired, or its session has ended (401)."""

    code: ClassVar[str] = "invalid_token"


class StepUpNeeded(IdentityError):
    """The act needs an authentication of the last five minutes (401, RFC 9470)."""

    code: ClassVar[str] = "insufficient_user_authentication"


class CitizenUnknown(IdentityError):
    """No such citizen (404)."""

    code: ClassVar[str] = "citizen_not_found"


class IdentityMismatch(IdentityError):
    """The number is known with another birth date: never linked, a review was opened (403)."""

    code: ClassVar[str] = "identity_mismatch"


class IdentityConflict(IdentityError):
    """The number or the account already belongs to somebody else: a review was opened (409)."""

    code: ClassVar[str] = "identity_conflict"


class UnderAge(IdentityError):
    """The person is too young for an account of their own; a guardian acts for them (403)."""

    code: ClassVar[str] = "under_age"


class AccountClosed(IdentityError):
    """The person has died: nobody signs in as them (403)."""

    code: ClassVar[str] = "account_closed"


class AccountLocked(IdentityError):
    """The account was locked, say after a phone was lost; ops unlock it (403)."""

    code: ClassVar[str] = "account_locked"


class ClaimsRefused(IdentityError):
    """The sign-in provider's claims lack a name or a birth date, or hold a malformed number (403)."""

    code: ClassVar[str] = "claims_refused"


class BadIdentifier(IdentityError):
    """The text does not have the form of that kind of identifier (422)."""

    code: ClassVar[str] = "bad_identifier"


class StaleVersion(IdentityError):
    """The stored version is not the expected one: somebody else changed it first (409)."""

    code: ClassVar[str] = "stale_version"


class Taken(IdentityError):
    """The identifier, account, code or id is already in use (409)."""

    code: ClassVar[str] = "already_taken"


class SessionUnknown(IdentityError):
    """No such live session of this person (404)."""

    code: ClassVar[str] = "session_not_found"


class GuardianshipUnknown(IdentityError):
    """No such guardianship (404)."""

    code: ClassVar[str] = "guardianship_not_found"


class GuardianshipRefused(IdentityError):
    """The relation cannot be proposed or confirmed: oneself, already standing, or of full age (409)."""

    code: ClassVar[str] = "guardianship_refused"


class DeathUnknown(IdentityError):
    """No such report of a death (404)."""

    code: ClassVar[str] = "death_not_found"


class DeathStepRefused(IdentityError):
    """There is no such step from this state, another report stands, or a step is under way (409)."""

    code: ClassVar[str] = "death_step_refused"


class SecondPersonNeeded(IdentityError):
    """Who reported it cannot decide about it: another person must (409)."""

    code: ClassVar[str] = "second_person_needed"


class HeirUnknown(IdentityError):
    """No such heir, or none for whoever asks (404)."""

    code: ClassVar[str] = "heir_not_found"


class HeirStepRefused(IdentityError):
    """There is no such step from this state, or the death is not confirmed (409)."""

    code: ClassVar[str] = "heir_step_refused"


class EvidenceRefused(IdentityError):
    """No JPEG, PNG or PDF, too large, or one file more than there may be (422)."""

    code: ClassVar[str] = "evidence_refused"


class MergeUnknown(IdentityError):
    """No such merge of two books (404)."""

    code: ClassVar[str] = "merge_not_found"


class MergeStepRefused(IdentityError):
    """The merge is not in a state for that step, its waiting period runs, or another one stands (409)."""

    code: ClassVar[str] = "merge_step_refused"


class MergeConflict(IdentityError):
    """By what is known of the two, they are two people, or one of them cannot be merged (409)."""

    code: ClassVar[str] = "merge_conflict"


class EvidenceUnknown(IdentityError):
    """No such file (404)."""

    code: ClassVar[str] = "evidence_not_found"


class OrganisationUnknown(IdentityError):
    """No such organisation (404)."""

    code: ClassVar[str] = "organisation_not_found"


class MergerRefused(IdentityError):
    """These two organisations cannot be merged, or one that was merged cannot be readmitted."""

    code = "merger_refused"


class BadOrganisation(IdentityError):
    """A facility code has 5 characters and a GLN 13 digits with a right check digit (422)."""

    code: ClassVar[str] = "bad_organisation"


class OffRoster(IdentityError):
    """The practitioner is not on that organisation's roster today (403)."""

    code: ClassVar[str] = "practitioner_off_roster"


class ClientUnknown(IdentityError):
    """No such OAuth client (404)."""

    code: ClassVar[str] = "client_not_found"


class BadClient(IdentityError):
    """A client's redirect addresses or keys are not acceptable (422)."""

    code: ClassVar[str] = "bad_client"


class UpstreamRefused(IdentityError):
    """The sign-in provider's answer failed a check; nobody was signed in (403)."""

    code: ClassVar[str] = "sign_in_refused"


class UpstreamUnavailable(IdentityError):
    """The sign-in provider cannot be reached or answers nonsense (503)."""

    code: ClassVar[str] = "sign_in_unavailable"


class SignInExpired(IdentityError):
    """The sign-in attempt is unknown, used, too old, or began in another browser (400)."""

    code: ClassVar[str] = "sign_in_expired"
