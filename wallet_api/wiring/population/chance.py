"""Chance that can be repeated: every draw follows from the seed and the name of what is drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate
from random import Random
from typing import Any, Generic, TypeVar

from wallet_api.infra.ids import id_from_bytes

T = TypeVar("T")


def chance(*named: str | int) -> Random:
    """A source of draws of its own for what is named."""
    return Random("\x1f".join(map(str, ("population", *named))))  # noqa: S311 - made-up people, no secret


def id_of(*named: str | int) -> str:
    """The identifier of something made up: random-looking, the same whenever it is made again."""
    text = "\x1f".join(map(str, ("population", *named)))
    return id_from_bytes(hashlib.sha256(text.encode()).digest()[:16])


class Weighted(Generic[T]):
    """A choice among things of different weight."""

    def __init__(self, things: Sequence[T], weights: Sequence[float]) -> None:
        self.things = tuple(things)
        self._heap = list(accumulate(weights))

    def of(self, draw: Random) -> T:
        """One of them."""
        return draw.choices(self.things, cum_weights=self._heap)[0]


@cache
def told(name: str) -> dict[str, Any]:
    """One of the cited files of `data/`."""
    text = files(__package__).joinpath("data").joinpath(f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
