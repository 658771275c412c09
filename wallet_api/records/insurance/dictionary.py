"""Which elements of a file of tables the health book keeps, and what they are called: data files."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final


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
class Form:
    """One kind of file: its outermost element, its tables by name (XML1 ...), and the elements that say of
    whom and of which visit a row is.

    `never_kept`: tables that stay with their source, with the label they put on everything of the visit.
    """

    root: str
    identity: frozenset[str]
    tables: Mapping[str, Table]
    never_kept: Mapping[str, str]
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By table: what an older edition calls otherwise, and what it is called now."""
    marks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By edition: the elements (`table/element`) of which one tells that a visit was written after it."""
    otherwise: str | None = None
    """The edition of what has no mark."""

    def edition_of(self, seen: Collection[str]) -> str | None:
        """Which edition a visit with these elements was written after; None where the form has but one."""
        return next((name for name, marks in self.marks.items() if marks & set(seen)), self.otherwise)


@dataclass(frozen=True)
class Dictionary:
    """The visit file of the health insurance, and the code lists that decide something in it."""

    form: Form
    care: Mapping[str, Mapping[str, str]]
    outcomes: Mapping[str, str]
    procedures: frozenset[str]


@cache
def dictionary() -> Dictionary:
    """The dictionary as it stands."""
    raw = read_file(str(__package__))
    return Dictionary(
        form_of(raw),
        raw["kinds_of_care"]["codes"],
        raw["outcomes"]["codes"],
        frozenset(raw["procedures"]["groups"]),
    )


def read_file(package: str) -> dict[str, Any]:
    """The `dictionary.json` of a package."""
    found: dict[str, Any] = json.loads(files(package).joinpath("dictionary.json").read_text(encoding="utf-8"))
    return found


def form_of(raw: Mapping[str, Any]) -> Form:
    """The form a dictionary describes."""
    tables = {
        name: Table(one["title"], one["record"], one["fields"], frozenset(one.get("restricted", ())))
        for name, one in raw["tables"].items()
    }
    editions = raw.get("editions", {})
    return Form(
        raw["root"],
        frozenset(raw["identity"]),
        tables,
        raw.get("never_kept", {}),
        raw.get("aliases", {}).get("tables", {}),
        {name: frozenset(marks) for name, marks in editions.get("marks", {}).items()},
        editions.get("otherwise"),
    )


VISITS: Final = dictionary().form
"""The form of a visit file."""
