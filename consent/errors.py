"""What this package refuses, each with a stable public `code`.

ConsentError
├── UnknownCode          a code that is on no list (or nothing where something must be named)
├── RequestNotFound · GrantNotFound
├── RequestClosed        already answered or expired
├── StaleVersion         somebody changed it in between
├── ScopeWidened         an answer that gives more than was asked
├── TooManyOpenRequests  this organisation has as many requests open for one number as there may be
├── TooManyGrants        this organisation holds as many live grants of this citizen as there may be
├── OrganisationBlocked  it is on the citizen's deny list
├── GrantNotInForce      over or suspended, so there is nothing to confirm; or not suspended
├── NoticeOutdated       the text shown is not the text in force
├── NotLicensed          the organisation may not ask this
├── EmergencyNotFound
├── EmergencyRightSuspended   a review took the right to open emergencies from this practitioner
├── ReviewClosed         an emergency access that was reviewed already, or a suspension that is none
├── VisitCodeInvalid     unknown, used or expired one-time code
├── CoConsentRequired    a child of 7 or more must say yes too
├── FirstSignatureMissing the other yes is not there
├── GrantNotSuspended    there is nothing to confirm
├── ConsentEnded         what the caller was once granted is over
├── NotCovered           a consent is in force, but not for this purpose, person or one more use
└── AccessRefused        there is nothing here for this caller
"""

from __future__ import annotations

from typing import ClassVar


class ConsentError(Exception):
    """Root of what this package refuses. `code` is public API and never reworded."""

    code: ClassVar[str]


class UnknownCode(ConsentError):
    """A value that is on no code list, or an empty list where something must be named."""

    code = "unknown_code"

    def __init__(self, *fields: str) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class RequestNotFound(ConsentError):
    """No such consent request for this person or organisation."""

    code = "request_not_found"


class GrantNotFound(ConsentError):
    """No such grant for this person or organisation."""

    code = "grant_not_found"


class RequestClosed(ConsentError):
    """The request was answered, or its time is over."""

    code = "request_closed"


class StaleVersion(ConsentError):
    """The thing changed since the caller read it."""

    code = "stale_version"


class ScopeWidened(ConsentError):
    """An approval gives more than was asked; `dimensions` names where."""

    code = "scope_widened"

    def __init__(self, dimensions: tuple[str, ...]) -> None:
        super().__init__(", ".join(dimensions))
        self.dimensions = dimensions


class TooManyGrants(ConsentError):
    """The organisation already holds as many live grants of this citizen as there may be; end one first."""

    code = "too_many_grants"


class OrganisationBlocked(ConsentError):
    """The organisation is on this citizen's deny list; take it off first. Told to the citizen alone."""

    code = "organisation_blocked"


class GrantNotInForce(ConsentError):
    """The grant is not in the state this act needs: over, suspended, or not suspended."""

    code = "grant_not_in_force"


class TooManyOpenRequests(ConsentError):
    """So many requests of this organisation are open for one number that another has to wait."""

    code = "too_many_open_requests"


class NoticeOutdated(ConsentError):
    """The person was shown a text that is not in force; show the current one and ask again."""

    code = "notice_outdated"


class NotLicensed(ConsentError):
    """The organisation is not licensed for this purpose or these categories."""

    code = "not_licensed"


class EmergencyNotFound(ConsentError):
    """No such emergency access."""

    code = "emergency_not_found"


class EmergencyRightSuspended(ConsentError):
    """A review took the right to open emergencies from this practitioner, and nobody gave it back yet."""

    code = "emergency_right_suspended"


class ReviewClosed(ConsentError):
    """The review was decided already, or there is no suspension to lift."""

    code = "review_closed"


class VisitCodeInvalid(ConsentError):
    """The one-time code is unknown, already used or too old."""

    code = "visit_code_invalid"


class CoConsentRequired(ConsentError):
    """A child of seven or more must agree as well (Law 91/2025/QH15 Art. 24)."""

    code = "co_consent_required"


class FirstSignatureMissing(ConsentError):
    """The other yes that is needed is not there, or does not count any more."""

    code = "first_signature_missing"


class GrantNotSuspended(ConsentError):
    """Only a suspended grant can be confirmed by signing again; this one works, or is over."""

    code = "grant_not_suspended"


class ConsentEnded(ConsentError):
    """A consent this caller held has ended."""

    code = "consent_ended"


class NotCovered(ConsentError):
    """A consent this organisation holds is in force, but does not cover what was asked of it."""

    code = "not_covered"


class AccessRefused(ConsentError):
    """No consent covers this; the caller is told no more than that nothing is there."""

    code = "not_found"
