"""Strict reading of JSON documents: every key is known, every value has its type, or the file is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from notifications.days import Span
from notifications.errors import BadProgramme

T = TypeVar("T")


class Doc:
    """One JSON object that must be read to the last key. Any fault raises BadProgramme with the file's id."""

    def __init__(self, owner: str, value: object) -> None:
        if not isinstance(value, dict):
            raise BadProgramme(owner, "an object was expected")
        self.owner = owner
        self._left: dict[str, Any] = dict(value)
        self._left.pop("note", None)

    def take(self, key: str, read: Callable[[Any], T]) -> T:
        """Read a required key."""
        if key not in self._left:
            raise BadProgramme(self.owner, f"{key} is missing")
        try:
            return read(self._left.pop(key))
        except (ValueError, TypeError, AttributeError) as fault:
            raise BadProgramme(self.owner, f"{key}: {fault}") from fault

    def maybe(self, key: str, read: Callable[[Any], T]) -> T | None:
        """Read a key that may be absent or null."""
        return None if self._left.get(key) is None and [self._left.pop(key, None)] else self.take(key, read)

    def done(self) -> None:
        """Refuse what nobody asked for: a misspelt key must not be ignored."""
        if self._left:
            raise BadProgramme(self.owner, f"unknown keys: {', '.join(sorted(self._left))}")


def text(value: object) -> str:
    """A string that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text was expected")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of at least one text."""
    if not isinstance(value, list) or not value:
        raise ValueError("a list of texts was expected")
    return tuple(text(part) for part in value)


def names(value: object) -> frozenset[str]:
    """A list of texts without repetition, possibly empty."""
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    found = frozenset(text(part) for part in value)
    if len(found) != len(value):
        raise ValueError("a name is repeated")
    return found


def whole(value: object) -> int:
    """An integer (a boolean is none)."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number was expected")
    return value


def flag(value: object) -> bool:
    """True or false, said."""
    if not isinstance(value, bool):
        raise TypeError("true or false was expected")
    return value


def rows(value: object, read: Callable[[Any], T]) -> tuple[T, ...]:
    """A list of at least one row."""
    if not isinstance(value, list) or not value:
        raise ValueError("a list was expected")
    return tuple(read(row) for row in value)


def span(value: object) -> Span:
    """An ISO 8601 calendar duration."""
    return Span.parse(text(value))


def day(value: object) -> date:
    """A calendar day YYYY-MM-DD."""
    return date.fromisoformat(text(value))


def title(value: object) -> Mapping[str, str]:
    """Texts in Vietnamese and English, both present."""
    if not isinstance(value, dict) or set(value) != {"vi", "en"}:
        raise ValueError("texts in vi and en were expected")
    return {locale: text(part) for locale, part in value.items()}


def one_of(*allowed: str) -> Callable[[Any], Any]:
    """A text out of a closed list."""
    by_text = dict(zip(allowed, allowed, strict=True))

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in by_text:
            raise ValueError(f"not one of {', '.join(allowed)}")
        return by_text[value]

    return read
