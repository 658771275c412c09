"""Versions of the rules: every stored plan says which it was made with, so that a changed file is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, Final

from notifications.schedule import Programme
from notifications.vaccines import load_vaccines

ENGINE: Final = 2
"""Raise it when `plan` comes to another result from the same files: every stored plan is then out of date."""

_WORDS: Final = frozenset({"title"})
"""What readers see and no plan depends on: mending a name rebuilds nothing."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Items (programme, series, dose) that nobody is reminded of before `until`: other rules brought them."""

    until: date
    items: frozenset[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a stored plan came about: the rules, the Vietnamese day, and the offsets of each programme then.

    The offsets are kept so that the effect of changing them can be told when their file is gone.
    """

    rules: str
    on: date
    offsets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    hold: Hold | None = None


def version_of(programme: Programme) -> str:
    """Version of one programme: 16 hex digits of BLAKE2b over its file, names for readers left out."""
    return _digest(_plain(programme))


def rules_of(programmes: Iterable[Programme]) -> str:
    """Version of all rules: the loaded programmes with their validity, the vaccine codes, the engine."""
    versions = sorted((each.id, version_of(each)) for each in programmes)
    return _digest([ENGINE, versions, _plain(load_vaccines())])


def stamp_of(programmes: Iterable[Programme], day: date) -> Stamp:
    """The stamp of a plan made with these programmes on `day`."""
    known = tuple(programmes)
    offsets = {each.id: {offset.kind: offset.days for offset in each.offsets} for each in known}
    return Stamp(rules_of(known), day, offsets)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """The same as JSON has it, in one order: sets are sorted, days and codes are text."""
    if is_dataclass(value) and not isinstance(value, type):
        names = (each.name for each in fields(value) if each.name not in _WORDS)
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if key not in _WORDS}
    if isinstance(value, AbstractSet):
        return sorted((_plain(each) for each in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value
