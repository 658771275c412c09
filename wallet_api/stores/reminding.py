"""What the stores of the reminder services share: one retention class, and units that are transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.ports import Unit
from wallet_api.infra.mongo import transaction

T = TypeVar("T")
Document = dict[str, Any]

RETENTION_CLASS: Final = "reminders"
"""Plans, reminders, messages, addresses and preferences of a person are erased together."""


class MongoUnits:
    """`InUnit` over pymongo: a unit is a client session in a transaction."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db

    def __call__(self, work: Callable[[Unit | None], T]) -> T:
        """Run `work` in one transaction; it may run again after a write conflict."""
        return transaction(self._db, work)

    def within(self, unit: Unit | None, work: Callable[[ClientSession], T]) -> T:
        """Run `work` in the caller's unit, or in one of its own when there is none."""
        session = session_of(unit)
        return transaction(self._db, work) if session is None else work(session)


def session_of(unit: Unit | None) -> ClientSession | None:
    """The session a unit is. Raises TypeError for a unit of another kind of store."""
    if unit is None or isinstance(unit, ClientSession):
        return unit
    raise TypeError("a unit of this store is a client session")
