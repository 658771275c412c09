"""Where acts are counted: Redis where one is named, else the wallet's own database."""

from __future__ import annotations

from wallet_api.infra.budgets import BadRate, budgets
from wallet_api.infra.counters import Counters, SharedCounters, redis_counters
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.limits import Limits
from wallet_api.infra.mongo import Db
from wallet_api.settings import Settings, SettingsError
from wallet_api.stores.limits import DatabaseStorage


def build_limits(settings: Settings, db: Db, blind: BlindIndex) -> Limits:
    """The limits of these settings. Connects to nothing yet.

    Raises:
        SettingsError: WALLET_LIMITS names no budget of ours, or a rate that cannot be read.
    """
    try:
        table = None if settings.limits is None else budgets(settings.limits)
    except BadRate as why:
        raise SettingsError([f"WALLET_LIMITS: {why}"]) from why
    counters: Counters
    counters = (
        redis_counters(settings.redis_url) if settings.redis_url else SharedCounters(DatabaseStorage(db))
    )
    return Limits(table, counters, lambda name: blind.label_token(f"limit:{name}"))
