"""Asking without wearing people out: equal open requests are one, and after a refusal comes a pause.

What is kept is what one organisation asked for under one number, known or not, so that whoever is meant the
same happens for the same work. An equal request gets the reference of the open one. During the pause a
request is taken like any other, and put before nobody. Neither is told to the asker.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from consent.errors import TooManyOpenRequests
from consent.model import Scope
from consent.ports import Digest, Now

_VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_TRIES: Final = 8
MADE_WITHIN: Final = timedelta(seconds=10)
"""How long a request may take from being noted to being made; one noted earlier and not there never was."""


@dataclass(frozen=True)
class AskingRules:
    """The whole file."""

    cool_off: timedelta
    most_open: int
    sources: tuple[str, ...]


def load_rules(raw: str) -> AskingRules:
    """Read the file. A misspelt or missing member or source stops the start."""
    told = json.loads(raw)
    told.pop("valid_from")
    rules = AskingRules(
        timedelta(days=told.pop("cool_off_days")),
        told.pop("most_open"),
        (told.pop("cool_off_source"), told.pop("most_open_source")),
    )
    if told or not all(rules.sources) or rules.most_open < 1:
        raise ValueError("the rules of asking are misspelt or without a source")
    return rules


RULES: Final = load_rules(files("consent").joinpath("asking.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Asking:
    """An open request as its asker knows it: what it asks for, as a digest, and where it is kept."""

    likeness: str
    citizen_id: str
    request_id: str
    closes_at: datetime


@dataclass(frozen=True)
class AskedFor:
    """All that one organisation has open under one number. Version 0 was never kept."""

    version: int = 0
    askings: tuple[Asking, ...] = ()


class Askings(Protocol):
    """What organisations have open, by a digest of organisation and number."""

    def get(self, whom: str) -> AskedFor:
        """What is open there. One operation, found or not."""

    def put(self, whom: str, askings: Sequence[Asking], *, expected: int) -> bool:
        """Keep this in the place of version `expected`; False when somebody was faster. One operation."""

    def refused_at(self, citizen_id: str, organisation_id: str, since: datetime) -> datetime | None:
        """When the person last refused a request of this organisation, of those made since then."""


class AskingBook:
    """Decides what becomes of a wish to ask. Holds no state."""

    def __init__(self, askings: Askings, digest: Digest, now: Now, stays_open: timedelta) -> None:
        """`digest` makes keyed digests: what is kept names no number and no disease."""
        self._askings = askings
        self._digest = digest
        self._now = now
        self._stays_open = stays_open

    def equal(self, whom: str, scope: Scope) -> Asking | None:
        """The open request that asks for the same under the same number."""
        likeness, now = self._likeness(scope), self._now()
        found = self._askings.get(self._key(whom)).askings
        return next((each for each in found if each.likeness == likeness and now < each.closes_at), None)

    def pausing(self, citizen_id: str, organisation_id: str) -> bool:
        """Whether this person refused this organisation so lately that nothing new is put before them."""
        now = self._now()
        refused = self._askings.refused_at(
            citizen_id, organisation_id, now - RULES.cool_off - self._stays_open
        )
        return refused is not None and now < refused + RULES.cool_off

    def keep(self, whom: str, scope: Scope, citizen_id: str, request_id: str) -> Asking:
        """Note a request that is about to be made; of equal ones made at once the first is returned to all.

        Raises:
            TooManyOpenRequests: so many are open under this number that another has to wait.
        """
        key, now = self._key(whom), self._now()
        mine = Asking(self._likeness(scope), citizen_id, request_id, now + self._stays_open)
        for _ in range(_TRIES):
            known = self._askings.get(key)
            live = [each for each in known.askings if now < each.closes_at]
            first = next((each for each in live if each.likeness == mine.likeness), None)
            if first is not None:
                return first
            if len(live) >= RULES.most_open:
                break
            if self._askings.put(key, [*live, mine], expected=known.version):
                return mine
        raise TooManyOpenRequests(whom)

    def forget(self, whom: str, request_id: str) -> None:
        """A request that is open no more, or was never made, stands in nobody's way."""
        key = self._key(whom)
        for _ in range(_TRIES):
            known = self._askings.get(key)
            left = [each for each in known.askings if each.request_id != request_id]
            if len(left) == len(known.askings) or self._askings.put(key, left, expected=known.version):
                return

    def under_way(self, asking: Asking) -> bool:
        """Whether a request was noted so lately that it may still be in the making."""
        return self._now() < asking.closes_at - self._stays_open + MADE_WITHIN

    def open(self, whom: str) -> list[Asking]:
        """All that is open there."""
        now = self._now()
        return [each for each in self._askings.get(self._key(whom)).askings if now < each.closes_at]

    def _key(self, whom: str) -> str:
        return self._digest(f"asking:{whom}")

    def _likeness(self, scope: Scope) -> str:
        return self._digest(f"likeness:{likeness_of(scope)}")


def likeness_of(scope: Scope) -> str:
    """What makes two requests equal: all they ask for, and the Vietnamese day they would end on."""
    period = scope.record_period
    parts = (
        scope.practitioner_id or "",
        scope.purpose,
        ",".join(sorted(scope.categories)),
        f"{period.first}/{period.last}",
        str(scope.expires_at.astimezone(_VIETNAM).date()),
        str(scope.uses),
        ",".join(sorted(scope.labels)),
        "" if scope.record_ids is None else ",".join(sorted(scope.record_ids)),
        scope.mode,
    )
    return "|".join(f"{len(part)}:{part}" for part in parts)
