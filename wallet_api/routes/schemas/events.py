"""An organisation's feed, its webhooks, and erasures owed and attested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from marshmallow import fields

from wallet_api.events.model import OF_RECORDS, Duty, DutyState, Event, EventType, HoldingState
from wallet_api.events.rules import RULES
from wallet_api.events.webhooks import DeadLetter, Webhook
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Digits,
    Instant,
    LimitQuery,
    PageQuery,
    ReplySchema,
    StrictSchema,
    Text,
    Whole,
    page_of,
)
from wallet_api.routes.schemas.organisations import OrganisationSchema

_LAST_POSITION = 2**53 - 1
_NAMED = {"description": "this organisation's own reference"}
_STATES: dict[EventType, HoldingState] = {
    "consent_granted": "granted",
    "consent_narrowed": "ended",
    "consent_suspended": "suspended",
    "consent_ended": "ended",
}

Named = Callable[..., str]
"""`(kind, *ids)`: the calling organisation's own reference for something."""


class FeedQuery(LimitQuery):
    """Which part of the feed: what lies behind the position `since`, 0 for all of it."""

    since = Digits(0, _LAST_POSITION, load_default=0)


class EventSchema(ReplySchema):
    """One event. Keep, for each `grant_id`, the `state` of the highest `version`: then order does not matter.

    Why something ended is never told.
    """

    id = fields.String(metadata={"description": "the same in the feed and in a webhook"})
    position = fields.Integer()
    type = Code(get_args(EventType))
    at = Instant()
    state = Code(
        get_args(HoldingState), allow_none=True, metadata={"description": "null if not of a consent"}
    )
    version = fields.Integer()
    grant_id = fields.String(allow_none=True, metadata=_NAMED)
    citizen_ref = fields.String(allow_none=True, metadata=_NAMED)
    request_id = fields.String(
        allow_none=True, metadata={"description": "the request that was granted or closed"}
    )
    record_id = fields.String(
        allow_none=True, metadata={"description": "one's own record that a citizen said is not theirs"}
    )
    superseded_by = fields.String(
        allow_none=True, metadata={"description": "the narrower consent that took its place"}
    )
    expires_at = Instant(allow_none=True)
    holds_until = Instant(
        allow_none=True, metadata={"description": "from when the consent is suspended by itself"}
    )
    erase_by = Day(allow_none=True, metadata={"description": "the last day for erasing own copies"})


class FeedSchema(ReplySchema):
    """Part of a feed, in order. Ask again from `next_since`."""

    items = fields.List(fields.Nested(EventSchema))
    next_since = fields.Integer()
    has_more = fields.Boolean()


class WebhookForm(StrictSchema):
    """Where events are to be pushed: https, a host on the list of the installation, no query."""

    url = Text(longest=500, required=True)
    since = Whole(0, _LAST_POSITION, load_default=0)


class RewindForm(StrictSchema):
    """Push again what lies behind a position."""

    since = Whole(0, _LAST_POSITION, required=True)


class DeadLetterSchema(ReplySchema):
    """An event that could not be pushed; the feed still has it at `position`."""

    event_id = fields.String()
    position = fields.Integer()
    at = Instant()
    outcome = fields.String()


class WebhookSchema(ReplySchema):
    """A webhook and how it goes. `last_outcome` is a status, or what prevented one."""

    id = fields.String()
    url = fields.String()
    position = fields.Integer(metadata={"description": "the last event that was settled"})
    created_at = Instant()
    tries = fields.Integer(metadata={"description": "failed tries of the next event"})
    next_try_at = Instant()
    last_outcome = fields.String(allow_none=True)
    last_at = Instant(allow_none=True)
    dead = fields.Integer()
    dead_letters = fields.List(fields.Nested(DeadLetterSchema))


WebhookPage = page_of(WebhookSchema, "WebhookPage", "Webhooks of an organisation.")


class DutyQuery(PageQuery):
    """Which part of what is owed."""


class OpsDutyQuery(PageQuery):
    """Which duties: all that are owed, or only those whose last day has passed."""

    overdue = Code(("true", "false"), load_default="false")


class HeldDutySchema(ReplySchema):
    """An erasure the calling organisation owes. What `superseded_by` covers may be kept."""

    grant_id = fields.String(metadata=_NAMED)
    citizen_ref = fields.String(metadata=_NAMED)
    superseded_by = fields.String(allow_none=True, metadata=_NAMED)
    ended_at = Instant()
    erase_by = Day()
    others_by = Day(metadata={"description": "the last day for copies of processors and third parties"})
    state = Code(get_args(DutyState))
    overdue = fields.Boolean()
    attested_at = Instant(allow_none=True)


class DutySchema(ReplySchema):
    """An erasure that an organisation owes, or has attested, since a consent to keep copies ended."""

    grant_id = fields.String()
    organisation = fields.Nested(OrganisationSchema)
    superseded_by = fields.String(allow_none=True)
    ended_at = Instant()
    erase_by = Day()
    others_by = Day()
    state = Code(get_args(DutyState))
    state_text = fields.String()
    overdue = fields.Boolean()
    attested_at = Instant(allow_none=True)


class OpsDutySchema(ReplySchema):
    """An erasure that an organisation owes. Whose data it is, is nothing ops are told."""

    organisation = fields.Nested(OrganisationSchema)
    ended_at = Instant()
    erase_by = Day()
    others_by = Day()
    owed_by = Day()
    state = Code(get_args(DutyState))
    overdue = fields.Boolean()


HeldDutyPage = page_of(HeldDutySchema, "HeldDutyPage", "What the organisation owes, the most pressing first.")
DutyPage = page_of(DutySchema, "DutyPage", "Erasures owed and attested, those that ended last first.")
OpsDutyPage = page_of(OpsDutySchema, "OpsDutyPage", "Erasures owed, the most pressing first.")


class AttestationForm(StrictSchema):
    """A signed statement that data was erased; docs/clients.md says what it holds."""

    attestation = Text(
        longest=4096,
        required=True,
        metadata={"pattern": "^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$"},
    )


def event_view(event: Event, named: Named) -> dict[str, Any]:
    """An event in the organisation's own references. A closed request and a record name no citizen."""
    citizen, request, record = event.citizen_id, event.type == "request_closed", event.type in OF_RECORDS
    asked = event.about if request else event.request_id
    next_id = event.successor_id
    return {
        "id": event.id,
        "position": event.position,
        "type": event.type,
        "at": event.at,
        "state": _STATES.get(event.type),
        "version": event.version,
        "grant_id": None if request or record else named("grant", citizen, event.about),
        "citizen_ref": None if request or record else named("citizen", citizen),
        "record_id": named("record", citizen, event.about) if record else None,
        "request_id": None if asked is None else named("request", citizen, asked),
        "superseded_by": None if next_id is None else named("grant", citizen, next_id),
        "expires_at": event.expires_at,
        "holds_until": event.holds_until,
        "erase_by": event.erase_by,
    }


def held_duty_view(duty: Duty, now: datetime, named: Named) -> dict[str, Any]:
    """A duty in its holder's own references."""
    next_id = duty.successor_id
    return _dates(duty, now) | {
        "grant_id": named("grant", duty.citizen_id, duty.grant_id),
        "citizen_ref": named("citizen", duty.citizen_id),
        "superseded_by": None if next_id is None else named("grant", duty.citizen_id, next_id),
        "attested_at": duty.attested_at,
    }


def duty_view(duty: Duty, now: datetime, organisation: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A duty as the citizen concerned sees it."""
    return _dates(duty, now) | {
        "grant_id": duty.grant_id,
        "organisation": organisation,
        "superseded_by": duty.successor_id,
        "state_text": RULES.states[duty.state][language],
        "attested_at": duty.attested_at,
    }


def ops_duty_view(duty: Duty, now: datetime, organisation: Mapping[str, Any]) -> dict[str, Any]:
    """A duty as ops see it: who owes, since and until when."""
    return _dates(duty, now) | {"organisation": organisation, "owed_by": duty.owed_by}


def webhook_view(webhook: Webhook, dead: list[DeadLetter]) -> dict[str, Any]:
    """A webhook ready to be written."""
    names = ("id", "url", "position", "created_at", "tries", "last_at", "dead")
    return {name: getattr(webhook, name) for name in names} | {
        "next_try_at": webhook.due_at,
        "last_outcome": webhook.last,
        "dead_letters": dead,
    }


def _dates(duty: Duty, now: datetime) -> dict[str, Any]:
    return {
        "ended_at": duty.ended_at,
        "erase_by": duty.erase_by,
        "others_by": duty.others_by,
        "state": duty.state,
        "overdue": duty.overdue(now),
    }
