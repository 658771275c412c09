"""Preferences, explanations, putting off, telling what was given, digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final
from zoneinfo import available_timezones

from marshmallow import ValidationError, fields, validate

from notifications.explaining import Explanation, Reason
from notifications.kindness import CHANNELS
from notifications.languages import TAG, chain
from notifications.model import EMAIL_PATTERN, VIETNAM_ZONE, Locale, Preferences
from notifications.outgoing import Message
from notifications.reminders import Reminder, State
from notifications.vaccines import load_vaccines
from wallet_api.errors import Refusal
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    ReplySchema,
    StrictSchema,
    Text,
    Whole,
    page_of,
)
from wallet_api.routes.schemas.reminders import LANGUAGES, TOPICS, MessageSchema, message_view

MANDATORY: Final = ("consent", "emergency", "family", "security")
"""Kinds of messages nobody can switch off: who got into a book or an account, and who acts for whom."""
_ZONES: Final = frozenset(available_timezones())
_LANGUAGE: Final = {"description": "BCP 47; where it lacks a text: its main language, then Vietnamese"}


class Zone(fields.String):
    """An IANA time zone."""

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> str:
        name = str(super()._deserialize(value, *args, **more))
        if name not in _ZONES:
            raise ValidationError("Must be one of the IANA time zones.")
        return name


class MutedSchema(StrictSchema):
    """A kind that must not use a channel; the inbox still has it."""

    topic = Code(TOPICS, required=True)
    channel = Code(CHANNELS, required=True)


class WeeklyLimitSchema(StrictSchema):
    """At most so many days out of seven with a push about a kind."""

    topic = Code(TOPICS, required=True)
    days = Whole(1, 7, required=True)


_MAILABLE = rf"\A{EMAIL_PATTERN}\Z"


class PreferencesForm(StrictSchema):
    """When, where, how often, in which language and about what a person wants to be reminded."""

    opted_out = fields.List(
        Code(TOPICS | set(MANDATORY)),
        load_default=list,
        validate=validate.Length(max=50),
        metadata={"description": "kinds to hear nothing of; the mandatory ones are refused"},
    )
    muted = fields.List(fields.Nested(MutedSchema), load_default=list, validate=validate.Length(max=50))
    from_hour = Whole(7, 20, load_default=7)
    to_hour = Whole(8, 21, load_default=21)
    time_zone = Zone(
        load_default=VIETNAM_ZONE,
        validate=validate.Length(max=64),
        metadata={
            "description": "IANA name of where the hours are meant, for those abroad",
            "pattern": "^[A-Za-z0-9_+/-]+$",
        },
    )
    weekly_limits = fields.List(
        fields.Nested(WeeklyLimitSchema), load_default=list, validate=validate.Length(max=50)
    )
    urgent = fields.List(
        Code(TOPICS),
        load_default=list,
        validate=validate.Length(max=50),
        metadata={"description": "kinds that may come at any hour, on holidays and above the limit"},
    )
    locale = fields.String(
        load_default="vi",
        validate=validate.Regexp(rf"\A{TAG}\Z"),
        metadata=_LANGUAGE | {"pattern": f"^{TAG}$"},
    )
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
    muted = fields.List(fields.Nested(MutedSchema))
    from_hour = fields.Integer()
    to_hour = fields.Integer()
    time_zone = fields.String()
    weekly_limits = fields.List(fields.Nested(WeeklyLimitSchema))
    urgent = fields.List(fields.String())
    locale = fields.String(metadata=_LANGUAGE)
    email = fields.String(allow_none=True)
    spoken = Code(LANGUAGES, metadata={"description": "the language pushes come in"})
    kinds = fields.List(fields.String(), metadata={"description": "kinds that can be chosen about"})
    mandatory = fields.List(fields.String(), metadata={"description": "kinds that cannot be switched off"})
    channels = fields.List(fields.String(), metadata={"description": "channels beside the inbox"})


class ReasonSchema(ReplySchema):
    """One sentence, in both languages."""

    code = fields.String()
    vi = fields.String()
    en = fields.String()


class ExplainedSchema(ReplySchema):
    """One reminder: why it came, why on that day, what held it back, what became of it."""

    id = fields.String()
    title = fields.String()
    dose = fields.Integer()
    offset = fields.String()
    recommended = Day()
    session = Day(allow_none=True, metadata={"description": "the commune's session it speaks of"})
    send_on = Day()
    state = Code(tuple(State))
    why = fields.List(fields.Nested(ReasonSchema))
    held_back = fields.List(fields.Nested(ReasonSchema))
    now = fields.Nested(ReasonSchema)
    sources = fields.List(fields.String())


class SnoozeForm(StrictSchema):
    """When to be reminded instead."""

    until = Day(required=True, metadata={"description": "from tomorrow, at most 90 days ahead"})


class SnoozedSchema(ReplySchema):
    """The reminder that will come instead."""

    id = fields.String()
    send_on = Day()
    state = Code(tuple(State))


class AlreadyGivenForm(StrictSchema):
    """What the family remembers of a dose or check-up that no record tells of."""

    given_on = Day(required=True)
    vaccine = Code(load_vaccines(), load_default=None, metadata={"description": "if it is known which"})
    where = Text(longest=120, load_default=None)


class ToldSchema(ReplySchema):
    """What was written into the book, and what follows from it."""

    record_id = fields.String()
    given_on = Day()
    status = fields.String(metadata={"description": "how the dose stands in the forecast now"})
    reminded = fields.Boolean(metadata={"description": "whether reminders of this dose go on"})


class DigestPersonSchema(ReplySchema):
    """One member of the family, and the messages about them."""

    about = fields.String()
    messages = fields.List(fields.Nested(MessageSchema))


class DigestSchema(ReplySchema):
    """What one push stood for: all that was due for a family on a day."""

    id = fields.String(metadata={"description": "what the push carries"})
    heading = fields.String()
    count = fields.Integer()
    unread = fields.Integer()
    people = fields.List(fields.Nested(DigestPersonSchema))


DigestPage = page_of(DigestSchema, "DigestPage", "Digests, newest first.")


class CalendarQuery(StrictSchema):
    """How much a calendar may say."""

    titles = Code(("none", "full"), load_default="none")


def preferences_of(form: Mapping[str, Any], known: Preferences) -> Preferences:
    """The choice that a form holds.

    Raises Refusal (422): hours that leave no time, a mandatory kind switched off, a kind limited twice.
    """
    window = form["from_hour"], form["to_hour"]
    if window[0] >= window[1]:
        raise _refused({"pointer": "/from_hour", "code": "window_empty", "message": ""})
    if set(form["opted_out"]) & set(MANDATORY):
        raise _refused({"pointer": "/opted_out", "code": "mandatory_kind", "message": ""})
    limits = {each["topic"]: each["days"] for each in form["weekly_limits"]}
    if len(limits) != len(form["weekly_limits"]):
        raise _refused({"pointer": "/weekly_limits", "code": "repeated", "message": ""})
    return replace(
        spoken(known, form["locale"]),
        opted_out=frozenset(form["opted_out"]),
        window=window,
        muted=frozenset((each["topic"], each["channel"]) for each in form["muted"]),
        zone=form["time_zone"],
        a_week=tuple(sorted(limits.items())),
        urgent=frozenset(form["urgent"]),
        email=form["email"],
    )


def spoken(known: Preferences, tag: str) -> Preferences:
    """The same choice in another language: the tag asked for, and what pushes speak of it."""
    served: Locale = "en" if next(each for each in chain(tag) if each in LANGUAGES) == "en" else "vi"
    return replace(known, locale=served, language=tag)


def preferences_view(found: Preferences) -> dict[str, Any]:
    """Preferences ready to be written."""
    first, last = found.window
    return {
        "opted_out": sorted(found.opted_out),
        "muted": [{"topic": topic, "channel": channel} for topic, channel in sorted(found.muted)],
        "from_hour": first,
        "to_hour": last,
        "time_zone": found.zone,
        "weekly_limits": [{"topic": topic, "days": days} for topic, days in found.a_week],
        "urgent": sorted(found.urgent),
        "locale": found.speaks,
        "email": found.email,
        "spoken": found.locale,
        "kinds": sorted(TOPICS),
        "mandatory": list(MANDATORY),
        "channels": list(CHANNELS),
    }


def explained_view(found: Reminder, title: str, told: Explanation, sources: Iterable[str]) -> dict[str, Any]:
    """An explained reminder ready to be written."""
    names = ("id", "dose", "offset", "recommended", "session", "send_on")
    return {name: getattr(found, name) for name in names} | {
        "title": title,
        "state": found.state.value,
        "why": [_sentence(each) for each in told.why],
        "held_back": [_sentence(each) for each in told.held],
        "now": _sentence(told.now),
        "sources": list(sources),
    }


def digests_of(messages: Iterable[Message], heading: Any) -> list[dict[str, Any]]:
    """Messages by the push they came with, in the order they are in; within, by the person they are about."""
    pushes: dict[str, list[Message]] = {}
    for each in messages:
        pushes.setdefault(each.nid, []).append(each)
    return [_digest(nid, found, heading) for nid, found in pushes.items()]


def _digest(nid: str, found: list[Message], heading: Any) -> dict[str, Any]:
    # In the order of what is said, the reader first: ids are random, and tell nothing of an order.
    found = sorted(found, key=lambda each: (each.subject_id != each.recipient_id, each.title, each.body))
    people: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        people.setdefault(each.subject_id, []).append(message_view(each))
    return {
        "id": nid,
        "heading": heading(len(found)),
        "count": len(found),
        "unread": sum(each.read_at is None for each in found),
        "people": [{"about": about, "messages": rows} for about, rows in people.items()],
    }


def _sentence(each: Reason) -> dict[str, str]:
    return {"code": each.code, "vi": each.vi, "en": each.en}


def _refused(fault: dict[str, str]) -> Refusal:
    return Refusal("invalid_fields", 422, [fault])
