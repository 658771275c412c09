"""F12 at full measure: three hundred slow headers for forty seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.front import besiege, nginx
from tests.faults.plant import planted

pytestmark = [pytest.mark.soak, pytest.mark.alone]


def test_f12_three_hundred_slow_headers_for_forty_seconds(tmp_path: Path) -> None:
    with planted(tmp_path) as plant, nginx(tmp_path, plant.port) as front:
        besiege(front, connections=300, seconds=40, limit=0.1)
