"""One text for one content: JSON as RFC 8785 writes it, for digests."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

import rfc8785

_EXACT: Final = 2**53
"""From here on a JSON number is not exact for everybody: kept as text, never rounded."""


def canonical(value: Any) -> bytes:
    """The bytes of RFC 8785. An integer beyond 2^53 is written as a string of its digits.

    The encoder of the standard library writes the same, ten times as fast, where there is no number with a
    fraction and no name beyond ASCII, whose order differs: a test compares the two.
    """
    if _is_plain(value):
        with suppress(UnicodeEncodeError):  # half a character: the other one says what is wrong
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return rfc8785.dumps(_jsonable(value))


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(each) for key, each in value.items())
    if kind is list:
        return all(map(_is_plain, value))
    return kind is int and -_EXACT < value < _EXACT


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT:
        return str(value)
    return value
