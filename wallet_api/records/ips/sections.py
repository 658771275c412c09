"""The sections of a patient summary, in their order: a data file, read by a strict loader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from wallet_api.records.front_rules import SUMMARY


@dataclass(frozen=True)
class Absent:
    """What stands in a section that must be there and has nothing: a resource that says just that."""

    resource: str
    code: str
    display: str
    vi: str
    en: str


@dataclass(frozen=True)
class Section:
    """A section: LOINC code, its name there, and its titles. With `absent` it is always there."""

    name: str
    code: str
    display: str
    vi: str
    en: str
    absent: Absent | None = None

    def title(self, locale: str) -> str:
        """The title in a language."""
        return self.vi if locale == "vi" else self.en


@dataclass(frozen=True)
class Layout:
    """All that a patient summary says by itself. Raises at the start what is misspelt or missing."""

    source: str
    document: Section
    sections: tuple[Section, ...]
    words: Mapping[str, Mapping[str, str]]


@cache
def layout() -> Layout:
    """The layout of a patient summary."""
    raw = json.loads(files(__package__).joinpath("sections.json").read_text(encoding="utf-8"))
    document = Section(name="document", **raw.pop("document"))
    sections = tuple(_section(each) for each in raw.pop("sections"))
    if {each.name for each in sections} != set(SUMMARY):
        raise ValueError("a patient summary has the sections that are kept for it")
    return Layout(document=document, sections=sections, **raw)


def _section(raw: dict[str, Any]) -> Section:
    absent = raw.pop("absent", None)
    return Section(**raw, absent=None if absent is None else Absent(**absent))
