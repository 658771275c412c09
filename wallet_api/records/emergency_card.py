"""The emergency card: a front page in a few lines, signed, to be verified without a network. Pure.

It is shown to whoever helps, so it leaves out what is restricted by a label, unless its holder asks for it,
and always what its holder hid from providers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from consent.predicate import PROVIDERS, SAFETY
from wallet_api.records.front import Line, Lines
from wallet_api.records.model import Record
from wallet_api.records.words import concept_of, name_of, values_of

TYPE: Final = "emergency-card+jws"
VALID: Final = timedelta(days=90)
"""How long a card is good for: our own choice. A medicine prescribed lately counts for as long."""
SECTIONS: Final = ("blood_group", "allergies", "conditions", "medicines")
_MOST: Final = 6
_LONGEST: Final = 60


@dataclass(frozen=True)
class Holder:
    """Whose card it is, and whom to call, if anybody is known."""

    name: str
    birth_date: date
    sex: str
    contact: Mapping[str, str] | None = None


def card_records(front: Mapping[str, Lines], labels: frozenset[str]) -> dict[str, list[Line]]:
    """The lines that stand on a card: with no label but these, and nothing that is hidden from providers."""
    return {
        name: [line for line in front[name].lines if _shown(line.record, labels)][:_MOST] for name in SECTIONS
    }


def card_content(
    holder: Holder, lines: Mapping[str, list[Line]], issuer: str, now: datetime
) -> dict[str, Any]:
    """What is signed. Times are seconds since 1970, as in any JWT."""
    said = {
        "iss": issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + VALID).timestamp()),
        "name": holder.name,
        "birth_date": holder.birth_date.isoformat(),
        "sex": holder.sex,
        **{name: [_short(line.record) for line in lines[name]] for name in SECTIONS},
    }
    return said if holder.contact is None else said | {"contact": dict(holder.contact)}


def _shown(record: Record, labels: frozenset[str]) -> bool:
    return record.labels <= labels and not _kept_back(record)


def _kept_back(record: Record) -> bool:
    organisations = any(each.startswith("organisation:") for each in record.hidden_from)
    return organisations or bool(record.hidden_from & {PROVIDERS, SAFETY})


def _short(record: Record) -> dict[str, Any]:
    made: dict[str, Any] = {"what": _text(record), "on": record.occurred_on.text}
    return made | ({"self_reported": True} if record.self_reported else {})


def _text(record: Record) -> str:
    values = [each for each in _values(record) if each]
    return " ".join(values or [name_of(concept_of(record.resource)) or ""])[:_LONGEST]


def _values(record: Record) -> Iterator[str]:
    for each in values_of(record.resource):
        yield each["text"] or f"{each['value']} {each['unit'] or ''}".strip()
