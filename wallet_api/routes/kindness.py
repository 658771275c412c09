"""Reminders as people want them: explained, put off, answered ("given already"), grouped, in calendars."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response
from flask.views import MethodView

from notifications.errors import SnoozeRefused
from notifications.explaining import explain
from notifications.model import DueItem
from notifications.reminders import Reminder
from notifications.schedule import Programme
from notifications.templates.kind import load_kind_texts
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services, viewer
from wallet_api.errors import Refusal, language
from wallet_api.infra.clock import vn_day
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.reader import PersonReader
from wallet_api.rights.calendar import VIETNAM
from wallet_api.routes.calendar_file import calendar_of, entries_of, mark_of
from wallet_api.routes.edge import none_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.kindness import (
    AlreadyGivenForm,
    CalendarQuery,
    DigestPage,
    ExplainedSchema,
    SnoozedSchema,
    SnoozeForm,
    ToldSchema,
    digests_of,
    explained_view,
)
from wallet_api.routes.subjects import own_id, reader
from wallet_api.routes.telling import take_back, tell_given

kindness = GuardedBlueprint(
    "kindness",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Why a reminder came, putting it off, saying that it was given, and calendars.",
)
_CALENDAR = "text/calendar"
_NEWEST = 200


@kindness.route("/reminders/<reminder_id>")
class Explained(MethodView):
    """One reminder."""

    @kindness.doc(operationId="explainReminder")
    @kindness.response(200, ExplainedSchema)
    def get(self, citizen: str, reminder_id: str) -> dict[str, Any]:
        """Why a reminder came, why on that day, what held it back, and what became of it."""
        book = reader(citizen)
        found = _found(book, reminder_id)
        item = _item_of(found, book.forecast())
        programme = _programme(found)
        told = explain(found, programme, VIETNAM.is_holiday)
        title = programme.title_of(found.series_id, language())
        return explained_view(found, title, told, item.because.source if item else programme.source)


@kindness.route("/reminders/<reminder_id>/snooze")
class Snooze(MethodView):
    """Putting a reminder off."""

    @kindness.doc(operationId="snoozeReminder")
    @kindness.arguments(SnoozeForm, example=examples.SNOOZE)
    @kindness.response(200, SnoozedSchema)
    @kindness.alt_response(409)
    def post(self, form: dict[str, Any], citizen: str, reminder_id: str) -> dict[str, Any]:
        """Be reminded of this dose or check-up on another day, and not before. Asking twice is once."""
        book, kit = reader(citizen), services().reminding
        found = _found(book, reminder_id)
        if found.recipient_id != viewer().id:
            raise RecordNotFound(reminder_id)
        plans = kit.planning.forecasts(book.citizen_id)
        item = _item_of(found, plans.known_to(found.recipient_id))
        try:
            copy = kit.snoozing.put_off(found, form["until"], item, _programme(found), _today())
        except SnoozeRefused as why:
            if why.why in ("settled", "too_often"):
                raise
            fault = {"pointer": "/until", "code": "range", "message": ""}
            raise Refusal("invalid_fields", 422, [fault]) from why
        log_act(Action.REMINDER_SETTINGS_CHANGED, book.citizen_id, reason="put_off")
        return {"id": copy.id, "send_on": copy.send_on, "state": copy.state.value}


@kindness.route("/reminders/<reminder_id>/already-given")
class AlreadyGiven(MethodView):
    """Saying that it was given."""

    @kindness.doc(operationId="tellGiven")
    @kindness.arguments(AlreadyGivenForm, example=examples.ALREADY_GIVEN)
    @kindness.response(200, ToldSchema)
    def post(self, form: dict[str, Any], citizen: str, reminder_id: str) -> dict[str, Any]:
        """Say that this dose was given, or this check-up done, though nothing is on record.

        It stands in the book as `self_reported` and ends these reminders. A facility's record always wins,
        and to every provider the dose stays unproven. Saying it twice is once; another day corrects it.
        """
        book = reader(citizen)
        found = _found(book, reminder_id)
        made = tell_given(book, found, _programme(found), form)
        item = _item_of(found, services().reminding.planning.forecasts(book.citizen_id).known_to(viewer().id))
        return {
            "record_id": made.id,
            "given_on": made.occurred_on.first_day,
            "status": item.status.value if item else "no_longer_due",
            "reminded": item is not None and item.remindable,
        }

    @kindness.doc(operationId="takeBackGiven")
    @kindness.response(204)
    def delete(self, citizen: str, reminder_id: str) -> None:
        """Take it back: the entry is marked as made in error, and reminders go on. Twice is once."""
        book = reader(citizen)
        take_back(book, _found(book, reminder_id))


@kindness.route("/digests")
class Digests(MethodView):
    """What pushes stood for."""

    @kindness.doc(operationId="listDigests")
    @kindness.response(200, DigestPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """The caller's newest 200 messages by the push they came with, and by member of the family."""
        own, kit = own_id(citizen), services().reminding
        speaks, texts = kit.preferences.of(own).speaks, load_kind_texts()
        found = kit.inbox.page(own, _NEWEST)
        return listed(digests_of(found, lambda count: texts.heading(count, speaks)))


@kindness.route("/reminders.ics")
class CalendarFile(MethodView):
    """A calendar of what is due."""

    @kindness.doc(operationId="getReminderCalendar", parameters=["If-None-Match"])
    @kindness.arguments(CalendarQuery, location="query")
    @kindness.response(
        200, {"type": "string", "format": "binary"}, content_type=_CALENDAR, headers={"ETag": "ETag"}
    )
    @kindness.alt_response(304, description="The copy at hand is still good.", headers={"ETag": "ETag"})
    def get(self, query: dict[str, Any], citizen: str) -> Response:
        """What is due as iCalendar: all-day events whose ids stay. Titles tell nothing unless asked to."""
        book, kit, speaks = reader(citizen), services().reminding, language()
        full = query["titles"] == "full"

        def title_of(item: DueItem) -> str:
            return kit.planning.title_of(item.programme_id, item.series_id, speaks)

        entries = entries_of(book.citizen_id, book.forecast(), kit.keys, title_of if full else None, speaks)
        etag = services().etags.etag("calendar", viewer().id, book.citizen_id, mark_of(entries, speaks))
        if none_match(etag):
            return make_response("", 304, {"ETag": f'"{etag}"'})
        answer = Response(calendar_of(entries, speaks, services().now()), 200, mimetype=_CALENDAR)
        answer.headers["ETag"] = f'"{etag}"'
        answer.headers["Cache-Control"] = "private, no-cache"
        answer.headers["Content-Disposition"] = 'attachment; filename="nhac-lich.ics"'
        return answer


def _found(book: PersonReader, reminder_id: str) -> Reminder:
    """A reminder this viewer may know of."""
    for each in book.reminders():
        if each.id == reminder_id:
            return each
    raise RecordNotFound(reminder_id)


def _item_of(found: Reminder, items: Any) -> DueItem | None:
    dose = (found.programme_id, found.series_id, found.dose)
    return next((each for each in items if each.identity == dose), None)


def _programme(found: Reminder) -> Programme:
    return next(each for each in services().reminding.programmes if each.id == found.programme_id)


def _today() -> Any:
    return vn_day(services().now())
