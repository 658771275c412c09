"""Which elements of a visit file the health book keeps, and what they are called: a data file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Table:
    """One table: what it is called, the element that is a row, and the elements of a row that are kept.

    `restricted`: elements that are not kept and whose presence closes the whole visit.
    """

    title: str
    record: str
    fields: Mapping[str, str]
    restricted: frozenset[str]


@dataclass(frozen=True)
class Dictionary:
    """All tables by name (XML1 ...), and the code lists that decide something.

    `never_kept`: tables that stay with their source, with the label they put on everything of the visit.
    """

    tables: Mapping[str, Table]
    care: Mapping[str, Mapping[str, str]]
    outcomes: Mapping[str, str]
    procedures: frozenset[str]
    never_kept: Mapping[str, str]


@cache
def dictionary() -> Dictionary:
    """The dictionary as it stands."""
    raw: dict[str, Any] = json.loads(
        files(__package__).joinpath("dictionary.json").read_text(encoding="utf-8")
    )
    tables = {
        name: Table(one["title"], one["record"], one["fields"], frozenset(one.get("restricted", ())))
        for name, one in raw["tables"].items()
    }
    return Dictionary(
        tables,
        raw["kinds_of_care"]["codes"],
        raw["outcomes"]["codes"],
        frozenset(raw["procedures"]["groups"]),
        raw["never_kept"],
    )
