"""Campaigns put together, and the rows their audiences are found in kept true with every plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from notifications.campaigns.counting import Counting
from notifications.campaigns.desk import CampaignDesk
from notifications.campaigns.names import CampaignNames
from notifications.campaigns.places import load_places
from notifications.campaigns.ports import People, Sends
from notifications.campaigns.progress import OUTCOME_DAYS
from notifications.campaigns.routing import RoutedReminders
from notifications.campaigns.rows import NumberKind
from notifications.campaigns.running import Runner, RunningPorts
from notifications.campaigns.standing import newly_given, row_of
from notifications.channels.fcm_wire import PUSH_TEMPLATE
from notifications.dispatch import DispatchPorts
from notifications.model import Care, CitizenFacts, DueItem
from notifications.planning import PlanningPorts
from notifications.ports import CareHistory, InUnit, Reminders, Unit
from notifications.reminders import shard_of
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.stores.audience import MongoPeople
from wallet_api.stores.campaign_sends import MongoLists, MongoSends
from wallet_api.stores.campaigns import MongoCampaigns, MongoPreviews
from wallet_api.stores.due_items import MongoDueItems
from wallet_api.stores.identities import MongoCitizens


@dataclass(frozen=True)
class CampaignStores:
    """The stores of campaigns over one database."""

    campaigns: MongoCampaigns
    people: MongoPeople
    sends: MongoSends
    lists: MongoLists
    previews: MongoPreviews
    names: CampaignNames


def open_campaign_stores(
    db: Db, cipher: CitizenCipher, blind: BlindIndex, now: Callable[[], datetime]
) -> CampaignStores:
    """The stores, and the names of messages under a secret of this installation."""
    return CampaignStores(
        campaigns=MongoCampaigns(db),
        people=MongoPeople(db, cipher, blind),
        sends=MongoSends(db, cipher, now),
        lists=MongoLists(db, cipher, now),
        previews=MongoPreviews(db),
        names=CampaignNames(blind.label_token("campaign names").encode()),
    )


def build_campaigns(
    stores: CampaignStores,
    db: Db,
    cipher: CitizenCipher,
    blind: BlindIndex,
    read: PlanningPorts,
    write: DispatchPorts,
    now: Callable[[], datetime],
) -> tuple[CampaignDesk, Runner]:
    """The desk that ops speak to, and the runner of the worker."""
    counting = Counting(stores.people, stores.previews, stores.names, now)
    desk = CampaignDesk(stores.campaigns, stores.lists, counting, load_places().prefixes, now)
    ports = RunningPorts(
        campaigns=stores.campaigns,
        people=stores.people,
        sends=stores.sends,
        lists=stores.lists,
        numbers=_whose(MongoCitizens(db, cipher, blind), now),
        recipients=read.recipients,
        preferences=read.preferences,
        devices=write.devices,
        inbox=write.inbox,
        outbox=write.outbox,
        in_unit=read.in_unit,
    )
    return desk, Runner(ports, stores.names, push_template=PUSH_TEMPLATE, new_id=new_id, now=now)


def with_campaigns(
    read: PlanningPorts, reminders: Reminders, stores: CampaignStores, now: Callable[[], datetime]
) -> PlanningPorts:
    """The same ports for delivery and reading, which move messages of campaigns as they move reminders."""
    routed = RoutedReminders(
        reminders, stores.sends, stores.campaigns, stores.people, read.recipients, read.preferences, now
    )
    return replace(read, reminders=routed)


def _whose(
    citizens: MongoCitizens, now: Callable[[], datetime]
) -> Callable[[NumberKind, Collection[str]], Sequence[str]]:
    def whose(kind: NumberKind, numbers: Collection[str]) -> Sequence[str]:
        return citizens.owners_on(kind, numbers, vn_day(now()))

    return whose


class SeenFacts:
    """`CareHistory` that remembers for each thread whose facts were read last: see `FollowedDueItems`."""

    def __init__(self, inner: CareHistory) -> None:
        self._inner = inner
        self._last = threading.local()

    def facts(self, citizen_id: str, unit: Unit | None = None) -> CitizenFacts | None:
        """Facts, or None for an unknown person."""
        found = self._inner.facts(citizen_id, unit)
        self._last.seen = (citizen_id, found)
        return found

    def care(self, citizen_id: str, unit: Unit | None = None) -> Sequence[Care]:
        """All doses and exams on record."""
        return self._inner.care(citizen_id, unit)

    def taken(self, citizen_id: str) -> CitizenFacts | None:
        """What was read of this person since it was last asked; None when nothing was."""
        whose, found = getattr(self._last, "seen", ("", None))
        self._last.seen = ("", None)
        return found if whose == citizen_id else None


class FollowedDueItems(MongoDueItems):
    """`DueItems` whose plans audiences, coverage and the effect of campaigns follow, in the same unit.

    A plan that is put down without facts having been read for it only marks somebody for review, and is
    followed by a true one.
    """

    def __init__(
        self,
        db: Db,
        cipher: CitizenCipher,
        seen: SeenFacts,
        stores: CampaignStores,
        in_unit: InUnit,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(db, cipher)
        self._seen, self._in_unit, self._now = seen, in_unit, now
        self._people: People = stores.people
        self._sends: Sends = stores.sends
        self._names = stores.names

    def replace(
        self, citizen_id: str, items: Sequence[DueItem], review_on: date | None, unit: Unit | None = None
    ) -> None:
        """Put the new plan in place of the old one, and let the row of the person follow."""
        facts = self._seen.taken(citizen_id)
        if facts is None:
            super().replace(citizen_id, items, review_on, unit)
            return

        def work(within: Unit | None) -> None:
            MongoDueItems.replace(self, citizen_id, items, review_on, within)
            self._follow(facts, items, within)

        if unit is None:
            self._in_unit(work)
        else:
            work(unit)

    def _follow(self, facts: CitizenFacts, items: Sequence[DueItem], unit: Unit | None) -> None:
        row = row_of(facts, shard_of(facts.citizen_id), items)
        old = self._people.put(row, unit)
        since = self._now() - timedelta(days=OUTCOME_DAYS)
        for series in sorted(newly_given(old, row)):
            self._sends.dosed(self._names.subject(facts.citizen_id, series), since, unit)
