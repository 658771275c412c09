"""The withdrawal fence ten thousand times: the test of `tests/fence`, two citizens at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fence import test_processes as fence
from tests.world import World

pytestmark = pytest.mark.soak
served = fence.served
LANES = 2  # two cores: while one citizen's round waits for the database, the other's goes on


def test_the_fence_holds_for_ten_thousand_withdrawals(
    served: tuple[World, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = int(os.environ.get("WALLET_FENCE_ROUNDS", "10000"))
    monkeypatch.setattr(fence, "ROUNDS", rounds // LANES)
    with ThreadPoolExecutor(LANES) as lanes:
        tried = fence.test_no_read_that_starts_after_the_withdrawals_answer_gets_data
        for each in [lanes.submit(tried, served) for _ in range(LANES)]:
            each.result()
