"""How a route reaches what it needs: the services of this application and the caller of this request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from flask import current_app, g

from consent import AccessService, VisitCodeService
from consent.asking import AskingBook
from consent.assisted import AssistedConsentService
from consent.co_consent import CoConsentService
from consent.emergency import Emergency, EmergencyService
from consent.receipt import Signing
from notifications.alerts import Alerts
from notifications.campaigns.desk import CampaignDesk
from notifications.campaigns.ports import People as Audience
from notifications.campaigns.running import Runner
from notifications.dead_letters import DeadLetters
from notifications.delivery import Delivery
from notifications.dispatch import Dispatch
from notifications.planning import Planning
from notifications.ports import Devices, Inbox, Outbox, PreferenceStore, Reminders
from notifications.reading import Reading
from notifications.rebuilding import Rebuilding
from notifications.reevaluation import Reevaluation
from notifications.reminders import Keys
from notifications.schedule import Programme
from notifications.sessions import SessionBook
from notifications.snoozes import Snoozing
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.breaches.register import BreachRegister
from wallet_api.corrections.desk import CorrectionDesk
from wallet_api.corrections.disputes import DisputeDesk
from wallet_api.corrections.model import Correction, Dispute
from wallet_api.events.duties import ErasureService
from wallet_api.events.feed import Feed
from wallet_api.events.webhooks import WebhookRegister, WebhookSender
from wallet_api.exports.desk import ExportDesk
from wallet_api.identity.births import BirthDesk
from wallet_api.identity.deaths import DeathDesk
from wallet_api.identity.evidence import EvidenceStore
from wallet_api.identity.heirs import HeirDesk
from wallet_api.identity.merge_desk import MergeDesk
from wallet_api.identity.model import Caller
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.etags import EntityTags
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.crypto.refs import References
from wallet_api.infra.idempotency import Turns
from wallet_api.infra.limits import Limits
from wallet_api.records.card_doses import CardDoses
from wallet_api.records.growth.standard import Standard
from wallet_api.records.intake import IntakeService
from wallet_api.records.intake_of_many import IntakeOfMany
from wallet_api.records.own_entries import OwnEntries
from wallet_api.records.pages import PageCursors
from wallet_api.records.parking import ParkingDesk
from wallet_api.records.reader import Readers
from wallet_api.records.safety import SafetyDesk
from wallet_api.records.shared import SharedReader
from wallet_api.records.windows import Viewer
from wallet_api.rights.desk import RightsDesk
from wallet_api.settings import Settings
from wallet_api.shares.desk import ShareDesk


@dataclass(frozen=True)
class Book:
    """The health book."""

    readers: Readers
    intake: IntakeService
    intake_of_many: IntakeOfMany
    own: OwnEntries
    growth: Standard


@dataclass(frozen=True)
class Upkeep:
    """Keeping the stored plans true: after a change of rules, and every night."""

    rebuilding: Rebuilding
    nightly: Reevaluation

    def figures(self) -> dict[str, int]:
        """What last night's check found, by what it is; nothing before the first night."""
        night = self.nightly.last()
        if night is None:
            return {}
        names = ("checked", "drift", "stale", "failed")
        return {name: getattr(night, name) for name in names}


@dataclass(frozen=True)
class Reminding:
    """Reminders: what is due, what goes out, what was read."""

    planning: Planning
    dispatch: Dispatch
    delivery: Callable[[], Delivery]
    reading: Reading
    reminders: Reminders
    alerts: Alerts
    outbox: Outbox
    dead_letters: DeadLetters
    inbox: Inbox
    devices: Devices
    preferences: PreferenceStore
    keys: Keys
    programmes: tuple[Programme, ...]
    snoozing: Snoozing
    sessions: SessionBook
    figures: Callable[[], dict[str, dict[str, int]]]
    funnel: Callable[[], Mapping[str, Mapping[str, int]]]
    wake: Callable[[date], None]
    upkeep: Upkeep
    campaigns: CampaignDesk
    runner: Runner
    follow: Callable[[], int]
    wake_campaigns: Callable[[], None]
    people: Audience


@dataclass(frozen=True)
class EmergencyDesk:
    """Emergencies: opening and reviewing them, and telling the people concerned. Telling twice is once."""

    service: EmergencyService
    tell: Callable[[Emergency], None]
    tell_outcome: Callable[[Emergency], None]
    tell_rest: Callable[[], int]


@dataclass(frozen=True)
class Correcting:
    """What people say is wrong in their book, and telling them what came of it. Telling twice is once."""

    desk: CorrectionDesk
    disputes: DisputeDesk
    tell_answer: Callable[[Correction], None]
    tell_decision: Callable[[Dispute], None]


@dataclass(frozen=True)
class Telling:
    """What organisations are told about the consents they hold, and what they owe when one is over."""

    feed: Feed
    duties: ErasureService
    webhooks: WebhookRegister
    sender: WebhookSender


@dataclass(frozen=True)
class Sharing:
    """Share links: the desk that judges and counts, and the reader of what they show."""

    desk: ShareDesk
    reader: SharedReader


@dataclass(frozen=True)
class Services:
    """Everything a route may use. Built once per process by `wiring`; tests may pass their own."""

    settings: Settings
    now: Callable[[], datetime]
    ready: Callable[[], None]
    room: Callable[[], None]
    keys: KeyStore
    blind: BlindIndex
    references: References
    cursors: CursorSealer
    pages: PageCursors
    etags: EntityTags
    log: AccessLog
    identity: Identity
    evidence: EvidenceStore
    births: BirthDesk
    deaths: DeathDesk
    merging: MergeDesk
    heirs: HeirDesk
    safety: SafetyDesk
    consent: CoConsentService
    assisted: AssistedConsentService
    access: AccessService
    visit_codes: VisitCodeService
    askings: AskingBook
    emergencies: EmergencyDesk
    receipt_signing: Callable[[], Signing]
    book: Book
    reminding: Reminding
    limits: Limits
    turns: Turns
    breaches: BreachRegister
    telling: Telling
    rights: RightsDesk
    correcting: Correcting
    sharing: Sharing
    parking: ParkingDesk
    card_doses: CardDoses
    exports: ExportDesk


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["wallet"]
    return found


def caller() -> Caller:
    """Who is calling. Only inside a guarded blueprint, whose guard has set it."""
    found: Caller = g.caller
    return found


def request_id() -> str:
    """This request's id, as in its log lines, its answer and the access log."""
    return str(g.get("request_id", ""))


def viewer() -> Viewer:
    """The caller as the access log is to name it."""
    who = caller()
    if who.kind == "citizen":
        return Viewer(ActorKind.CITIZEN, who.subject_id, request_id(), who.client_id)
    if who.kind == "ops":
        return Viewer(ActorKind.OPS, who.subject_id, request_id(), who.client_id)
    kind = ActorKind.PRACTITIONER if who.practitioner_id else ActorKind.ORGANISATION
    name = who.practitioner_id or who.subject_id
    return Viewer(kind, name, request_id(), who.client_id, who.organisation_id, who.practitioner_id)


def log_act(action: Action, citizen_id: str | None, **fields: object) -> None:
    """Write an act of the caller into the access log; durable when this returns.

    `refused=True` writes an attempt that was refused; `organisation_id` names the organisation that a
    citizen's act is about.

    Raises:
        LogUnavailable: it could not be written, so the act must not be confirmed.
    """
    who = viewer()
    organisation = fields.pop("organisation_id", who.organisation_id)
    event = AuditEvent(
        at=services().now(),
        request_id=who.request_id,
        action=action,
        actor_kind=who.kind,
        actor_id=who.id,
        decision="refuse" if fields.pop("refused", False) else "permit",
        reason=str(fields.pop("reason", "own_act")),
        citizen_id=citizen_id,
        organisation_id=str(organisation) if organisation is not None else None,
        practitioner_id=who.practitioner_id,
        client_id=who.client_id,
        **fields,  # type: ignore[arg-type]  # the event checks its own fields
    )
    services().log.append(event)
