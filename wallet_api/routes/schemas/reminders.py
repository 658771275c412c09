"""Forecast, reminders, inbox, devices, preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import fields, validate

from notifications.model import ACCESS_TOPIC, EMAIL_PATTERN, DueItem, Preferences, Status, Verdict
from notifications.outgoing import Message
from notifications.programmes import load_programmes
from notifications.reminders import Reminder, State
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    PageQuery,
    ReplySchema,
    StrictSchema,
    Whole,
    page_of,
)

LANGUAGES = ("vi", "en")
_MAILABLE = rf"\A{EMAIL_PATTERN}\Z"
TOPICS = frozenset(each.topic for each in load_programmes()) | {ACCESS_TOPIC}


class EvidenceSchema(ReplySchema):
    """One record the planner looked at."""

    record_id = fields.String()
    on = Day()
    what = fields.String()
    verdict = Code(tuple(Verdict))
    valid_from = Day(allow_none=True)


class DueItemSchema(ReplySchema):
    """One dose or check-up, where it stands today, and why."""

    programme = fields.String()
    series = fields.String()
    dose = fields.Integer()
    title = fields.String()
    status = Code(tuple(Status))
    earliest = Day(allow_none=True)
    recommended = Day(allow_none=True)
    overdue = Day(allow_none=True)
    rule = fields.String()
    evidence = fields.List(fields.Nested(EvidenceSchema))
    sources = fields.List(fields.String())


ForecastSchema = page_of(DueItemSchema, "ForecastSchema", "All that is due, was given, or is to come.")


class ReminderSchema(ReplySchema):
    """One reminder that was planned or sent."""

    id = fields.String()
    title = fields.String()
    dose = fields.Integer()
    offset = fields.String()
    send_on = Day()
    state = Code(tuple(State))
    reason = fields.String()


ReminderPage = page_of(ReminderSchema, "ReminderPage", "Reminders.")


class MessageSchema(ReplySchema):
    """One message of the inbox."""

    id = fields.String()
    about = fields.String(metadata={"description": "citizen id of the person it is about"})
    topic = fields.String()
    title = fields.String()
    body = fields.String()
    created_at = Instant()
    read_at = Instant(allow_none=True)


InboxSchema = page_of(MessageSchema, "InboxSchema", "Messages, newest first.", unread=fields.Integer())


class InboxQuery(PageQuery):
    """Which part of the inbox."""


class DeviceForm(StrictSchema):
    """A push registration of the signed-in app."""

    platform = Code(("android", "ios", "web"), required=True)
    address_kind = Code(("fid", "token"), required=True)
    address = fields.String(required=True, validate=validate.Regexp(r"\A[A-Za-z0-9_:-]{8,512}\Z"))
    locale = Code(
        LANGUAGES,
        load_default=None,
        metadata={"description": "the app's language; when given, reminders come in it from now on"},
    )


class DeviceSchema(ReplySchema):
    """A registered app."""

    installation_id = fields.String()
    platform = fields.String()
    address_kind = fields.String()
    last_seen = Instant()


class PreferencesForm(StrictSchema):
    """When, in which language and about what a person wants to be reminded."""

    opted_out = fields.List(Code(TOPICS), load_default=list, validate=validate.Length(max=50))
    from_hour = Whole(7, 20, load_default=7)
    to_hour = Whole(8, 21, load_default=21)
    locale = Code(LANGUAGES, load_default="vi")
    email = fields.String(
        load_default=None,
        allow_none=True,
        validate=[validate.Length(min=3, max=254), validate.Regexp(_MAILABLE)],
        metadata={
            "description": "where a letter goes when a push stays unread: it says that something waits in "
            "the app, and no more; left out or null, no letters",
        },
    )


class PreferencesSchema(ReplySchema):
    """What a person chose."""

    opted_out = fields.List(fields.String())
    from_hour = fields.Integer()
    to_hour = fields.Integer()
    locale = fields.String()
    email = fields.String(allow_none=True)


def due_view(item: DueItem, title: str) -> dict[str, Any]:
    """A due item ready to be written."""
    return {
        "programme": item.programme_id,
        "series": item.series_id,
        "dose": item.dose,
        "title": title,
        "status": item.status.value,
        "earliest": item.earliest,
        "recommended": item.recommended,
        "overdue": item.overdue,
        "rule": item.because.rule,
        "evidence": [
            {
                "record_id": each.record_id,
                "on": each.on,
                "what": each.what,
                "verdict": each.verdict.value,
                "valid_from": each.valid_from,
            }
            for each in item.because.evidence
        ],
        "sources": list(item.because.source),
    }


def reminder_view(found: Reminder, title: str) -> dict[str, Any]:
    """A reminder ready to be written."""
    names = ("id", "dose", "offset", "send_on", "reason")
    return {name: getattr(found, name) for name in names} | {"title": title, "state": found.state.value}


def message_view(found: Message) -> dict[str, Any]:
    """A message ready to be written."""
    names = ("id", "topic", "title", "body", "created_at", "read_at")
    return {name: getattr(found, name) for name in names} | {"about": found.subject_id}


def preferences_view(found: Preferences) -> dict[str, Any]:
    """Preferences ready to be written."""
    first, last = found.window
    return {
        "opted_out": sorted(found.opted_out),
        "from_hour": first,
        "to_hour": last,
        "locale": found.locale,
        "email": found.email,
    }


def moment(text: str) -> datetime:
    """An instant out of a cursor's state."""
    return datetime.fromisoformat(text)
