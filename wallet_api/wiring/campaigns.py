"""Campaigns put together, and the rows their audiences are found in kept true with every plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from notifications.campaigns.counting import Counting
from notifications.campaigns.desk import CampaignDesk
from notifications.campaigns.names import CampaignNames
from notifications.campaigns.places import load_places
from notifications.campaigns.ports import Meant
from notifications.campaigns.routing import RoutedReminders, Rows
from notifications.campaigns.rows import NumberKind
from notifications.campaigns.running import Runner, RunningPorts
from notifications.campaigns.standing import PersonRow
from notifications.channels.fcm_wire import PUSH_TEMPLATE
from notifications.dispatch import DispatchPorts
from notifications.model import Preferences
from notifications.planning import PlanningPorts
from notifications.ports import Reminders
from notifications.reminders import State
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
    rows: Rows,
    meant: Meant,
    now: Callable[[], datetime],
) -> PlanningPorts:
    """The same ports for delivery and reading, which move messages of campaigns as they move reminders."""
    routed = RoutedReminders(reminders, stores.sends, stores.campaigns, rows, meant, stores.funnel, now)
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
