"""The reminder services over MongoDB, the queue and FCM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from notifications.alerts import Alerts
from notifications.channels.fcm_wire import PUSH_TEMPLATE
from notifications.dead_letters import DeadLetters
from notifications.dispatch import Dispatch, DispatchPorts
from notifications.outgoing import Device
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Brakes
from notifications.programmes import load_programmes
from notifications.reading import Reading
from notifications.reminders import Keys
from notifications.snoozes import Snoozing
from notifications.templates import load_texts
from wallet_api.context import Reminding
from wallet_api.identity.model import Account, Citizen, IdentifierKind, IdentifierOwner
from wallet_api.identity.ports import CitizenStore
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import say_error
from wallet_api.infra.mongo import Db
from wallet_api.rights.calendar import VIETNAM
from wallet_api.settings import Settings
from wallet_api.stores.brakes import MongoBrakes
from wallet_api.stores.devices import MongoDevices
from wallet_api.stores.followed_plans import FollowedDueItems
from wallet_api.stores.identities import MongoCitizens
from wallet_api.stores.inbox import MongoInbox
from wallet_api.stores.outbox import MongoOutbox
from wallet_api.stores.preferences import MongoPreferences
from wallet_api.stores.push_days import MongoPushDays
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.reminders import MongoReminders
from wallet_api.stores.reminding import MongoUnits
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.session_days import MongoSessionBook
from wallet_api.wiring.campaigns import (
    MeantPeople,
    build_campaigns,
    open_campaign_stores,
    with_campaigns,
)
from wallet_api.wiring.care import FamilyRecipients, UnrestrictedRecipients
from wallet_api.wiring.care_of_many import CareOfMany, RecipientsOfMany
from wallet_api.wiring.following import Follower
from wallet_api.wiring.sending import sender_of
from wallet_api.wiring.sessions import CachedSessions
from wallet_api.wiring.upkeep import build_upkeep


def build_reminding(
    settings: Settings,
    db: Db,
    cipher: CitizenCipher,
    blind: BlindIndex,
    identity: Identity,
    records: MongoRecords,
    now: Callable[[], datetime],
) -> Reminding:
    """Planning, dispatch, delivery and reading over one database."""
    keys = reminder_keys(blind)
    reminders = MongoReminders(db, cipher, blind)
    inbox, outbox = MongoInbox(db, cipher), MongoOutbox(db, cipher)
    devices, preferences = RevivingDevices(db, cipher, blind), MongoPreferences(db, cipher)
    stores, units = open_campaign_stores(db, cipher, blind, now), MongoUnits(db)
    care = CareOfMany(identity.people, records, MongoCitizens(db, cipher, blind), now)
    plans = FollowedDueItems(db, cipher)
    read = PlanningPorts(
        care=care,
        due=plans,
        reminders=reminders,
        recipients=RecipientsOfMany(
            UnrestrictedRecipients(
                FamilyRecipients(identity.people, identity.family, now), MongoRestrictions(db).holds
            ),
            db,
            cipher,
            blind,
            now,
        ),
        preferences=preferences,
        in_unit=units,
    )
    meant = MeantPeople(identity.family, MongoRestrictions(db), preferences, now)
    follower = Follower(plans, care, stores, reminders, units, now)
    routed = with_campaigns(read, reminders, stores, follower.rows, meant, now)
    write = DispatchPorts(inbox=inbox, outbox=outbox, devices=devices, days=MongoPushDays(db))
    sessions = MongoSessionBook(db)
    planning = Planning(read, load_programmes(), keys, now, CachedSessions(sessions, now))
    dispatch = Dispatch(
        planning,
        routed,
        write,
        texts=load_texts(),
        push_template=PUSH_TEMPLATE,
        keys=keys,
        new_id=new_id,
        now=now,
        closed=VIETNAM.is_holiday,
    )
    devices.after = dispatch.revive
    desk, runner = build_campaigns(stores, db, cipher, blind, read, write, meant, now)
    return Reminding(
        planning=planning,
        dispatch=dispatch,
        delivery=lambda: sender_of(settings, db, planning, routed, write, now),
        reading=Reading(inbox, routed.reminders, now),
        reminders=reminders,
        alerts=Alerts(inbox, outbox, MongoUnits(db), PUSH_TEMPLATE, now),
        outbox=outbox,
        dead_letters=DeadLetters(outbox, reminders, MongoUnits(db), now),
        inbox=inbox,
        devices=devices,
        preferences=preferences,
        keys=keys,
        programmes=load_programmes(),
        snoozing=Snoozing(reminders, MongoUnits(db), keys),
        sessions=sessions,
        figures=lambda: {"reminders": reminders.figures(), **outbox.figures()},
        funnel=stores.funnel.figures,
        wake=lambda day: _wake(settings, day),
        upkeep=build_upkeep(db, planning, read.due, reminders, now),
        campaigns=desk,
        runner=runner,
        follow=follower.follow,
        wake_campaigns=lambda: _wake_campaigns(settings),
        people=stores.people,
    )


def reminder_keys(blind: BlindIndex) -> Keys:
    """The names of reminders, under a secret of this installation."""
    return Keys(blind.label_token("reminder ids").encode())


def open_brakes(db: Db) -> Brakes:
    """The shared stops of this database."""
    return MongoBrakes(db)


class RevivingDevices(MongoDevices):
    """`Devices` after whose registration the owner still gets today what failed for want of a device.

    `after` is set by the wiring: reviving needs dispatch, and dispatch needs this store.
    """

    after: Callable[[str], object] = staticmethod(lambda citizen_id: None)

    def register(self, device: Device) -> Device:
        """Keep the device, then revive. Reviving that fails is tried at the next start of the app."""
        kept = super().register(device)
        _quietly("revive_failed", self.after, kept.citizen_id)
        return kept


class PlannedCitizens:
    """`CitizenStore` that has every new citizen planned, so that nobody is forgotten.

    `after` and `settle`, which files what waited for them, are set by the wiring: both need people, and
    people need this store. It puts a citizen down
    for review before it plans them, so that one whose plan fails is found by the next run of the day.
    """

    def __init__(self, inner: CitizenStore) -> None:
        self._inner = inner
        self.after: Callable[[str], object] = lambda citizen_id: None
        self.settle: Callable[[str], object] = lambda citizen_id: None

    def create(self, citizen: Citizen) -> None:
        """Keep a new citizen, then plan them. A plan that fails is logged and keeps nobody out."""
        self._inner.create(citizen)
        self._follow(citizen.id)

    def save(self, citizen: Citizen, *, expected: int) -> None:
        """Keep a changed citizen, then plan them: a corrected birth date changes what is due."""
        self._inner.save(citizen, expected=expected)
        self._follow(citizen.id)

    def save_together(self, changes: Sequence[tuple[Citizen, int]]) -> None:
        """Keep changed citizens, then plan each."""
        self._inner.save_together(changes)
        for citizen, _ in changes:
            self._follow(citizen.id)

    def _follow(self, citizen_id: str) -> None:
        _quietly("plan_failed", self.after, citizen_id)
        _quietly("late_match_failed", self.settle, citizen_id)

    def get(self, citizen_id: str) -> Citizen | None:
        """One citizen."""
        return self._inner.get(citizen_id)

    def by_account(self, account: Account) -> str | None:
        """Whose account it is."""
        return self._inner.by_account(account)

    def owner(self, kind: IdentifierKind, value: str) -> IdentifierOwner | None:
        """Whose number it is."""
        return self._inner.owner(kind, value)


def _quietly(event: str, work: Callable[[str], object], citizen_id: str) -> None:
    """What was asked for is done already: work that follows from it may fail, but must be heard of."""
    try:
        work(citizen_id)
    except Exception as why:  # a sign-in must not fail because a plan did; the daily review plans again
        say_error(event, why)


def _wake_campaigns(settings: Settings) -> None:
    # As below. A call that is lost costs the seconds until the next of the beat.
    from wallet_api.infra.queue import CAMPAIGNS_TASK, make_queue

    make_queue(settings).send_task(CAMPAIGNS_TASK)


def _wake(settings: Settings, day: date) -> None:
    # Only here: Celery takes a while to load, and an API worker that nobody asks for a run never needs it.
    from wallet_api.infra.queue import PLAN_TASK, make_queue

    make_queue(settings).send_task(PLAN_TASK, args=[day.isoformat()])
