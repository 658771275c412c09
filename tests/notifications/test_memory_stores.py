"""The shipped in-memory stores keep the promises of their ports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.memory import (
    MemoryDueItems,
    MemoryInbox,
    MemoryOutbox,
    MemoryPreferences,
    MemoryReminders,
)
from notifications.memory_brakes import MemoryBrakes, MemoryTokens
from notifications.memory_devices import MemoryDevices
from notifications.push_days import MemoryPushDays
from notifications.sessions import MemorySessionBook
from tests.contracts import notifications_contract
from tests.contracts.notifications_contract import checks_of

STORES = {
    "due_items": MemoryDueItems,
    "reminders": MemoryReminders,
    "outbox": MemoryOutbox,
    "inbox": MemoryInbox,
    "devices": MemoryDevices,
    "brakes": MemoryBrakes,
    "preferences": MemoryPreferences,
    "push_days": MemoryPushDays,
    "session_book": MemorySessionBook,
    "tokens": MemoryTokens,
}
CASES = [
    pytest.param(store, check, id=check.__name__)
    for kind, store in STORES.items()
    for check in checks_of(kind)
]


@pytest.mark.parametrize(("store", "check"), CASES)
def test_memory_store_keeps_its_promise(store: Callable[[], object], check: Callable[[object], None]) -> None:
    check(store())


def test_no_port_is_without_checks() -> None:
    assert all(checks_of(kind) for kind in STORES)
    told = {check for kind in STORES for check in checks_of(kind)}
    assert {name for name in vars(notifications_contract) if name.startswith("check_")} == {
        c.__name__ for c in told
    }
