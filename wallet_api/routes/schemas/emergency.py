"""Emergency access and its review."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

from marshmallow import fields

from consent.codes import EMERGENCY_REASONS
from consent.emergency import Emergency, Met, ReviewState, Verdict
from wallet_api.routes.schemas.base import (
    Code,
    Instant,
    LimitQuery,
    ReplySchema,
    StrictSchema,
    Text,
    page_of,
)
from wallet_api.routes.schemas.consents import PersonMeantSchema
from wallet_api.routes.schemas.organisations import OrganisationSchema

LONGEST_REASON = 500


class EmergencyForm(StrictSchema):
    """Why a book must be opened without asking. The reason is kept sealed and read in the review."""

    citizen = fields.Nested(PersonMeantSchema, required=True)
    reason_code = Code(EMERGENCY_REASONS.codes, required=True)
    reason = Text(longest=LONGEST_REASON, required=True)


class EmergencySessionSchema(ReplySchema):
    """An open access session: its id goes into the header `Access-Session` of the reads."""

    id = fields.String()
    expires_at = Instant()


class EmergencyAccessSchema(ReplySchema):
    """What was opened. The answer is the same whoever is meant, existing or not, blocking or not."""

    id = fields.String()
    citizen_ref = fields.String(
        metadata={"description": "of this access alone: it differs from any other reference to the person"}
    )
    purpose = fields.String(metadata={"description": "what reads and further sessions must name: BTG"})
    categories = fields.List(fields.String(), metadata={"description": "codes of the list `categories`"})
    expires_at = Instant(metadata={"description": "when the access ends by itself"})
    access_session = fields.Nested(EmergencySessionSchema)


class ReviewQuery(LimitQuery):
    """Which reviews; by default those that wait, the one due soonest first."""

    state = Code(get_args(ReviewState), load_default="open")


class VerdictForm(StrictSchema):
    """Whether an access was justified, and why."""

    verdict = Code(get_args(Verdict), required=True)
    reason = Text(longest=LONGEST_REASON, required=True)


class LiftingForm(StrictSchema):
    """Why a practitioner may open emergencies again."""

    reason = Text(longest=LONGEST_REASON, required=True)


class PractitionerNameSchema(ReplySchema):
    """Who opened it."""

    id = fields.String()
    name = fields.String()


class ReviewStepSchema(ReplySchema):
    """A line of history."""

    event = fields.String()
    by = fields.String()
    at = Instant()
    reason = fields.String(allow_none=True)


class EmergencyReviewSchema(ReplySchema):
    """An emergency access with its review."""

    id = fields.String()
    state = Code(get_args(ReviewState))
    organisation = fields.Nested(OrganisationSchema)
    practitioner = fields.Nested(PractitionerNameSchema)
    met = Code(
        get_args(Met),
        metadata={
            "description": "whom it met; nothing is shown of who blocks or is restricted, and nobody has none"
        },
    )
    citizen_id = fields.String(metadata={"description": "whose book was opened"})
    reason_code = fields.String(metadata={"description": "a code of the list `emergency-reasons`"})
    reason = fields.String()
    opened_at = Instant()
    expires_at = Instant()
    review_by = Instant(metadata={"description": "when the review is due"})
    overdue = fields.Boolean()
    earlier = fields.Integer(
        metadata={"description": "how often this organisation opened the same book in the last month"}
    )
    suspends = fields.Boolean(
        metadata={"description": "this practitioner may open no emergency there until it is lifted"}
    )
    told_at = Instant(allow_none=True, metadata={"description": "when the person was told"})
    history = fields.List(fields.Nested(ReviewStepSchema))


ReviewPage = page_of(EmergencyReviewSchema, "ReviewPage", "Emergency accesses and their reviews.")
_NAMES = (
    "id",
    "state",
    "met",
    "citizen_id",
    "reason_code",
    "reason",
    "opened_at",
    "expires_at",
    "review_by",
    "earlier",
    "suspends",
    "told_at",
    "history",
)


def review_view(
    found: Emergency,
    now: datetime,
    organisation: dict[str, Any],
    name_of: Callable[[str, str], str],
) -> dict[str, Any]:
    """An access ready to be written; `name_of(organisation, practitioner)` gives the practitioner's name."""
    practitioner = name_of(found.organisation_id, found.practitioner_id)
    return {name: getattr(found, name) for name in _NAMES} | {
        "organisation": organisation,
        "practitioner": {"id": found.practitioner_id, "name": practitioner},
        "overdue": found.overdue(now),
    }
