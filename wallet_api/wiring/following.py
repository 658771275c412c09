"""Audiences, coverage and the effect of reminders follow stored plans, a few seconds behind.

A plan is stored in the middle of what senders wait for, and how long that takes must not tell whether
somebody exists; so nothing else is done there. The plan's document only says that it is to be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from notifications.campaigns.progress import OUTCOME_DAYS
from notifications.campaigns.standing import PersonRow, newly_given, row_of
from notifications.model import CitizenFacts, DueItem
from notifications.ports import CareHistory, InUnit, Reminders, Unit
from notifications.reminders import State, shard_of
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.stores.followed_plans import Followed, FollowedDueItems
from wallet_api.wiring.campaigns import CampaignStores

_PART: Final = 200
_REACHED: Final = frozenset({State.ACCEPTED, State.OPENED})


class Follower:
    """Lets rows and counters follow plans. Twice, or by two workers at once, is once."""

    def __init__(
        self,
        plans: FollowedDueItems,
        care: CareHistory,
        stores: CampaignStores,
        reminders: Reminders,
        in_unit: InUnit,
        now: Callable[[], datetime],
    ) -> None:
        self._plans, self._care, self._stores = plans, care, stores
        self._reminders, self._in_unit, self._now = reminders, in_unit, now

    def follow(self, limit: int = _PART) -> int:
        """Follow up to so many plans that changed; how many."""
        return sum(self._one(each) for each in self._plans.changed(limit))

    def rows(self, citizen_ids: Collection[str]) -> Mapping[str, PersonRow]:
        """The rows of these people as their plans are at this moment."""
        for each in self._plans.changed_of(citizen_ids):
            self._one(each)
        return self._stores.people.of(citizen_ids)

    def _one(self, plan: Followed) -> int:
        try:
            facts = self._care.facts(plan.citizen_id)
        except SealBroken:
            facts = None  # being erased: the row goes with the rest, and nobody else waits for it

        def work(unit: Unit | None) -> int:
            if not self._plans.mark_followed(plan, unit):
                return 0  # it has changed again, or another worker was faster
            if facts is not None:
                self._row(facts, plan.items, unit)
            return 1

        return self._in_unit(work)

    def _row(self, facts: CitizenFacts, items: Collection[DueItem], unit: Unit | None) -> None:
        moved = facts.deceased or facts.continues_in is not None
        if not items and not moved and self._stores.people.of({facts.citizen_id}):
            return  # only put down for review: the true plan comes next, and is marked again
        row = row_of(facts, shard_of(facts.citizen_id), items)
        old = self._stores.people.put(row, unit)
        since = self._now() - timedelta(days=OUTCOME_DAYS)
        given = newly_given(old, row)
        for series in sorted(given):
            name = self._stores.names.subject(facts.citizen_id, series)
            self._stores.sends.dosed(name, since, unit)
        if given:
            self._follow_reminders(facts.citizen_id, given, vn_day(since), unit)

    def _follow_reminders(
        self, citizen_id: str, given: frozenset[str], since: date, unit: Unit | None
    ) -> None:
        """Count, once a programme, that a dose was given within 30 days of a reminder of its series."""
        reached = {
            each.programme_id: each.shard
            for each in self._reminders.of_citizen(citizen_id)
            if each.series_id in given and each.send_on >= since and each.state in _REACHED
        }
        counts: dict[tuple[str, int], Any] = dict.fromkeys(reached.items(), 1)
        self._stores.funnel.count(counts, "followed", unit)
