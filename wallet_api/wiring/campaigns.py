"""Campaigns put together, and the rows their audiences are found in kept true with every plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from notifications.campaigns.counting import Counting
from notifications.campaigns.desk import CampaignDesk
from notifications.campaigns.names import CampaignNames
from notifications.campaigns.places import load_places
from notifications.campaigns.ports import Meant, People, Sends
from notifications.campaigns.progress import OUTCOME_DAYS
from notifications.campaigns.routing import RoutedReminders
from notifications.campaigns.rows import NumberKind
from notifications.campaigns.running import Runner, RunningPorts
from notifications.campaigns.standing import PersonRow, newly_given, row_of
from notifications.channels.fcm_wire import PUSH_TEMPLATE
from notifications.dispatch import DispatchPorts
from notifications.model import Care, CitizenFacts, DueItem, Preferences
from notifications.planning import PlanningPorts
from notifications.ports import CareHistory, InUnit, Reminders, Unit
from notifications.reminders import State, shard_of
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.family import Family
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.stores.audience import MongoPeople
from wallet_api.stores.campaign_sends import MongoLists, MongoSends
from wallet_api.stores.campaigns import MongoCampaigns, MongoPreviews
from wallet_api.stores.due_items import MongoDueItems
from wallet_api.stores.funnel import MongoFunnel
from wallet_api.stores.identities import MongoCitizens
from wallet_api.stores.preferences import MongoPreferences
from wallet_api.stores.restrictions import MongoRestrictions

_REACHED: Final = frozenset({State.ACCEPTED, State.OPENED})


@dataclass(frozen=True)
class CampaignStores:
    """The stores of campaigns over one database."""

    campaigns: MongoCampaigns
    people: MongoPeople
    sends: MongoSends
    lists: MongoLists
    previews: MongoPreviews
    funnel: MongoFunnel
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
        funnel=MongoFunnel(db),
        names=CampaignNames(blind.label_token("campaign names").encode()),
    )


def build_campaigns(
    stores: CampaignStores,
    db: Db,
    cipher: CitizenCipher,
    blind: BlindIndex,
    read: PlanningPorts,
    write: DispatchPorts,
    meant: Meant,
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
        meant=meant,
        devices=write.devices,
        inbox=write.inbox,
        outbox=write.outbox,
        in_unit=read.in_unit,
        pushed_on=read.reminders.pushed_on,
    )
    return desk, Runner(ports, stores.names, push_template=PUSH_TEMPLATE, new_id=new_id, now=now)


def with_campaigns(
    read: PlanningPorts,
    reminders: Reminders,
    stores: CampaignStores,
    meant: Meant,
    now: Callable[[], datetime],
) -> PlanningPorts:
    """The same ports for delivery and reading, which move messages of campaigns as they move reminders."""
    routed = RoutedReminders(
        reminders, stores.sends, stores.campaigns, stores.people, meant, stores.funnel, now
    )
    return replace(read, reminders=routed)


class MeantPeople:
    """`Meant` over families, restrictions and preferences, with few questions for many people."""

    def __init__(
        self,
        family: Family,
        restrictions: MongoRestrictions,
        preferences: MongoPreferences,
        now: Callable[[], datetime],
    ) -> None:
        self._family, self._restrictions = family, restrictions
        self._preferences, self._now = preferences, now

    def who(self, rows: Collection[PersonRow]) -> dict[str, Sequence[str]]:
        """Whom to tell of each: as `FamilyRecipients` and `UnrestrictedRecipients` say of one."""
        still = self._restrictions.among([row.citizen_id for row in rows])
        return {row.citizen_id: () if row.citizen_id in still else self._told(row) for row in rows}

    def preferences(self, citizen_ids: Collection[str]) -> dict[str, Preferences]:
        """What each of them has chosen, or the defaults."""
        chosen = self._preferences.chosen_by(citizen_ids)
        return {each: self._preferences.of(each) if each in chosen else Preferences() for each in citizen_ids}

    def _told(self, row: PersonRow) -> Sequence[str]:
        now = self._now()
        if row.deceased:
            return ()
        if has_reached(row.born, AGES.own_account, vn_day(now)):
            return (row.citizen_id,)
        return sorted({each.guardian_id for each in self._family.guardians_of(row.citizen_id, now)})


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
        reminders: Reminders,
        in_unit: InUnit,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(db, cipher)
        self._reminders, self._funnel = reminders, stores.funnel
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
        if not items and not facts.deceased and self._people.of({facts.citizen_id}):
            return  # somebody put down for review, whose facts were read before for something else
        row = row_of(facts, shard_of(facts.citizen_id), items)
        old = self._people.put(row, unit)
        since = self._now() - timedelta(days=OUTCOME_DAYS)
        given = newly_given(old, row)
        for series in sorted(given):
            self._sends.dosed(self._names.subject(facts.citizen_id, series), since, unit)
        if given:
            self._follow_reminders(facts.citizen_id, given, vn_day(since), unit)

    def _follow_reminders(
        self, citizen_id: str, given: frozenset[str], since: date, unit: Unit | None
    ) -> None:
        """Count, once a programme, that a dose was given within 30 days of a reminder of its series."""
        followed = {
            (each.programme_id, each.shard)
            for each in self._reminders.of_citizen(citizen_id)
            if each.series_id in given and each.send_on >= since and each.state in _REACHED
        }
        programmes = dict(sorted(followed))
        self._funnel.count(dict.fromkeys(programmes.items(), 1), "followed", unit)
