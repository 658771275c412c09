"""Published decision cases: JSON in, the values of this package out. Whatever cannot be read is refused.

The shape of a case is described in docs/clients.md; `cases()` gives them all in a fixed order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.resources import files
from typing import Any, cast

from consent.model import AccessMode, Licence, LiveGrant, Period, RecordFacts, Scope, Standing

READERS = ("provider", "self", "guardian", "author")
_MODES = ("VIEW", "STORE")
Json = Mapping[str, Any]


class CaseUnreadable(Exception):
    """A case, or an input in it, is not of the published shape: the decision is a refusal."""

    code = "case_unreadable"


def cases() -> list[dict[str, Any]]:
    """Every published case, by file name and place."""
    found: list[dict[str, Any]] = []
    folder = files(__package__)
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        if path.name.endswith(".json"):
            found += json.loads(path.read_text(encoding="utf-8"))["cases"]
    return found


def standing_of(raw: Json) -> Standing:
    """How a citizen and an organisation stand, in a case.

    Raises:
        CaseUnreadable: anything in it is not of its type.
    """
    grants = tuple(_grant(each) for each in rows(raw, "grants"))
    blocked, restricted = _flag(raw, "blocked"), _flag(raw, "restricted")
    return Standing(1, grants, blocked=blocked, known=bool(grants), restricted=restricted)


def licence_of(raw: Json) -> Licence:
    """What an organisation may ask for at all."""
    return Licence(_codes(raw, "purposes"), _codes(raw, "categories"))


def record_of(raw: Json) -> RecordFacts:
    """One record of the book."""
    return RecordFacts(
        category=text(raw, "category"),
        first_day=_day(raw, "first_day"),
        last_day=_day(raw, "last_day"),
        organisation_id=_text_or_none(raw, "organisation"),
        labels=_codes(raw, "labels"),
        hidden_from=_codes(raw, "hidden_from"),
        record_id=text(raw, "id"),
    )


def _grant(raw: Json) -> LiveGrant:
    period = part(raw, "record_period")
    scope = Scope(
        organisation_id=text(raw, "organisation"),
        practitioner_id=_text_or_none(raw, "practitioner"),
        purpose=text(raw, "purpose"),
        categories=_codes(raw, "categories"),
        record_period=Period(_day_or_none(period, "from"), _day_or_none(period, "to")),
        expires_at=instant(raw, "expires_at"),
        labels=_codes(raw, "labels"),
        record_ids=None if raw.get("record_ids") is None else _codes(raw, "record_ids"),
        mode=mode(raw),
    )
    left = raw.get("uses_left")
    if left is not None and (not isinstance(left, int) or isinstance(left, bool)):
        raise CaseUnreadable("uses_left")
    holds = None if raw.get("holds_until") is None else instant(raw, "holds_until")
    return LiveGrant(text(raw, "id"), scope, left, holds)


def part(raw: Json, name: str) -> Json:
    """A member that is an object."""
    found = raw.get(name)
    if not isinstance(found, dict):
        raise CaseUnreadable(name)
    return found


def text(raw: Json, name: str) -> str:
    """A member that is a text, and not an empty one."""
    found = raw.get(name)
    if not isinstance(found, str) or not found:
        raise CaseUnreadable(name)
    return found


def paid(raw: Json) -> frozenset[str] | None:
    """The grants an open session was counted under; None to open one."""
    return None if raw.get("paid") is None else _codes(raw, "paid")


def instant(raw: Json, name: str) -> datetime:
    """An instant with an offset; one without says nothing."""
    try:
        found = datetime.fromisoformat(text(raw, name))
    except ValueError as why:
        raise CaseUnreadable(name) from why
    if found.tzinfo is None:
        raise CaseUnreadable(name)
    return found


def mode(raw: Json) -> AccessMode:
    """VIEW unless STORE is said."""
    found = raw.get("mode", "VIEW")
    if found not in _MODES:
        raise CaseUnreadable("mode")
    return cast(AccessMode, found)


def rows(raw: Json, name: str) -> Sequence[Json]:
    """A member that is a list of objects; none when it is left out."""
    found = raw.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CaseUnreadable(name)
    return found


def _text_or_none(raw: Json, name: str) -> str | None:
    return None if raw.get(name) is None else text(raw, name)


def _day(raw: Json, name: str) -> date:
    try:
        return date.fromisoformat(text(raw, name))
    except ValueError as why:
        raise CaseUnreadable(name) from why


def _day_or_none(raw: Json, name: str) -> date | None:
    return None if raw.get(name) is None else _day(raw, name)


def _codes(raw: Json, name: str) -> frozenset[str]:
    found = raw.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise CaseUnreadable(name)
    return frozenset(found)


def _flag(raw: Json, name: str) -> bool:
    found = raw.get(name, False)
    if not isinstance(found, bool):
        raise CaseUnreadable(name)
    return found
