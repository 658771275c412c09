"""Workers for a country, from rates: more people need more, faster machines fewer, and never none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.sizing import Measured, Population, size
from wallet_api.cli import main

COUNTRY = Population(100_000_000)


def test_a_country_on_one_kind_of_machine() -> None:
    found = size(COUNTRY, Measured(3000.0, 200.0))
    assert found.everyday_pushes == pytest.approx(25.1, abs=0.1) and found.everyday_workers == 2
    assert found.campaign_pushes == pytest.approx(2778, abs=1) and found.campaign_workers == 2
    assert found.quotas == 1 and found.planning_workers == 1 and found.connections == 6
    in_an_hour = size(Population(100_000_000, campaign_hours=1.0), Measured(3000.0, 200.0))
    assert (in_an_hour.campaign_workers, in_an_hour.quotas) == (16, 4)


@given(st.integers(1, 10**9), st.floats(1, 1e5), st.floats(1, 1e5))
def test_workers_always_suffice(citizens: int, pushes: float, plans: float) -> None:
    people = Population(citizens)
    found = size(people, Measured(pushes, plans))
    useful = pushes * (1 - people.spare) * (1 + 1e-9)
    assert found.campaign_workers * useful >= found.everyday_pushes + found.campaign_pushes
    assert found.everyday_workers * useful >= found.everyday_pushes and found.everyday_workers >= 2


@pytest.mark.parametrize(
    "over", [{"citizens": 0}, {"citizens": 1, "window_hours": 0}, {"citizens": 1, "spare": 1}]
)
def test_nonsense_is_refused(over: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        size(Population(**over), Measured(1.0, 1.0))  # type: ignore[arg-type]  # the point of the test


def test_the_command_tells(capsys: pytest.CaptureFixture[str]) -> None:
    rates = ["--pushes-per-second", "3000", "--plans-per-second", "200"]
    assert main(["reminders", "size", *rates]) == 0
    out = capsys.readouterr().out
    assert "100,000,000 citizens" in out and "2 workers" in out and "WALLET_PUSH_RATE=9000" in out
    assert main(["reminders", "size", "--citizens", "0", *rates]) == 1
