"""The provinces, and how personal numbers begin: a cited file, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from json import loads
from typing import Any, Final

from notifications.strict import Doc, day, text, texts

COMMUNE: Final = re.compile(r"[0-9]{5}")
"""The form of a commune's code; there are over 3,300, and no list of them is kept here."""
_FIRST_COUNTRY: Final = 97


@dataclass(frozen=True, slots=True)
class Places:
    """Provinces of today by code, with their names; the three digits a personal number may begin with."""

    provinces: Mapping[str, Mapping[str, str]]
    prefixes: frozenset[str]


@cache
def load_places() -> Places:
    """The shipped file. BadProgramme names what is wrong with it."""
    doc = Doc("places", loads(files(__package__).joinpath("places.json").read_bytes()))
    doc.take("id", text)
    doc.take("source", texts)
    doc.take("as_of", day)
    found = Places(doc.take("provinces", _provinces), doc.take("prefixes", _prefixes))
    doc.done()
    return found


def _provinces(value: list[dict[str, Any]]) -> Mapping[str, Mapping[str, str]]:
    return {text(row["code"]): {"vi": text(row["vi"]), "en": text(row["en"])} for row in value}


def _prefixes(value: list[str]) -> frozenset[str]:
    """Those of the provinces before the mergers; numbers of people born abroad begin with 097 and above."""
    return frozenset(texts(value)) | {f"{each:03}" for each in range(_FIRST_COUNTRY, 1000)}
