"""What a worker sends with: the push channel, the speed all workers share, and letters where a push fails."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from notifications.channels.fcm import FcmSettings
from notifications.channels.senders import fcm_sender, in_bulk
from notifications.channels.smtp import SmtpChannel, SmtpSettings
from notifications.delivery import Delivery
from notifications.dispatch import DispatchPorts
from notifications.errors import BadChannel
from notifications.fallback import Fallback
from notifications.pacing import Pacer, Rate
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Channel
from wallet_api.infra.logs import say
from wallet_api.infra.mongo import Db
from wallet_api.settings import Settings
from wallet_api.stores.brakes import MongoBrakes, MongoTokens

Clock = Callable[[], datetime]


def sender_of(
    settings: Settings, db: Db, planning: Planning, read: PlanningPorts, write: DispatchPorts, now: Clock
) -> Delivery:
    """The sender of this process: make it after any fork. Raises BadChannel."""
    channel = _channel(settings, now)
    rate = Rate(float(settings.push_rate))
    chance = random.SystemRandom().random
    fallback = None
    if settings.smtp_url:
        fallback = Fallback(
            planning,
            read,
            write,
            channel=SmtpChannel(SmtpSettings.from_url(settings.smtp_url, settings.smtp_from), now),
            after=timedelta(hours=settings.fallback_hours),
            alert=tell_ops,
            now=now,
            random=chance,
        )
    return Delivery(
        planning,
        read,
        write,
        channel=channel,
        brakes=MongoBrakes(db),
        alert=tell_ops,
        now=now,
        random=chance,
        pacer=Pacer(MongoTokens(db), channel.name, rate, now, time.sleep),
        fallback=fallback,
    )


def tell_ops(code: str, template: str, counts: Mapping[str, int]) -> None:
    """Log an alert: what happened to which text, and how often."""
    say("push_alert", logging.WARNING, code=code, template=template, count=sum(counts.values()))


def _channel(settings: Settings, now: Clock) -> Channel:
    account = _service_account(settings)
    project = settings.fcm_project or str(account.get("project_id", ""))
    try:
        where = FcmSettings(project, settings.fcm_endpoint, rate=float(settings.push_rate))
        channel = fcm_sender(where, account, now)
    except BadChannel as why:
        told = f"WALLET_FCM_CREDENTIALS, WALLET_FCM_PROJECT or WALLET_FCM_ENDPOINT cannot be used ({why})."
        raise BadChannel(told) from None
    if not in_bulk():
        # Slow pushes are better than none, so production starts without libcurl too, and says so.
        say("push_sender_slow", logging.WARNING)
    return channel


def _service_account(settings: Settings) -> dict[str, Any]:
    path = settings.fcm_credentials
    if path is None:
        raise BadChannel("WALLET_FCM_CREDENTIALS is not set, so nothing can be pushed.")
    try:
        account = json.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        told = f"WALLET_FCM_CREDENTIALS names {path}, which cannot be read ({why.strerror})."
        raise BadChannel(told) from None
    except ValueError:
        account = None
    if not isinstance(account, dict):
        raise BadChannel(f"WALLET_FCM_CREDENTIALS names {path}, which is no service account.")
    return account
