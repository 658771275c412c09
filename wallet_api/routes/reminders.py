"""What is due and why, what was sent, the inbox, and where pushes may go."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from notifications.model import Preferences
from notifications.outgoing import Device
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.errors import Refusal, language
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.infra.ids import is_id
from wallet_api.records.errors import BadCursorGiven, RecordNotFound
from wallet_api.records.reader import CURSOR_LASTS
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas.base import ProblemSchema, StrictSchema, listed
from wallet_api.routes.schemas.reminders import (
    DeviceForm,
    DeviceSchema,
    ForecastSchema,
    InboxQuery,
    InboxSchema,
    MessageSchema,
    PreferencesForm,
    PreferencesSchema,
    ReminderPage,
    due_view,
    message_view,
    moment,
    preferences_view,
    reminder_view,
)
from wallet_api.routes.subjects import subject

reminders = GuardedBlueprint(
    "reminders",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    description="What is due, what was sent, and the inbox.",
)


@reminders.route("/forecast")
class Forecast(MethodView):
    """What is due."""

    @reminders.response(200, ForecastSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """Each dose and check-up with its dates, the rule, the records looked at, and the sources."""
        who, planning = subject(citizen), services().reminding.planning
        items = planning.forecast(who.citizen_id)
        log_act(Action.RECORD_READ, who.citizen_id, reason=f"forecast_{who.relation}")
        locale = language()
        return listed(
            [due_view(each, planning.title_of(each.programme_id, each.series_id, locale)) for each in items]
        )


@reminders.route("/reminders")
class Sent(MethodView):
    """What was planned and sent."""

    @reminders.response(200, ReminderPage)
    @reminders.alt_response(404, schema=ProblemSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """Every reminder about this person with its state."""
        who, reminding = subject(citizen), services().reminding
        log_act(Action.RECORD_READ, who.citizen_id, reason=f"reminders_{who.relation}")
        title = reminding.planning.title_of
        found = reminding.reminders.of_citizen(who.citizen_id)
        locale = language()
        return listed(
            [reminder_view(each, title(each.programme_id, each.series_id, locale)) for each in found]
        )


@reminders.route("/inbox")
class Inbox(MethodView):
    """Messages."""

    @reminders.arguments(InboxQuery, location="query")
    @reminders.response(200, InboxSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Messages to the caller, newest first."""
        own, inbox = _own(citizen), services().reminding.inbox
        binding = ("inbox", own)
        found = inbox.page(own, query["limit"] + 1, _before(query["cursor"], binding))
        shown = list(found[: query["limit"]])
        more = None
        if len(found) > len(shown):
            last = {"at": shown[-1].created_at.isoformat(), "id": shown[-1].id}
            until = services().now() + CURSOR_LASTS
            more = services().cursors.seal(last, bound_to=binding, expires=until)
        return listed([message_view(each) for each in shown], more) | {"unread": inbox.unread(own)}


@reminders.route("/inbox/<message_id>/read")
class ReadMark(MethodView):
    """Reading a message."""

    @reminders.arguments(StrictSchema)
    @reminders.response(200, MessageSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def post(self, form: dict[str, Any], citizen: str, message_id: str) -> dict[str, Any]:
        """Mark a message as read. Doing it twice is once."""
        return message_view(services().reminding.reading.read(_own(citizen), message_id))


@reminders.route("/notification-preferences")
class NotificationPreferences(MethodView):
    """When and about what to be reminded."""

    @reminders.response(200, PreferencesSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """What was chosen, or the defaults."""
        return preferences_view(services().reminding.preferences.of(_own(citizen)))

    @reminders.arguments(PreferencesForm)
    @reminders.response(200, PreferencesSchema)
    @reminders.alt_response(422, schema=ProblemSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def put(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Choose. Reminders never come outside 07:00-21:00 Vietnamese time."""
        own, window = _own(citizen), (form["from_hour"], form["to_hour"])
        if window[0] >= window[1]:
            fault = {"pointer": "/from_hour", "code": "window_empty", "message": ""}
            raise Refusal("invalid_fields", 422, [fault])
        chosen = Preferences(frozenset(form["opted_out"]), window, form["locale"])
        services().reminding.preferences.save(own, chosen)
        log_act(Action.REMINDER_SETTINGS_CHANGED, own)
        return preferences_view(chosen)


@reminders.route("/devices/<installation_id>")
class Devices(MethodView):
    """Where pushes may go."""

    @reminders.arguments(DeviceForm)
    @reminders.response(200, DeviceSchema)
    @reminders.alt_response(422, schema=ProblemSchema)
    @reminders.alt_response(404, schema=ProblemSchema)
    def put(self, form: dict[str, Any], citizen: str, installation_id: str) -> dict[str, Any]:
        """Register this app's push address; it leaves whoever had it before. At every start of the app."""
        own = _own(citizen)
        device = Device(
            installation_id=_installation(installation_id),
            citizen_id=own,
            kind=form["address_kind"],
            value=form["address"],
            platform=form["platform"],
            last_seen=services().now(),
        )
        kept = services().reminding.devices.register(device)
        log_act(Action.PUSH_ADDRESS_ADDED, own)
        return {
            "installation_id": kept.installation_id,
            "platform": kept.platform,
            "address_kind": kept.kind,
            "last_seen": kept.last_seen,
        }

    @reminders.response(204)
    @reminders.alt_response(404, schema=ProblemSchema)
    def delete(self, citizen: str, installation_id: str) -> None:
        """Forget this app: no more pushes to it."""
        own = _own(citizen)
        if not services().reminding.devices.remove(own, _installation(installation_id)):
            raise RecordNotFound(installation_id)
        log_act(Action.PUSH_ADDRESS_REMOVED, own)


def _own(citizen: str) -> str:
    who = subject(citizen)
    if who.relation != "self":
        raise RecordNotFound(citizen)
    return who.citizen_id


def _installation(text: str) -> str:
    if not is_id(text) and not (8 <= len(text) <= 64 and text.replace("-", "").isalnum() and text.isascii()):
        fault = {
            "pointer": "/installation_id",
            "code": "form",
            "message": "8 to 64 letters, digits and dashes",
        }
        raise Refusal("invalid_fields", 422, [fault])
    return text


def _before(cursor: str | None, binding: tuple[str, ...]) -> tuple[Any, str] | None:
    if cursor is None:
        return None
    try:
        state = services().cursors.open(cursor, binding, services().now())
    except BadCursor as why:
        raise BadCursorGiven("cursor") from why
    return moment(state["at"]), str(state["id"])
