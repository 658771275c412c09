"""The days on which communes vaccinate, and whose a person goes by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import fields, validate

from notifications.sessions import MOST_DAYS, MOST_PERIODS, SessionDays, SessionPeriod
from wallet_api.routes.schemas.base import Day, ReplySchema, StrictSchema, Whole


class SessionPeriodForm(StrictSchema):
    """Sessions of a period, both ends included."""

    valid_from = Day(required=True)
    valid_to = Day(required=True)
    days = fields.List(Day(), load_default=list, validate=validate.Length(max=MOST_DAYS))
    monthly = fields.List(Whole(1, 31), load_default=list, validate=validate.Length(max=31))


class SessionDaysForm(StrictSchema):
    """All vaccination days of a commune."""

    periods = fields.List(
        fields.Nested(SessionPeriodForm), required=True, validate=validate.Length(max=MOST_PERIODS)
    )


class SessionPeriodSchema(ReplySchema):
    """Sessions of a period."""

    valid_from = Day()
    valid_to = Day()
    days = fields.List(Day())
    monthly = fields.List(fields.Integer())
    published_on = Day()


class SessionDaysSchema(ReplySchema):
    """The vaccination days of a commune."""

    commune = fields.String()
    periods = fields.List(fields.Nested(SessionPeriodSchema))
    next_session = Day(allow_none=True)


class CommuneForm(StrictSchema):
    """Whose vaccination days a person goes by."""

    commune = fields.String(
        required=True,
        allow_none=True,
        validate=validate.Regexp(r"\A[0-9]{5}\Z"),
        metadata={"pattern": "^[0-9]{5}$", "description": "5-digit code; null: none"},
    )


class CommuneSchema(ReplySchema):
    """Whose vaccination days a person goes by, and the next one."""

    commune = fields.String(allow_none=True)
    next_session = Day(allow_none=True)


def session_days_of(commune: str, form: Mapping[str, Any], today: date) -> SessionDays:
    """The session days that a form holds. Raises BadSessionDays."""
    return SessionDays(
        commune,
        tuple(
            SessionPeriod(
                each["valid_from"],
                each["valid_to"],
                frozenset(each["days"]),
                frozenset(each["monthly"]),
                today,
            )
            for each in form["periods"]
        ),
    )


def session_days_view(commune: str, found: SessionDays | None, today: date) -> dict[str, Any]:
    """Session days ready to be written."""
    periods = sorted(found.periods, key=lambda each: each.valid_from) if found else []
    return {
        "commune": commune,
        "periods": [
            {
                "valid_from": each.valid_from,
                "valid_to": each.valid_to,
                "days": sorted(each.days),
                "monthly": sorted(each.monthly),
                "published_on": each.published_on,
            }
            for each in periods
        ],
        "next_session": found.next_from(today) if found else None,
    }
