"""F11, small: no log, no data; and the proof that this would be noticed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from pymongo.errors import AutoReconnect

from tests.faults.leaking import read_while_the_log_fails
from tests.world import World
from wallet_api.audit.chain import AuditRow
from wallet_api.audit.writer import LogWriter, Waiting
from wallet_api.stores.audit_log import MongoAuditLog


def test_nothing_is_shown_that_the_log_lacks(world: World) -> None:
    disclosed, unlogged = read_while_the_log_fails(world, 200, share=0.06)
    assert disclosed and unlogged == 0


def test_a_log_that_is_not_waited_for_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that gives up what it could not write, and says it is safe: what the product must never do."""

    def careless(self: LogWriter, group: Sequence[Waiting]) -> None:
        rows = self._place(group)
        try:
            self._store.append(rows)
        except Exception:
            self._seq, self._prev = rows[0].seq, rows[0].prev
        self._unsettled, self._unsettled_leaves = (), ()
        for waiting, row in zip(group, rows, strict=True):
            waiting.entry_id = row.entry_id
            waiting.done.set()

    monkeypatch.setattr(LogWriter, "_write", careless)
    monkeypatch.setattr("tests.faults.leaking.failing", nothing_stored)
    _, unlogged = read_while_the_log_fails(world, 120, share=0.1, careful=False)
    assert unlogged > 0


def nothing_stored(share: float, seed: int) -> tuple[Callable[..., None], Counter[str]]:
    genuine, chance, failures = MongoAuditLog.append, random.Random(seed), Counter[str]()

    def append(self: MongoAuditLog, rows: Sequence[AuditRow]) -> None:
        if chance.random() < share:
            failures["nothing stored"] += 1
            raise AutoReconnect("planted")
        genuine(self, rows)

    return append, failures
