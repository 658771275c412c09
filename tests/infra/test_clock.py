"""The steady clock: it follows forward, never goes back, and lets a machine that was set back catch up."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.infra.clock import CATCH_UP, SteadyClock

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine whose clock can be set; time passes for it by `pass_`."""

    def __init__(self) -> None:
        self.wall, self.elapsed = NOON, 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.elapsed += seconds

    def clock(self, seen: Path | None = None) -> SteadyClock:
        return SteadyClock(seen, lambda: self.wall, lambda: self.elapsed)


def test_it_is_the_machines_time_while_that_is_sound() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(5):
        assert clock() == machine.wall
        machine.pass_(7.25)
    machine.wall += 2 * HOUR
    assert clock() == machine.wall, "a step forward is followed"


def test_a_machine_set_back_is_not_followed_and_caught_up_with_slowly() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    machine.wall -= 2 * HOUR
    assert clock() == before
    machine.pass_(300)
    assert clock() == before + timedelta(seconds=300 * (1 - CATCH_UP))
    machine.pass_(2 * 3600 / CATCH_UP)
    assert clock() == machine.wall


def test_a_token_lives_no_longer_than_the_leeway_allows_while_it_catches_up() -> None:
    assert 300 / (1 - CATCH_UP) - 300 < 30


def test_a_process_that_starts_after_the_step_does_not_go_back_either(tmp_path: Path) -> None:
    machine, seen = Machine(), tmp_path / "clock.seen"
    latest = machine.clock(seen)()
    machine.wall -= 2 * HOUR
    assert machine.clock(seen)() == latest
    assert machine.clock(tmp_path / "other")() == machine.wall, "without the file it would have"


def test_a_process_that_slept_through_the_step_does_not_go_back_either(tmp_path: Path) -> None:
    machine, seen = Machine(), tmp_path / "clock.seen"
    busy, idle = machine.clock(seen), machine.clock(seen)
    busy(), idle()
    machine.pass_(0.2)
    machine.wall += 2 * HOUR
    latest = busy()
    machine.wall -= 2 * HOUR
    machine.pass_(1.0)
    assert latest <= idle() <= latest + timedelta(seconds=1)


def test_a_file_that_cannot_be_written_or_read_leaves_each_process_steady(tmp_path: Path) -> None:
    machine = Machine()
    nowhere = machine.clock(tmp_path / "absent" / "clock.seen")
    before = nowhere()
    machine.wall -= HOUR
    assert nowhere() == before
    (tmp_path / "spoiled").write_text("no time at all")
    assert machine.clock(tmp_path / "spoiled")() == machine.wall


def test_a_step_back_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    clock()
    machine.wall -= HOUR
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock()
    assert [each.msg for each in caplog.records] == ["clock_went_back"]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e5, 1e5)), max_size=30))
def test_it_never_goes_back(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    told = [clock()]
    for passed, jump in steps:
        machine.pass_(passed)
        machine.wall += timedelta(seconds=jump)
        told.append(clock())
    assert told == sorted(told)
