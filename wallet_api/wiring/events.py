"""Feeds, webhooks and erasures owed, over the database and the network."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.context import Telling
from wallet_api.events.duties import ErasureService
from wallet_api.events.feed import Feed
from wallet_api.events.model import Duty
from wallet_api.events.outbound import Poster, Rules
from wallet_api.events.webhooks import WebhookRegister, WebhookSender
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.crypto.refs import References
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.settings import Settings
from wallet_api.stores.erasure_duties import MongoErasureDuties
from wallet_api.stores.events import MongoEvents
from wallet_api.stores.webhooks import MongoWebhooks


def build_telling(
    settings: Settings,
    db: Db,
    keys: KeyStore,
    log: AccessLog,
    identity: Identity,
    now: Callable[[], datetime],
) -> Telling:
    """Everything organisations are told, and what they say back about erasures."""
    feed = Feed(MongoEvents(db), now, overdue_teller(log, now))
    rules = Rules(settings.dev, settings.webhook_hosts)
    webhooks = MongoWebhooks(db)
    sender = WebhookSender(
        webhooks,
        feed,
        post=Poster(rules).post,
        signer=lambda: keys.signer("event"),
        reference=References(keys).seal,
        works=lambda organisation_id: _works(identity, organisation_id),
        issuer=settings.public_url,
        now=now,
        random=random.SystemRandom().random,
    )
    return Telling(
        feed=feed,
        duties=ErasureService(MongoErasureDuties(db)),
        webhooks=WebhookRegister(webhooks, rules.check_url, now),
        sender=sender,
    )


def overdue_teller(log: AccessLog, now: Callable[[], datetime]) -> Callable[[Duty], None]:
    """What is called with an erasure that is overdue: no row in the citizen's log, no event about it."""

    def tell(duty: Duty) -> None:
        event = AuditEvent(
            at=now(),
            request_id=new_id(),
            action=Action.ERASURE_OVERDUE,
            actor_kind=ActorKind.SYSTEM,
            actor_id="wallet",
            decision="refuse",
            reason=duty.state,
            citizen_id=duty.citizen_id,
            organisation_id=duty.organisation_id,
            grant_id=duty.grant_id,
        )
        log.append(event)

    return tell


def _works(identity: Identity, organisation_id: str) -> bool:
    try:
        return identity.organisations.get(organisation_id).status == "active"
    except OrganisationUnknown:
        return False
