"""The time an answer takes does not tell whether a person exists."""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.world import World

pytestmark = [pytest.mark.soak, pytest.mark.alone]
EACH = 1000
KNOWN = 50


def mann_whitney_p(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p of the Mann-Whitney U test by its normal approximation; good from 20 values on."""
    others, n, m = sorted(second), len(first), len(second)
    u = sum(bisect_left(others, each) + bisect_right(others, each) for each in first) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def test_the_test_sees_a_difference() -> None:
    base = [0.010 + index % 97 / 50_000 for index in range(EACH)]
    assert mann_whitney_p(base, [each + 0.0004 for each in base]) < 0.01
    assert mann_whitney_p(base, base[::-1]) > 0.9


def test_known_and_unknown_numbers_take_the_same_time(
    embedded_db: Database[dict[str, Any]], tmp_path: Path, record_property: Any
) -> None:
    world = World(embedded_db, tmp_path, WALLET_LOOKUP_BLUR="20")
    doctor, known = world.doctor(), [world.person().number for _ in range(KNOWN)]
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for turn in range(EACH + 20):
        token = doctor.token
        for kind, number in (("known", known[turn % KNOWN]), ("unknown", f"001190{turn % KNOWN:06d}"))[
            :: 1 - turn % 2 * 2
        ]:
            body = world.proposal(type("Named", (), {"number": number})())
            began = time.perf_counter()
            answer = world.post("/provider/consent-requests", token, body)
            spent = time.perf_counter() - began
            assert answer.status_code == 202
            if turn >= 20:
                took[kind].append(spent)
    world.services.log.close()
    gap = abs(statistics.median(took["known"]) - statistics.median(took["unknown"]))
    p = mann_whitney_p(took["known"], took["unknown"])
    record_property("lookups", 2 * EACH)
    record_property("median_gap_ms", gap * 1000)
    record_property("p", p)
    print(f"{2 * EACH} look-ups: median gap {gap * 1000:.3f} ms, p {p:.3f}")
    assert p > 0.01 and gap < 0.001
