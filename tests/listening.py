"""What the driver asks the database while somebody listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from wallet_api.infra import mongo


class Operations(CommandListener):
    """Commands as they were sent, from every thread."""

    def __init__(self) -> None:
        self._heard: list[dict[str, Any]] | None = None

    @contextmanager
    def heard(self) -> Iterator[list[dict[str, Any]]]:
        """The commands of a block."""
        self._heard = heard = []
        try:
            yield heard
        finally:
            self._heard = None

    def started(self, event: CommandStartedEvent) -> None:
        if self._heard is not None:
            self._heard.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def open_database(self, uri: str, name: str) -> Database[dict[str, Any]]:
        """The database as the product opens it, with this listener on its client."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mongo, "MongoClient", partial(MongoClient, event_listeners=[self]))
            return mongo.open_database(uri, name)


def named(command: dict[str, Any]) -> str:
    """The command and its collection, like "insert audit_log"."""
    verb = next(iter(command))
    return f"{verb} {command[verb]}"
