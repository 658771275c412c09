"""What a command needs of the product, opened for its time and closed after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wallet_api.cli.screen import CannotDo
from wallet_api.context import Services
from wallet_api.infra.machine import what_is_here_stays
from wallet_api.infra.mongo import BATCH_TIMEOUT_MS, Db, connect, reached
from wallet_api.settings import Settings
from wallet_api.wiring import build_services


def settings_here() -> Settings:
    """The settings of this environment. Raises SettingsError."""
    return Settings.from_env(os.environ)


def dev_settings(command: str) -> Settings:
    """The settings, for a command that exists in development alone.

    Raises:
        CannotDo: WALLET_ENV is not dev.
    """
    if os.environ.get("WALLET_ENV") != "dev":
        raise CannotDo(f"`{command}` is for development: set WALLET_ENV=dev (unset means production).")
    return settings_here()


@contextmanager
def opened_database(settings: Settings) -> Iterator[Db]:
    """The database. An embedded one that this process had to start ends with the process."""
    database = connect(settings, BATCH_TIMEOUT_MS)
    with database.client:
        yield reached(database)


@contextmanager
def opened_services(settings: Settings) -> Iterator[tuple[Services, Db]]:
    """Everything the product is made of, over `opened_database`; the access log is closed at the end."""
    with opened_database(settings) as database:
        services = build_services(settings, database)
        try:
            with what_is_here_stays():
                yield services, database
        finally:
            services.log.close()
