"""Hanging, cut, throttled, 30 % unregistered, GOAWAY, dying workers, jumping clocks: nobody is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notifications.storm import weather


@pytest.mark.parametrize("seed", [1, 2])
def test_everybody_is_reached_through_a_storm(
    seed: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "receiver.crt"))
    found = weather(tmp_path, people=200, batch=50, seed=seed)
    record_property("storm", str(found))
    assert (found.lost, found.wrong) == (0, 0), found
    assert found.gone_left == 0, "an unregistered phone was not forgotten"
    assert found.answers["gone"] >= 60 and found.goaways > 0
