"""Drafts of the notices of a breach, composed from the register; what only people know stays to be filled in.

The fields are a cited file: another form is another file. A draft names nobody who is concerned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Literal

from wallet_api.breaches.model import Breach
from wallet_api.breaches.rules import RULES
from wallet_api.infra.clock import VIETNAM

To = Literal["authority", "subjects"]
Locale = Literal["vi", "en"]
TO_FILL: Final = "operator"


@dataclass(frozen=True)
class Field:
    """One field of a notice; `value` None is for the operator to fill in."""

    code: str
    label: str
    value: str | None


@dataclass(frozen=True)
class Notice:
    """A draft. `letter` is a text for the people concerned; None in the form for the authority."""

    to: To
    title: str
    fields: tuple[Field, ...]
    letter: str | None
    due_at: datetime | None
    overdue: bool
    source: str

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that are still to be filled in."""
        return tuple(each.code for each in self.fields if each.value is None)


def draft(breach: Breach, to: To, locale: Locale, now: datetime) -> Notice:
    """Compose a notice from what the register knows at this moment."""
    form = _FORMS[to]
    due = next((each for each in breach.dues(now) if each.to == to), None)
    authority = next((each for each in breach.dues(now) if each.to == "authority"), None)
    fills = _fills(breach, locale, authority.due_at if authority else None)
    told = tuple(Field(each["code"], each[locale], fills[each["fill"]]()) for each in form["fields"])
    letter = form["letter"][locale].format(
        detected_day=f"{breach.detected_at.astimezone(VIETNAM):%d/%m/%Y}",
        kind=RULES.kinds[breach.kind][locale].lower(),
        data=_data(breach, locale),
    )
    return Notice(
        to=to,
        title=form["title"][locale],
        fields=told,
        letter=letter or None,
        due_at=due.due_at if due else None,
        overdue=due.overdue if due else False,
        source=_FILE["source"],
    )


def _fills(breach: Breach, locale: Locale, due_at: datetime | None) -> Mapping[str, Callable[[], str | None]]:
    """How each field is filled from the register."""
    found = breach.assessment
    told = dict(breach.told)
    return {
        TO_FILL: lambda: None,
        "detected_at": lambda: _written(breach.detected_at),
        "deadline": lambda: _written(due_at) if due_at else None,
        "kind": lambda: RULES.kinds[breach.kind][locale],
        "cause": lambda: RULES.causes[breach.cause][locale],
        "what": lambda: breach.what,
        "data": lambda: _data(breach, locale),
        "affected": lambda: None if found is None else str(found.affected),
        "risk": lambda: None if found is None else RULES.risks[found.risk][locale],
        "subjects_told": lambda: _written(told["subjects"]) if "subjects" in told else None,
    }


def _data(breach: Breach, locale: Locale) -> str:
    return ", ".join(RULES.data[each][locale].lower() for each in sorted(breach.data))


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(VIETNAM):%H:%M %d/%m/%Y} (UTC+7)"


_FILLED: Final = frozenset(
    {TO_FILL, "detected_at", "deadline", "kind", "cause", "what", "data", "affected", "risk", "subjects_told"}
)


def load_forms(raw: str) -> dict[str, Any]:
    """Read the file. Raises ValueError, which stops the start, for a misspelt or missing member."""
    told: dict[str, Any] = json.loads(raw)
    if set(told) != {"source", "authority", "subjects"} or not told["source"]:
        raise ValueError("the forms of breach notices: unknown or missing members")
    for to in ("authority", "subjects"):
        if set(told[to]) != {"title", "fields", "letter"}:
            raise ValueError(f"the notice to {to}: unknown or missing members")
        for each in told[to]["fields"]:
            if set(each) != {"code", "fill", "vi", "en"} or each["fill"] not in _FILLED:
                raise ValueError(f"the notice to {to}: a field is misspelt")
    return told


_FILE: Final = load_forms(files("wallet_api.breaches").joinpath("notice.json").read_text(encoding="utf-8"))
_FORMS: Final[dict[str, Any]] = {to: _FILE[to] for to in ("authority", "subjects")}
