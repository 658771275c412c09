"""What JSON and text from outside must be before anything of ours looks at it."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn
from unicodedata import combining, normalize

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_VALUES = 1_000_000
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# The stream-safe limit of Unicode's UAX #15: to normalise a pile of marks takes the square of its height.
_MOST_MARKS = 30
_USUAL = "".join(each for each in map(chr, range(0x300, 0x10000)) if combining(each))
_RARE = frozenset(each for each in map(chr, range(0x10000, 0x1F000)) if combining(each))
_MARKS = re.compile(f"[{_USUAL}]+")
# Apart, because one character beyond 16 bits makes the search through a class thirty times slower.
_ALL_MARKS = re.compile(f"[{_USUAL}{''.join(sorted(_RARE))}]+")
# One that never ends is taken to the end: a pattern that fails would be tried anew at each quote.
_TEXTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_STEPS = re.compile(r"[\[{]|[\]}]")


class MalformedBody(Exception):
    """The body is not JSON as we take it (400). `fault` is a stable word for why."""

    code = "malformed_body"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def strict_json(raw: bytes) -> Any:
    """JSON with 32 levels and a million values at most, 64-bit integers, no NaN, no repeated keys, clean
    NFC text.

    Raises:
        MalformedBody: anything else; a parser's surprise included.
    """
    try:
        text = raw.decode("utf-8")
        _check_shape(text)
        found = json.loads(
            text,
            parse_int=_integer,
            parse_constant=_no_constant,
            parse_float=_float,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as why:
        raise MalformedBody("not_utf8") from why
    except (ValueError, RecursionError) as why:
        raise MalformedBody("not_json") from why
    return _clean(found)


def clean_text(text: str) -> str:
    """The text in NFC.

    Raises:
        ValueError: it holds NUL, other control characters (tab and line break are fine), surrogates, or
            more than 30 combining marks in a row.
    """
    if _FORBIDDEN.search(text):
        raise ValueError("control characters are not allowed")
    if text.isascii():
        return text
    if _piled(text):
        raise ValueError("too many combining marks")
    return normalize("NFC", text)


def _piled(text: str) -> bool:
    marks = _MARKS if _RARE.isdisjoint(text) else _ALL_MARKS
    return any(len(pile.group()) > _MOST_MARKS for pile in marks.finditer(text))


def _check_shape(text: str) -> None:
    """Before parsing, because the parser recurses and builds as much as it is told to."""
    bare = _TEXTS.sub("", text)
    if bare.count(",") + bare.count("[") + bare.count("{") > MAX_VALUES:
        raise MalformedBody("too_many_values")
    depth = 0
    for step in _STEPS.finditer(bare):
        depth += 1 if step.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise MalformedBody("too_deep")


def _integer(text: str) -> int:
    if len(text) > 20 or not -MAX_INTEGER - 1 <= int(text) <= MAX_INTEGER:
        raise MalformedBody("integer_out_of_range")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedBody("number_out_of_range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise MalformedBody("not_a_number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {_clean(key): value for key, value in pairs}  # two spellings of one key are one key
    if len(found) != len(pairs):
        raise MalformedBody("repeated_key")
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return clean_text(value)
        except ValueError as why:
            raise MalformedBody("control_characters") from why
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value
