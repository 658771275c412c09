"""The withdrawal fence for minutes: the test of `tests/fence` with twice its rounds and more readers."""

from __future__ import annotations

import os

import pytest

from tests.fence import test_processes as fence
from tests.world import World

pytestmark = pytest.mark.soak
served = fence.served


def test_the_fence_holds_for_hundreds_of_withdrawals(
    served: tuple[World, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "READERS", 4)
    monkeypatch.setattr(fence, "ROUNDS", int(os.environ.get("WALLET_FENCE_ROUNDS", "400")))
    fence.test_no_read_that_starts_after_the_withdrawals_answer_gets_data(served)
