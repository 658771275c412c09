"""How many people an audience has: counted in a bounded sample, told so that no difference names anybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from notifications.campaigns.audience import Audience
from notifications.campaigns.disclosure import rounded, too_like
from notifications.campaigns.names import CampaignNames
from notifications.campaigns.ports import People, Previews
from notifications.days import vn_day
from notifications.reminders import SHARDS

SAMPLE: Final = 5_000
"""Rows that are looked at before the rest is extrapolated, in whole shards: what a request can wait for."""
REMEMBERED: Final = timedelta(days=30)
"""How long an earlier count speaks against a similar one."""
_COMPARED: Final = 500
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """People of an audience on one day. `sampled`: some shards stand for all, which are filled by a hash."""

    people: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A count as it may be told. `held_back`: `few` or `too_like` an earlier one, and then no count."""

    people: int | None
    sampled: bool
    held_back: str | None = None


class Counting:
    """Counts audiences, and remembers what it told."""

    def __init__(
        self, people: People, previews: Previews, names: CampaignNames, now: Callable[[], datetime]
    ) -> None:
        self._people, self._previews, self._names, self._now = people, previews, names, now

    def shift(self, what: str) -> int:
        """Where the tens of a count are cut; secret."""
        return self._names.shift(what)

    def estimate(self, audience: Audience) -> Estimate:
        """Count now; at most about `SAMPLE` rows and one shard more are looked at."""
        today, seen, found = vn_day(self._now()), 0, 0
        for shard in range(SHARDS):
            if seen >= SAMPLE:
                return Estimate(found * SHARDS // shard, True)
            looked, matched = self._shard(audience, shard, today)
            seen, found = seen + looked, found + matched
        return Estimate(found, False)

    def tell(self, audience: Audience) -> Told:
        """The count as whoever asks may know it.

        A count that lies within nine of one that was told in the last 30 days of an audience around or
        inside this one is held back: their difference would be about a handful of people.
        """
        found = self.estimate(audience)
        shown = rounded(found.people, self.shift(json.dumps(audience.to_plain(), sort_keys=True)))
        if shown is None:
            return Told(None, found.sampled, "few")
        now = self._now()
        earlier = self._previews.since(now - REMEMBERED, _COMPARED)
        nested = [
            count
            for other, count in earlier
            if other != audience and (other.within(audience) or audience.within(other))
        ]
        if too_like(found.people, nested):
            return Told(None, found.sampled, "too_like")
        day = vn_day(now).isoformat()
        self._previews.note(self._names.preview(audience, day), audience, found.people, now)
        return Told(shown, found.sampled)

    def _shard(self, audience: Audience, shard: int, today: date) -> tuple[int, int]:
        seen, found, after = 0, 0, ""
        while page := self._people.page(shard, audience.province, audience.commune, after, _PAGE):
            seen += len(page)
            found += sum(audience.holds(row, today) for row in page)
            after = page[-1].citizen_id
            if len(page) < _PAGE:
                break
        return seen, found
