"""Which language a person is spoken to in, when what they asked for has no text: a chain that ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

T = TypeVar("T")
FIRST: Final = "vi"
"""What every text is written in (the state language: Constitution Art. 5(3))."""
TAG: Final = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
"""A well-formed language tag (BCP 47), as far as we take it: `vi`, `en`, `km-KH`, `hmn`."""


def chain(tag: str) -> tuple[str, ...]:
    """The tag, the same with ever fewer parts, then Vietnamese: `en-AU` -> en-AU, en, vi."""
    if not re.fullmatch(TAG, tag):
        return (FIRST,)
    parts = tag.split("-")
    shorter = ["-".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return tuple(dict.fromkeys((*shorter, FIRST)))


def spoken_of(texts: Mapping[str, T], tag: str) -> T:
    """Of texts by language, the nearest to what was asked for. Vietnamese must be among them."""
    return next(texts[each] for each in chain(tag) if each in texts)
