"""What is due and why, what was sent, the inbox, and where pushes may go."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flask.views import MethodView

from notifications.model import Locale, Preferences
from notifications.outgoing import Device
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services, viewer
from wallet_api.errors import Refusal, language
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.pages import bound
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import StrictSchema, listed
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
from wallet_api.routes.subjects import own_id, reader

reminders = GuardedBlueprint(
    "reminders",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="What is due, what was sent, and the inbox.",
)


_INSTALLATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")


@reminders.route("/forecast")
class Forecast(MethodView):
    """What is due."""

    @reminders.doc(operationId="getForecast")
    @reminders.response(200, ForecastSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """Each dose and check-up with its dates, the rule, the records looked at, and the sources."""
        items, title, locale = reader(citizen).forecast(), services().reminding.planning.title_of, language()
        return listed([due_view(each, title(each.programme_id, each.series_id, locale)) for each in items])


@reminders.route("/reminders")
class Sent(MethodView):
    """What was planned and sent."""

    @reminders.doc(operationId="listReminders")
    @reminders.response(200, ReminderPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Every reminder about this person with its state; to a guardian, those sent to that guardian."""
        found, title, locale = reader(citizen).reminders(), services().reminding.planning.title_of, language()
        return listed(
            [reminder_view(each, title(each.programme_id, each.series_id, locale)) for each in found]
        )


@reminders.route("/inbox")
class Inbox(MethodView):
    """Messages."""

    @reminders.doc(operationId="listInbox")
    @reminders.arguments(InboxQuery, location="query")
    @reminders.response(200, InboxSchema)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Messages to the caller, newest first."""
        own, inbox, pages = own_id(citizen), services().reminding.inbox, services().pages
        binding = bound("inbox", viewer(), own)
        state = pages.after(query["cursor"], binding)
        before = (moment(state["at"]), str(state["id"])) if state is not None else None
        found = inbox.page(own, query["limit"] + 1, before)
        shown = list(found[: query["limit"]])
        more = None
        if len(found) > len(shown):
            last = {"at": shown[-1].created_at.isoformat(), "id": shown[-1].id}
            more = pages.next(last, binding)
        return listed([message_view(each) for each in shown], more) | {"unread": inbox.unread(own)}


@reminders.route("/inbox/<message_id>/read")
class ReadMark(MethodView):
    """Reading a message."""

    @reminders.doc(operationId="markMessageRead")
    @reminders.arguments(StrictSchema)
    @reminders.response(200, MessageSchema)
    def post(self, form: dict[str, Any], citizen: str, message_id: str) -> dict[str, Any]:
        """Mark a message as read. Doing it twice is once."""
        return message_view(services().reminding.reading.read(own_id(citizen), message_id))


@reminders.route("/notification-preferences")
class NotificationPreferences(MethodView):
    """When and about what to be reminded."""

    @reminders.doc(operationId="getNotificationPreferences")
    @reminders.response(200, PreferencesSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """What was chosen, or the defaults."""
        return preferences_view(services().reminding.preferences.of(own_id(citizen)))

    @reminders.doc(operationId="setNotificationPreferences")
    @reminders.arguments(PreferencesForm, example=examples.PREFERENCES)
    @reminders.response(200, PreferencesSchema)
    def put(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Choose. Reminders never come outside 07:00-21:00 Vietnamese time."""
        own, window = own_id(citizen), (form["from_hour"], form["to_hour"])
        if window[0] >= window[1]:
            fault = {"pointer": "/from_hour", "code": "window_empty", "message": ""}
            raise Refusal("invalid_fields", 422, [fault])
        chosen = Preferences(frozenset(form["opted_out"]), window, form["locale"], form["email"])
        services().reminding.preferences.save(own, chosen)
        log_act(Action.REMINDER_SETTINGS_CHANGED, own)
        return preferences_view(chosen)


@reminders.route("/devices/<installation_id>")
class Devices(MethodView):
    """Where pushes may go."""

    @reminders.doc(operationId="registerDevice")
    @reminders.arguments(DeviceForm, example=examples.DEVICE)
    @reminders.response(200, DeviceSchema)
    def put(self, form: dict[str, Any], citizen: str, installation_id: str) -> dict[str, Any]:
        """Register this app's push address; it leaves whoever had it before. At every start of the app.

        An app that is new to this person needs a sign-in of the last five minutes.
        """
        own = own_id(citizen)
        known = services().reminding.devices.of_citizen(own)
        if all(each.installation_id != _installation(installation_id) for each in known):
            step_up()
            spend("device")
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
        if form["locale"] is not None:
            _speak(own, form["locale"])
        return {
            "installation_id": kept.installation_id,
            "platform": kept.platform,
            "address_kind": kept.kind,
            "last_seen": kept.last_seen,
        }

    @reminders.doc(operationId="forgetDevice")
    @reminders.response(204)
    def delete(self, citizen: str, installation_id: str) -> None:
        """Forget this app: no more pushes to it."""
        own = own_id(citizen)
        if not services().reminding.devices.remove(own, _installation(installation_id)):
            raise RecordNotFound(installation_id)
        log_act(Action.PUSH_ADDRESS_REMOVED, own)


def _speak(own: str, locale: Locale) -> None:
    """Remind this person in the language their app is set to."""
    known = services().reminding.preferences.of(own)
    if known.locale != locale:
        services().reminding.preferences.save(own, replace(known, locale=locale))
        log_act(Action.REMINDER_SETTINGS_CHANGED, own, reason="language_of_the_app")


def _installation(text: str) -> str:
    if not _INSTALLATION.fullmatch(text):
        fault = {
            "pointer": "/installation_id",
            "code": "form",
            "message": "8 to 64 letters, digits and dashes",
        }
        raise Refusal("invalid_fields", 422, [fault])
    return text
