"""Why a reminder came, why that day, what held it back, what became of it: in words, both languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from typing import Final

from notifications import templates
from notifications.errors import BadTemplate
from notifications.kindness import JOINED, NO_DEVICE, QUIET, Closed
from notifications.reminders import MISSED, Reminder, State
from notifications.schedule import Programme
from notifications.snoozes import is_put_off
from notifications.strict import Doc, text, title, whole

_VALUES: Final = frozenset({"programme", "day", "days", "until"})
_HELD: Final = QUIET | {JOINED, NO_DEVICE, "outside_window"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence: a stable code, and the same in Vietnamese and in English."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """`why`: what it is about and what made its day. `held`: what delayed or silenced it. `now`: state."""

    why: tuple[Reason, ...]
    held: tuple[Reason, ...]
    now: Reason


def explain(reminder: Reminder, programme: Programme, closed: Closed) -> Explanation:
    """Explain one reminder by what it is, its programme and the calendar. Reads nothing."""
    names = {each: programme.title_of(reminder.series_id, each) for each in ("vi", "en")}
    why = [_reason("due", names, day=reminder.recommended)]
    if reminder.session is not None:
        why.append(_reason("session", names, day=reminder.session))
    why.append(_timing(reminder, programme, names))
    return Explanation(tuple(why), tuple(_held(reminder, programme, closed, names)), _now(reminder, names))


def _timing(reminder: Reminder, programme: Programme, names: Mapping[str, str]) -> Reason:
    if is_put_off(reminder):
        return _reason("put_off", names, day=reminder.send_on)
    days = _offset_days(reminder, programme)
    if reminder.phase == MISSED:
        return _reason("missed", names, days=days)
    code = "on_day" if days == 0 else ("ahead" if days < 0 else "afterwards")
    return _reason(code, names, days=abs(days))


def _held(reminder: Reminder, programme: Programme, closed: Closed, names: Mapping[str, str]) -> list[Reason]:
    found: list[Reason] = []
    anchor = reminder.session or reminder.recommended
    meant = anchor + timedelta(days=_offset_days(reminder, programme))
    if not is_put_off(reminder) and reminder.send_on > meant:
        day_before = reminder.send_on - timedelta(days=1)
        code, since = ("holiday", day_before) if closed(day_before) else ("later", meant)
        found.append(_reason(code, names, day=since, until=reminder.send_on))
    if reminder.reason in _HELD:
        found.append(_reason(reminder.reason, names))
    return found


def _now(reminder: Reminder, names: Mapping[str, str]) -> Reason:
    known = reminder.state is State.CANCELLED and reminder.reason in _sentences()
    return _reason(reminder.reason if known else reminder.state.value, names)


def _offset_days(reminder: Reminder, programme: Programme) -> int:
    return next((o.days for o in programme.offsets if o.kind == reminder.offset), 0)


def _reason(code: str, names: Mapping[str, str], **values: date | int) -> Reason:
    shown = {name: _shown(value) for name, value in values.items()}
    spoken = {
        language: sentence.format(programme=names[language], **shown)
        for language, sentence in _sentences()[code].items()
    }
    return Reason(code, spoken["vi"], spoken["en"])


def _shown(value: date | int) -> str:
    return value.strftime("%d/%m/%Y") if isinstance(value, date) else str(value)


@lru_cache(maxsize=1)
def _sentences() -> Mapping[str, Mapping[str, str]]:
    """The shipped sentences. One that asks for what it does not get stops the first who asks, in a test."""
    raw = files(templates.__name__).joinpath("why.v1.json").read_bytes()
    doc = Doc("templates", json.loads(raw))
    doc.take("id", text)
    doc.take("version", whole)
    found: Mapping[str, Mapping[str, str]] = doc.take(
        "reasons", lambda rows: {code: title(row) for code, row in rows.items()}
    )
    doc.done()
    asked = {
        name for row in found.values() for each in row.values() for _, name, _, _ in Formatter().parse(each)
    }
    if not asked - {None} <= _VALUES:
        raise BadTemplate("a reason asks for a value it does not get")
    return found
