"""The worker takes rebuilds and the night's check on with each beat, and tells what a night found."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from notifications.reevaluation import Night
from tests.planner.changing import ALL, DAY, Nation, without
from wallet_api import tasks
from wallet_api.wiring.upkeep import tell_night


def services_of(nation: Nation) -> Any:
    upkeep = SimpleNamespace(rebuilding=nation.rebuilding, nightly=nation.nightly)
    return SimpleNamespace(reminding=SimpleNamespace(upkeep=upkeep))


def test_a_beat_takes_a_rebuild_on_by_no_more_than_a_worker_may() -> None:
    nation = Nation()
    nation.settle(60)
    nation.govern(without("je"))
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=ALL, sample=64)
    beats = 0
    while nation.rebuilding.get("r1").state != "done":
        tasks.Duties(services_of(nation), sender=cast(Any, None)).keep_plans()
        beats += 1
        assert beats < 100
    nation.rebuilding.begin("r2", "an", dry_run=True, shards=ALL, sample=64)
    nation.rebuilding.bounds = type(nation.bounds)(a_second=1)
    tasks.Duties(services_of(nation), sender=cast(Any, None)).keep_plans()
    assert nation.rebuilding.progress(nation.rebuilding.get("r2")).shards_done < 20


def test_a_beat_checks_the_night_when_no_rebuild_waits() -> None:
    nation = Nation()
    nation.settle(60)
    nation.clock.turn(DAY, 2)
    tasks.Duties(services_of(nation), sender=cast(Any, None)).keep_plans()
    assert [(night.done, night.drift) for night in nation.nights] == [(True, 0)]


def test_a_night_is_told_in_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wallet")
    tell_night(Night(DAY, 7, True, 500, 3, 2, 1))
    told = {(each.msg, each.levelname, each.__dict__["count"]) for each in caplog.records}
    assert told == {
        ("plans_checked", "INFO", 500),
        ("plan_drift", "WARNING", 3),
        ("plans_of_other_rules", "INFO", 2),
        ("plans_not_checked", "WARNING", 1),
    }
    caplog.clear()
    tell_night(Night(DAY, 7, True, 500, 0, 0, 0))
    assert [each.msg for each in caplog.records] == ["plans_checked"]
