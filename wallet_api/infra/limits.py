"""Spending from a budget: how many acts a caller has left, counted where every worker sees it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import ClassVar

from wallet_api.infra.budgets import Budget
from wallet_api.infra.counters import Counters, CountersUnavailable, MemoryCounters

_MOST_HELD = 20_000


class LimitReached(Exception):
    """The caller has spent this budget; `retry_after` seconds from now there is a new one."""

    code: ClassVar[str] = "too_many_requests"

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(allowance.budget)
        self.allowance = allowance
        self.retry_after = allowance.resets_in


class LimitsUnavailable(Exception):
    """The counters are away, and this act may not happen uncounted."""

    code: ClassVar[str] = "unavailable"


@dataclass(frozen=True)
class Allowance:
    """What is left of a budget: `remaining` of `limit` acts, renewed in `resets_in` seconds.

    `remaining` is what this worker knows of: what others have taken and not used is not in it.
    """

    budget: str
    limit: int
    remaining: int
    resets_in: int


@dataclass
class _Held:
    """What this worker has taken of somebody's budget in one window, and how much was left behind."""

    window: int
    left: int
    behind: int


class Limits:
    """All budgets. With `budgets=None` nothing is limited.

    Windows are those of the machine's clock: a budget of a minute is renewed at each full minute.
    `digest` makes a key of a name: keys hold no personal data. Thread-safe.
    """

    def __init__(
        self,
        budgets: Mapping[str, Budget] | None,
        counters: Counters,
        digest: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._budgets = budgets
        self._counters = counters
        self._alone = MemoryCounters(clock)
        self._digest = digest
        self._clock = clock
        self._lock = Lock()
        self._held: dict[str, _Held] = {}

    @property
    def on(self) -> bool:
        """Whether anything is limited at all."""
        return self._budgets is not None

    def spend(self, name: str, who: str) -> Allowance | None:
        """Take one act from a caller's budget; what is left, or None where nothing is limited.

        Raises:
            LimitReached: there is none left. It counts all the same.
            LimitsUnavailable: the counters are away and the budget is a closed one.
        """
        if self._budgets is None:
            return None
        budget = self._budgets[name]
        key, now = self._digest(f"{name}|{who}"), self._clock()
        window = int(now // budget.seconds)
        resets_in = max(1, math.ceil((window + 1) * budget.seconds - now))
        held = self._from_hand(key, window)
        if held is None:
            held = self._taken(budget, key, window)
        remaining = max(0, held.left) + max(0, held.behind)
        allowance = Allowance(name, budget.amount, remaining, resets_in)
        if held.left < 0:
            raise LimitReached(allowance)
        return allowance

    def refund(self, name: str, who: str) -> None:
        """Give back one act that turned out well. It may stay counted while the counters are away."""
        if self._budgets is None:
            return
        budget = self._budgets[name]
        key = self._digest(f"{name}|{who}")
        try:
            self._add(budget, key, int(self._clock() // budget.seconds), -1)
        except LimitsUnavailable:
            return

    def first(self, name: str, who: str, what: str) -> bool:
        """Whether it is the first time in a budget's window that somebody names something.

        Raises:
            LimitsUnavailable: as `spend`.
        """
        if self._budgets is None:
            return False
        budget = self._budgets[name]
        key = self._digest(f"{name}|{who}|{what}")
        return self._add(budget, key, int(self._clock() // budget.seconds), 1) == 1

    def _from_hand(self, key: str, window: int) -> _Held | None:
        """One act of those this worker has already taken; None when it has none."""
        with self._lock:
            held = self._held.get(key)
            if held is None or held.window != window:
                return None
            if held.left > 0:
                held.left -= 1
                return _Held(window, held.left, held.behind)
            # Once a budget is spent, whoever goes on asking costs no further look.
            return _Held(window, -1, 0) if held.behind <= 0 else None

    def _taken(self, budget: Budget, key: str, window: int) -> _Held:
        count = self._add(budget, key, window, budget.share)
        granted = min(budget.share, budget.amount - (count - budget.share))
        held = _Held(window, granted - 1, max(0, budget.amount - count))
        if budget.refunded or (budget.share == 1 and granted > 0):
            return held
        with self._lock:
            if len(self._held) > _MOST_HELD:
                self._held = {each: kept for each, kept in self._held.items() if kept.window == window}
            known = self._held.get(key)
            mine = max(0, held.left)
            # Two threads may have taken at once: what the other has not used is not lost.
            other = known.left if known is not None and known.window == window else 0
            self._held[key] = _Held(window, mine + max(0, other), held.behind)
        return held

    def _add(self, budget: Budget, key: str, window: int, amount: int) -> int:
        # A worker's clock may be a little behind another's, so a count outlives its window.
        place, kept = f"{key}/{window}", 2 * budget.seconds
        if budget.local:
            return self._alone.add(place, amount, kept)
        if budget.closed or budget.refunded:
            return self._counted_by_all(budget, place, amount, kept)
        # Counted here as well, so that this worker goes on from where all were when the counters go away.
        alone = self._alone.add(place, amount, kept)
        try:
            together = self._counters.add(place, amount, kept)
        except CountersUnavailable:
            return alone
        self._alone.reach(place, together, kept)
        return max(alone, together)

    def _counted_by_all(self, budget: Budget, place: str, amount: int, kept: int) -> int:
        try:
            return self._counters.add(place, amount, kept)
        except CountersUnavailable as why:
            if budget.closed:
                raise LimitsUnavailable(budget.name) from why
        return self._alone.add(place, amount, kept)
