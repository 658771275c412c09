"""Takes rebuilds on: previews their effect, lets them go, plans everybody anew shard by shard.

Killed at any point it goes on where it stopped; two workers at once change nothing but the time it takes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from notifications.comparing import Comparing
from notifications.days import vn_day
from notifications.effects import Effect, Part, for_all
from notifications.errors import RebuildNotFound, RebuildRunning, RebuildStepRefused, StaleRebuild
from notifications.planning import Planning
from notifications.ports import DueRow, Now
from notifications.rebuilds import Bounds, Preview, Progress, Rebuild, Rebuilds
from notifications.reminders import SHARDS
from notifications.turns import place_of
from notifications.walks import FAILED, PAGE, ROWS, Walker, Walks

ANEW = "anew"
ALREADY = "already"
_SIGNS = ("appear", "vanish", "move")


class Rebuilding:
    """Begins rebuilds, moves them on and tells how far they are."""

    def __init__(
        self,
        planning: Planning,
        comparing: Comparing,
        walker: Walker,
        walks: Walks,
        rebuilds: Rebuilds,
        bounds: Bounds,
        now: Now,
    ) -> None:
        self._planning, self._comparing, self._walker, self._walks = planning, comparing, walker, walks
        self._rebuilds, self.bounds, self._now = rebuilds, bounds, now

    def begin(
        self, rebuild_id: str, by: str, *, dry_run: bool, shards: Collection[int], sample: int
    ) -> Rebuild:
        """Ask for a rebuild of these shards by the rules of this process; workers take it on.

        `sample`: how many of them the preview looks at, at least two or all there are. Rebuilds by other
        rules than these can no longer go on and are cancelled.

        Raises:
            RebuildRunning: one by these rules for some of these shards has not ended.
        """
        wanted = tuple(sorted(set(shards)))
        self._cancel_outdated()
        known = None if dry_run else self.running(wanted)
        if known is not None and known.id != rebuild_id:
            raise RebuildRunning(known.id)
        looked_at = _some(rebuild_id, wanted, sample)
        made = Rebuild(rebuild_id, self._planning.rules, dry_run, wanted, looked_at, by, self._now())
        self._rebuilds.add(made)
        return made

    def _cancel_outdated(self) -> None:
        for other in self._rebuilds.unfinished():
            if other.rules != self._planning.rules:
                with suppress(StaleRebuild):  # somebody else has cancelled it, or it came to its end
                    self._save(other.cancelled("other_rules", self._now()))

    def get(self, rebuild_id: str) -> Rebuild:
        """One rebuild. Raises RebuildNotFound."""
        found = self._rebuilds.get(rebuild_id)
        if found is None:
            raise RebuildNotFound(rebuild_id)
        return found

    def newest(self, limit: int) -> list[Rebuild]:
        """Those asked for last."""
        return list(self._rebuilds.newest(limit))

    def running(self, shards: Collection[int]) -> Rebuild | None:
        """The rebuild by these rules that some of these shards wait for, if there is one."""
        mine = (r for r in self._rebuilds.unfinished() if r.rules == self._planning.rules and not r.dry_run)
        return next((each for each in mine if set(shards) & set(each.shards)), None)

    def approve(self, rebuild_id: str, by: str) -> Rebuild:
        """Let a rebuild go that one person must not let go alone.

        Raises:
            RebuildNotFound, RebuildStepRefused, SecondPersonNeeded; StaleRebuild: look again.
        """
        return self._save(self.get(rebuild_id).approved(by, self.bounds, vn_day(self._now())))

    def cancel(self, rebuild_id: str, by: str) -> Rebuild:
        """Stop a rebuild. Raises RebuildNotFound, RebuildStepRefused, StaleRebuild."""
        return self._save(self.get(rebuild_id).cancelled(by, self._now()))

    def passed(self, rebuild: Rebuild, shards: Collection[int]) -> bool:
        """Whether all plans of these shards are made anew."""
        done = {each.shard for each in self._walks.of(rebuild.walk) if each.done}
        return not (set(shards) & set(rebuild.shards)) - done

    def progress(self, rebuild: Rebuild) -> Progress:
        """How far it is now, in the walk it is at or ended with."""
        planning = rebuild.from_day is not None
        wanted = rebuild.shards if planning else rebuild.looked_at
        cursors = self._walks.of(rebuild.walk if planning else rebuild.preview_walk)
        counts: Counter[str] = Counter()
        for cursor in cursors:
            counts.update(cursor.counts)
        return Progress(sum(each.done for each in cursors), len(wanted), counts[ROWS], counts)

    def step(self, page: int = PAGE, shards: Iterable[int] = range(SHARDS)) -> int:
        """Take the oldest rebuild on by one page of one shard; how many plans that were.

        0 when nothing is left to do for this worker: others may hold the rest.
        """
        mine = frozenset(shards)
        for rebuild in self._rebuilds.unfinished():
            if rebuild.rules == self._planning.rules and rebuild.state != "waiting":
                done = self._advance(rebuild, page, mine)
                if done:
                    return done
        return 0

    def _advance(self, rebuild: Rebuild, page: int, mine: frozenset[int]) -> int:
        looking = rebuild.state == "previewing"
        wanted = rebuild.looked_at if looking else rebuild.shards
        walk = rebuild.preview_walk if looking else rebuild.walk
        work = self._look if looking else self._anew(rebuild)
        self._walks.open(walk, wanted)
        open_ones = [each.shard for each in self._walks.of(walk) if not each.done]
        for shard in (each for each in open_ones if each in mine):
            cursor = self._walker.step(walk, shard, work, page)
            if cursor is not None:
                return max(1, cursor.counts.get(ROWS, 0))
        if not open_ones:
            with suppress(StaleRebuild, RebuildStepRefused):  # another worker saw the end first
                self._save(self._over(rebuild))
            return 1
        return 0

    def _over(self, rebuild: Rebuild) -> Rebuild:
        now = self._now()
        if rebuild.state == "previewing":
            return rebuild.previewed(self._preview(rebuild), self.bounds, vn_day(now), now)
        return rebuild.finished(now)

    def _anew(self, rebuild: Rebuild) -> Callable[[DueRow], Mapping[str, int]]:
        first = rebuild.from_day or vn_day(self._now())

        def work(row: DueRow) -> Mapping[str, int]:
            today = vn_day(self._now())
            place = place_of(row.citizen_id, rebuild.id, rebuild.over_days)
            let_in = max(today, first + timedelta(days=place))
            return {ANEW if self._planning.rebuild(row.citizen_id, today, let_in) else ALREADY: 1}

        return work

    def _look(self, row: DueRow) -> Mapping[str, int]:
        if row.items is None:
            return {FAILED: 1}
        effects = self._comparing.effect(row, vn_day(self._now()))
        return {
            "/".join((sign, *part)): count
            for part, effect in effects.items()
            for sign in _SIGNS
            if (count := getattr(effect, sign))
        }

    def _preview(self, rebuild: Rebuild) -> Preview:
        cursors = self._walks.of(rebuild.preview_walk)
        total: Counter[str] = Counter()
        for cursor in cursors:
            total.update(cursor.counts)
        ranges = [
            for_all([_of_sign(each.counts, sign) for each in cursors], len(rebuild.shards)) for sign in _SIGNS
        ]
        return Preview(total[ROWS], total[FAILED], _parts(total), *ranges)

    def _save(self, rebuild: Rebuild) -> Rebuild:
        self._rebuilds.save(rebuild, expected=rebuild.version - 1)
        return rebuild


def _some(name: str, shards: tuple[int, ...], sample: int) -> tuple[int, ...]:
    """As many of the shards, in an order that only the name decides."""
    if len(shards) <= 2 or sample >= len(shards):
        return shards

    def place(shard: int) -> bytes:
        return hashlib.blake2b(f"{name}/{shard}".encode(), digest_size=8).digest()

    return tuple(sorted(sorted(shards, key=place)[: max(sample, 2)]))


def _of_sign(counts: Mapping[str, int], sign: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(f"{sign}/"))


def _parts(counts: Mapping[str, int]) -> dict[Part, Effect]:
    found: dict[Part, Effect] = {}
    for name, count in counts.items():
        sign, _, part = name.partition("/")
        if sign in _SIGNS and part:
            programme, _, series = part.partition("/")
            one = programme, series
            found[one] = found.get(one, Effect()) + replace(Effect(), **{sign: count})
    return found
