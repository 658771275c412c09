"""Reading a FHIR search: every parameter is understood or refused (400), as `Prefer: handling=strict` asks.

With `Prefer: handling=lenient` a parameter that nobody knows is left aside; what is known and malformed is
refused all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, cast

from flask import abort, request

from wallet_api.errors import Refusal, pointer_to
from wallet_api.infra.clock import VIETNAM, vn_day
from wallet_api.infra.outcomes import MEDIA_TYPE
from wallet_api.infra.strict_json import clean_text
from wallet_api.records.fhir_search import CATEGORISED, CODES, KINDS, Days, Moments, Prefix, Search, Token
from wallet_api.records.model import PartialDate
from wallet_api.routes.schemas.fhir import FORMATS, LONGEST_PARAMETER

_ACCEPTED: Final = (MEDIA_TYPE, "application/json", "application/json+fhir", "application/problem+json")
_FORM: Final = "application/x-www-form-urlencoded"
LONGEST_CURSOR: Final = 2048
PATIENT: Final = "Patient"
_LONGEST_SEARCH: Final = 1000
"""Bytes of all that is asked, so that a cursor can carry it."""
_MOST_TOKENS: Final = 10
_MOST_PAGE: Final = 100
_PAGE: Final = 20
_FORMAT: Final = re.compile(FORMATS)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REFERENCE = re.compile(r"[A-Za-z0-9:/._-]+")
_COUNT = re.compile(r"[1-9][0-9]{0,2}")
_COMPARED = re.compile(r"(eq|ge|le|gt|lt)?([0-9]{4}.*)")
_DAY = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
Pairs = Iterable[tuple[str, str]]
Texts = list[tuple[str, str]]


class Malformed(ValueError):
    """A value that is not what its parameter takes."""


@dataclass(frozen=True)
class Asked:
    """A search as it was asked: of whom, for what, and how the answer is to come."""

    patient: str | None = None
    search: Search = field(default_factory=Search)
    ids: tuple[str, ...] | None = None
    """As the reader names them."""
    count: int = _PAGE
    cursor: str | None = None
    total: bool = False
    only_count: bool = False
    person: bool = True
    """Whether the Patient is asked for along with what is about them."""
    texts: tuple[tuple[str, str], ...] = ()
    """What was asked, so that a cursor can carry it."""


def accept_json() -> None:
    """Refuse with 406 whoever takes no JSON; `_format` counts for more than the header."""
    wanted = request.args.get("_format")
    if wanted is not None:
        if not _FORMAT.fullmatch(wanted):
            abort(406)
    elif request.accept_mimetypes and request.accept_mimetypes.best_match(_ACCEPTED) is None:
        abort(406)


def sent_pairs() -> list[tuple[str, str]]:
    """The parameters of this search: of the query, and of the form where it was posted (else 415)."""
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        if request.mimetype != _FORM and (request.mimetype or request.get_data()):
            abort(415)
        pairs += request.form.items(multi=True)
    return pairs


def resource_query(kind: str, pairs: Pairs) -> Asked:
    """A search for resources of one type.

    Raises:
        Refusal: 400 with every parameter that is unknown, repeated or malformed.
    """
    readers: dict[str, Reader] = _COMMON | {"date": _days, CODES[kind][0]: _codes}
    if kind in CATEGORISED:
        readers["category"] = _categories
    return _read(readers, pairs, {"kinds": frozenset({kind})})


def everything_query(pairs: Pairs) -> Asked:
    """What `$everything` takes. Raises Refusal as `resource_query`."""
    own = ("_count", "cursor", "_format", "_pretty")
    readers = {name: _COMMON[name] for name in own} | {"_type": _kinds, "_since": _since}
    asked = _read(readers, pairs, {})
    named = any(name == "_count" for name, _ in asked.texts)
    return asked if named else replace(asked, count=_MOST_PAGE)


def patient_query(pairs: Pairs) -> Asked:
    """What a search for people takes. Raises Refusal as `resource_query`."""
    own = ("_id", "_count", "cursor", "_format", "_pretty", "_summary", "_total")
    return _read({name: _COMMON[name] for name in own}, pairs, {})


def plain_query(pairs: Pairs) -> None:
    """What a read takes. Raises Refusal as `resource_query`."""
    _read({name: _COMMON[name] for name in ("_format", "_pretty")}, pairs, {})


Reader = Callable[[str, str, dict[str, Any]], None]
"""Puts what a parameter (name, value) says into what is being read."""


def _read(readers: Mapping[str, Reader], pairs: Pairs, search: dict[str, Any]) -> Asked:
    into: dict[str, Any] = {"search": search}
    texts: Texts = []
    faults: list[tuple[str, str]] = []
    for name, value in pairs:
        known = name in readers
        if known and name in dict(texts) and name not in _REPEATABLE:
            faults.append((name, "repeated"))
        elif known and not _understood(readers[name], name, value, into):
            faults.append((name, "invalid"))
        elif not known and not _lenient():
            faults.append((name, "unsupported"))
        texts += [(name, value)] if known else []
    kept = tuple(pair for pair in texts if pair[0] not in _NOT_KEPT)
    if len(json.dumps(kept).encode()) > _LONGEST_SEARCH:
        faults.append(("", "length"))
    if into.get("cursor") is not None:
        # What was asked is sealed in the cursor; nothing can be added to it.
        faults += [(name, "unsupported") for name, _ in kept]
    if faults:
        told = [{"pointer": pointer_to(name), "code": code, "message": ""} for name, code in faults]
        raise Refusal("malformed_request", 400, told)
    return Asked(**into | {"search": Search(**into["search"]), "texts": kept})


def _understood(reader: Reader, name: str, value: str, into: dict[str, Any]) -> bool:
    try:
        if name != "cursor" and len(value) > LONGEST_PARAMETER:
            return False
        reader(name, clean_text(value), into)
    except (ValueError, OverflowError):
        return False
    return True


def _lenient() -> bool:
    wishes = request.headers.get("Prefer", "").replace(";", ",").split(",")
    return "handling=lenient" in {each.strip().lower().replace(" ", "") for each in wishes}


def _patient(name: str, value: str, into: dict[str, Any]) -> None:
    if not _REFERENCE.fullmatch(value) or into.setdefault("patient", value) != value:
        raise Malformed


def _ids(name: str, value: str, into: dict[str, Any]) -> None:
    found = tuple(dict.fromkeys(value.split(",")))
    if len(found) > _MOST_TOKENS or not all(map(_ID.fullmatch, found)):
        raise Malformed
    into["ids"] = found


def _count(name: str, value: str, into: dict[str, Any]) -> None:
    if not _COUNT.fullmatch(value) or int(value) > _MOST_PAGE:
        raise Malformed
    into["count"] = int(value)


def _cursor(name: str, value: str, into: dict[str, Any]) -> None:
    if not 0 < len(value) <= LONGEST_CURSOR:
        raise Malformed
    into["cursor"] = value


def _sort(name: str, value: str, into: dict[str, Any]) -> None:
    if value not in ("date", "-date"):
        raise Malformed
    into["search"]["oldest_first"] = value == "date"


def _summary(name: str, value: str, into: dict[str, Any]) -> None:
    if value not in ("count", "false"):
        raise Malformed
    into["only_count"] = value == "count"


def _total(name: str, value: str, into: dict[str, Any]) -> None:
    if value not in ("none", "estimate", "accurate"):
        raise Malformed
    into["total"] = value != "none"


def _format(name: str, value: str, into: dict[str, Any]) -> None:
    """Looked at before, in the query; in a form it says no more than it may there."""
    if not _FORMAT.fullmatch(value):
        raise Malformed


def _pretty(name: str, value: str, into: dict[str, Any]) -> None:
    if value not in ("true", "false"):
        raise Malformed


def _kinds(name: str, value: str, into: dict[str, Any]) -> None:
    found = frozenset(value.split(","))
    if not found <= KINDS.keys() | {PATIENT}:
        raise Malformed
    into["search"]["kinds"] = found - {PATIENT}
    into["person"] = PATIENT in found


def _days(name: str, value: str, into: dict[str, Any]) -> None:
    prefix, text = _compared(value)
    if not _DAY.fullmatch(text):
        text = vn_day(_instant(text)).isoformat()
    _also(into, "days", Days(prefix, PartialDate(text)))


def _updated(name: str, value: str, into: dict[str, Any]) -> None:
    prefix, text = _compared(value)
    _also(into, "updated", Moments(prefix, *_moments(text)))


def _since(name: str, value: str, into: dict[str, Any]) -> None:
    at = _instant(value)
    _also(into, "updated", Moments("ge", at, at))


def _codes(name: str, value: str, into: dict[str, Any]) -> None:
    _also(into, "codes", _tokens(value))


def _categories(name: str, value: str, into: dict[str, Any]) -> None:
    _also(into, "categories", _tokens(value))


def _also(into: dict[str, Any], name: str, condition: Any) -> None:
    into["search"][name] = (*into["search"].get(name, ()), condition)
    if len(into["search"][name]) > _MOST_TOKENS:
        raise Malformed


def _compared(value: str) -> tuple[Prefix, str]:
    match = _COMPARED.fullmatch(value)
    if match is None:
        raise Malformed
    return cast(Prefix, match.group(1) or "eq"), match.group(2)


def _instant(text: str) -> datetime:
    return _precise(text)[0]


def _precise(text: str) -> tuple[datetime, timedelta]:
    """An instant, and how far it goes as precisely as it is written."""
    # A plus sign that was not escaped is a blank in a query.
    match = _INSTANT.fullmatch(text := text.replace(" ", "+"))
    if match is None:
        raise Malformed
    seconds, fraction = match.groups()
    step = timedelta(seconds=1) if seconds else timedelta(minutes=1)
    if fraction:
        step = timedelta(milliseconds=1)
    return datetime.fromisoformat(text).astimezone(UTC), step


def _moments(text: str) -> tuple[datetime, datetime]:
    """From when, and until before when, a date or an instant is meant: days are Vietnamese ones."""
    if _DAY.fullmatch(text):
        day = PartialDate(text)
        begins, ends = (datetime.combine(each, time(), VIETNAM) for each in (day.first_day, day.last_day))
        return begins.astimezone(UTC), ends.astimezone(UTC) + timedelta(days=1)
    at, step = _precise(text)
    return at, at + step


def _tokens(value: str) -> tuple[Token, ...]:
    found = tuple(map(_token, value.split(",")))
    if len(found) > _MOST_TOKENS:
        raise Malformed
    return found


def _token(text: str) -> Token:
    system, bar, code = text.partition("|")
    if not bar:
        system, code = "", system
    if "|" in code or not (code or system):
        raise Malformed
    return Token(code, system if bar else None)


_COMMON: Final[dict[str, Reader]] = {
    "_id": _ids,
    "patient": _patient,
    "subject": _patient,
    "_lastUpdated": _updated,
    "_count": _count,
    "_sort": _sort,
    "_summary": _summary,
    "_total": _total,
    "_format": _format,
    "_pretty": _pretty,
    "cursor": _cursor,
}
_REPEATABLE: Final = frozenset({"date", "_lastUpdated", "category", *(name for name, _ in CODES.values())})
_NOT_KEPT: Final = frozenset({"cursor", "_format", "_pretty"})
