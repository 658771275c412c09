"""Writing down what a family says was given, and taking it back: an own entry that a reminder led to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from notifications.reminders import Reminder
from notifications.schedule import Programme, Series, Vaccine
from notifications.vaccines import load_vaccines
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.infra.ids import id_from_bytes, new_id
from wallet_api.records.errors import EntryRefused, RecordNotFound, StaleRecord
from wallet_api.records.model import Record
from wallet_api.records.own_entries import CORRECTED, ENTERED_IN_ERROR, Entry
from wallet_api.records.reader import PersonReader

_ERROR = "entered-in-error"


def tell_given(book: PersonReader, about: Reminder, programme: Programme, form: dict[str, Any]) -> Record:
    """Write, or put right, what was said about the dose of a reminder.

    Raises Refusal (422): the vaccine is none of this series, or the day is none of this life.
    """
    entry = _entry(about, programme, form)
    before = _told_before(book, about)
    try:
        made = _written(book, about, entry) if before is None else _corrected(before, entry)
    except EntryRefused as why:
        raise _refused("given_on", "not_in_life") from why
    return made


def take_back(book: PersonReader, about: Reminder) -> None:
    """Mark what was said as made in error. Where nothing was said, nothing is done."""
    before = _told_before(book, about)
    if before is not None and before.resource.get("status") != _ERROR:
        made = services().book.own.correct(before, _entry_of(before), ENTERED_IN_ERROR)
        _log(Action.RECORD_CORRECTED, made)


def _written(book: PersonReader, about: Reminder, entry: Entry) -> Record:
    own = services().book.own
    try:
        made = own.write(book.citizen_id, entry, _record_id(about))
    except StaleRecord:  # this viewer's own words were hidden from them: to them they were never said
        made = own.write(book.citizen_id, entry, new_id())
    _log(Action.RECORD_WRITTEN, made)
    return made


def _corrected(before: Record, entry: Entry) -> Record:
    if before.resource.get("status") != _ERROR and _entry_of(before) == entry:
        return before
    made = services().book.own.correct(before, entry, CORRECTED)
    _log(Action.RECORD_CORRECTED, made)
    return made


def _told_before(book: PersonReader, about: Reminder) -> Record | None:
    with suppress(RecordNotFound):
        return book.about(_record_id(about))
    return None


def _record_id(about: Reminder) -> str:
    """The same for whatever one viewer says of one dose."""
    dose = (about.citizen_id, about.programme_id, about.series_id, about.dose)
    named = services().reminding.keys.reminder(*dose, f"told by {viewer().id}")
    return id_from_bytes(bytes.fromhex(named))


def _entry(about: Reminder, programme: Programme, form: dict[str, Any]) -> Entry:
    day, where = form["given_on"].isoformat(), form["where"]
    series = next((each for each in programme.series if each.id == about.series_id), None)
    if series is None:
        if form["vaccine"] is not None:
            raise _refused("vaccine", "unsupported")
        return Entry("past_checkup", day, text=_text(programme.title_of("", "vi"), where), told=True)
    vaccine = _vaccine(series, form["vaccine"])
    code = vaccine.cvx[0] if vaccine.cvx else None
    return Entry("past_vaccination", day, text=_text(vaccine.title["vi"], where), code=code, told=True)


def _vaccine(series: Series, named: str | None) -> Vaccine:
    """What was named, or the one of the series that says least about other series."""
    known = load_vaccines()
    if named is not None:
        if named not in series.accepts:
            raise _refused("vaccine", "not_listed")
        return known[named]
    return min((known[each] for each in series.accepts), key=lambda v: (not v.cvx, len(v.antigens), v.id))


def _text(what: str, where: str | None) -> str:
    return what if where is None else f"{what} ({where})"


def _entry_of(record: Record) -> Entry:
    """What was entered, read back from the record that it became."""
    vaccination = record.resource["resourceType"] == "Immunization"
    concept = record.resource["vaccineCode"] if vaccination else record.resource["type"][0]
    code = concept["coding"][0]["code"] if vaccination and concept.get("coding") else None
    kind = "past_vaccination" if vaccination else "past_checkup"
    return Entry(kind, record.occurred_on.text, text=concept["text"], code=code, told=True)


def _log(action: Action, made: Record) -> None:
    log_act(action, made.citizen_id, record_count=1, categories=(made.category,), detail={"record": made.id})


def _refused(field: str, code: str) -> Refusal:
    return Refusal("invalid_fields", 422, [{"pointer": f"/{field}", "code": code, "message": ""}])
