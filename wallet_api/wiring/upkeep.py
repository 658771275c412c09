"""Keeping the stored plans true, over MongoDB: rebuilds after a change of rules, the check of every night."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from notifications.comparing import Comparing
from notifications.planning import Planning
from notifications.ports import DueItems, Reminders
from notifications.rebuilding import Rebuilding
from notifications.rebuilds import Bounds
from notifications.reevaluation import Night, Reevaluation
from notifications.walks import Walker
from wallet_api.context import Upkeep
from wallet_api.infra.logs import say
from wallet_api.infra.mongo import Db
from wallet_api.stores.rebuilds import MongoRebuilds
from wallet_api.stores.walks import MongoWalks


def build_upkeep(
    db: Db, planning: Planning, due: DueItems, reminders: Reminders, now: Callable[[], datetime]
) -> Upkeep:
    """Both over one database."""
    walks = MongoWalks(db)
    comparing, walker = Comparing(planning, due, reminders), Walker(due, walks, now)
    rebuilding = Rebuilding(planning, comparing, walker, walks, MongoRebuilds(db), Bounds(), now)
    nightly = Reevaluation(planning, comparing, walker, walks, tell_night, now)
    return Upkeep(rebuilding, nightly)


def tell_night(night: Night) -> None:
    """What a whole night found, for the log; the numbers for the alarm are read from the database."""
    say("plans_checked", count=night.checked)
    if night.drift:
        say("plan_drift", logging.WARNING, count=night.drift)
    if night.stale:
        say("plans_of_other_rules", count=night.stale)
    if night.failed:
        say("plans_not_checked", logging.WARNING, count=night.failed)
