"""What JSON and text from outside must be before anything of ours looks at it."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class MalformedBody(Exception):
    """The body is not JSON as we take it (400). `fault` is a stable word for why."""

    code = "malformed_body"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def strict_json(raw: bytes) -> Any:
    """JSON with 32 levels at most, 64-bit integers, no NaN, no repeated keys, clean NFC text.

    Raises:
        MalformedBody: anything else; a parser's surprise included.
    """
    try:
        text = raw.decode("utf-8")
        _check_depth(text)
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
        ValueError: it holds NUL, other control characters (tab and line break are fine) or surrogates.
    """
    if _FORBIDDEN.search(text):
        raise ValueError("control characters are not allowed")
    return unicodedata.normalize("NFC", text)


def _check_depth(text: str) -> None:
    depth, in_text, escaped = 0, False, False
    for character in text:
        if in_text:
            in_text = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedBody("too_deep")
        elif character in "]}":
            depth -= 1


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
    found = dict(pairs)
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
        return {_clean(key): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value
