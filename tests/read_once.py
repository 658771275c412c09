"""Looks each caller up once: for thousands of requests in which who calls is not what is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from wallet_api.stores.oauth_clients import MongoClients
from wallet_api.stores.organisations import MongoRosters
from wallet_api.stores.sessions import MongoSessions


@contextmanager
def callers_read_once() -> Iterator[None]:
    """A session, a client and a place on a roster stay what they were when they were found first.

    Every guard still judges them at every request; reading them anew is half the time of a refusal.
    """
    with pytest.MonkeyPatch.context() as patch:
        for store in (MongoSessions, MongoClients, MongoRosters):
            patch.setattr(store, "get", _found_once(store.get))
        yield


def _found_once(read: Callable[..., Any]) -> Callable[..., Any]:
    """What was found is kept; what was not there yet is looked for again."""
    found: dict[tuple[Any, ...], Any] = {}

    def kept(*asked: Any) -> Any:
        made = found.get(asked)
        if made is None and (made := read(*asked)) is not None:
            found[asked] = made
        return made

    return kept
