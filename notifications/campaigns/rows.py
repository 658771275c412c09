"""A list of numbers, read row by row as it comes in: what is wrong with each, and never what it says.

One column, named in the first row. A row is judged by its form alone: whether anybody has the number is
found out when the campaign runs, inside, so a report tells nobody who exists.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from notifications.errors import BadHeader, ListTooLong

NumberKind = Literal["national_id", "insurance_number"]
COLUMNS: Final[tuple[NumberKind, ...]] = ("national_id", "insurance_number")
MOST_ROWS: Final = 500_000
"""Rows of one list: our own choice. What is remembered of a row to find it again takes some 80 bytes."""
LONGEST: Final = 64
"""Characters of the longest row that is looked at."""
_INSURANCE = re.compile(r"(?:[A-Z]{2}[1-5][0-9]{2})?[0-9]{10}")
_SCIENTIFIC = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]+")
_FORMULA = ("=", "+", "-", "@")
_HIDDEN = frozenset("\u200b\u200c\u200d\u2060\ufeff")
CODES: Final = (
    "accepted",
    "duplicate",
    "empty",
    "too_long",
    "not_utf8",
    "control_characters",
    "hidden_characters",
    "too_many_columns",
    "quoted",
    "formula",
    "spreadsheet_number",
    "decimal",
    "other_digits",
    "separators",
    "letters",
    "leading_zero_lost",
    "too_short",
    "too_many_digits",
    "all_alike",
    "province_unknown",
    "sex_and_century",
    "form",
)
"""What may be said of a row."""
Header = Literal["header"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file, the header being 1, what was found, and the value if it is good."""

    number: int
    code: str
    value: str = ""


def read_rows(lines: Iterable[bytes], prefixes: frozenset[str]) -> Iterator[Row]:
    """Judge each row as it comes; nothing is kept but a fingerprint of each good one.

    `prefixes`: the three digits a national number may begin with.

    Raises:
        BadHeader: the first row names no column of ours. ListTooLong.
    """
    rows = enumerate(lines, 1)
    kind = _header(next(rows, (1, b""))[1])
    seen: set[bytes] = set()
    for number, raw in rows:
        if number > MOST_ROWS + 1:
            raise ListTooLong(str(MOST_ROWS))
        code, value = judge(raw, kind, prefixes)
        if code == "accepted":
            mark = hashlib.blake2b(
                value[-10:].encode() if kind != "national_id" else value.encode(), digest_size=12
            )
            if mark.digest() in seen:
                code, value = "duplicate", ""
            seen.add(mark.digest())
        yield Row(number, code, value)


def kind_of(header: bytes) -> NumberKind:
    """Which numbers a list holds, by its first row. Raises BadHeader."""
    return _header(header)


def _header(raw: bytes) -> NumberKind:
    named = raw.removeprefix(b"\xef\xbb\xbf").strip().strip(b'"').lower()
    for kind in COLUMNS:
        if named == kind.encode():
            return kind
    raise BadHeader("header")


def judge(raw: bytes, kind: NumberKind, prefixes: frozenset[str]) -> tuple[str, str]:
    """What is to be said of one row, and the number as it is looked up, empty unless it is good."""
    if len(raw) > 4 * LONGEST:
        return "too_long", ""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8", ""
    text = unicodedata.normalize("NFC", text).strip(" \r\n")
    code = _shape(text) or (_national(text, prefixes) if kind == "national_id" else _insurance(text))
    return (code, "") if code else ("accepted", text.upper())


def _shape(text: str) -> str:
    """What is wrong whatever the number should be; "" for nothing."""
    checks = (
        ("empty", not text.strip()),
        ("too_long", len(text) > LONGEST),
        ("hidden_characters", any(each in _HIDDEN for each in text)),
        ("control_characters", any(unicodedata.category(each) == "Cc" for each in text)),
        ("too_many_columns", any(mark in text for mark in ",;|\t")),
        ("quoted", any(mark in text for mark in "\"'`")),
        ("formula", text.startswith(_FORMULA)),
        ("spreadsheet_number", _SCIENTIFIC.fullmatch(text) is not None),
        ("other_digits", any(each.isdigit() and not each.isascii() for each in text)),
        ("decimal", re.fullmatch(r"[0-9]+[.][0-9]{1,2}", text) is not None),
        ("separators", any(each in " .-_/\\:()" or each.isspace() for each in text)),
    )
    return next((code for code, wrong in checks if wrong), "")


def _national(text: str, prefixes: frozenset[str]) -> str:
    if not text.isascii() or not text.isdigit():
        return "letters"
    if len(text) in (10, 11) and (text.zfill(12)[:3] in prefixes):
        return "leading_zero_lost"
    if len(text) != 12:
        return "too_short" if len(text) < 12 else "too_many_digits"
    if len(set(text)) == 1:
        return "all_alike"
    if text[:3] not in prefixes:
        return "province_unknown"
    return "sex_and_century" if text[3] not in "0123" else ""


def _insurance(text: str) -> str:
    known = text.upper()
    if not known.isascii() or not known.isalnum():
        return "letters"
    if len(known) not in (10, 15):
        return (
            "too_short"
            if len(known) < 15 and len(known) != 9
            else ("leading_zero_lost" if len(known) == 9 else "too_many_digits")
        )
    if len(set(known)) == 1:
        return "all_alike"
    return "" if _INSURANCE.fullmatch(known) else "form"
