"""Measurements: one JSON object a line with name, value, unit, goal and ok. Ratios count, not absolutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LIMIT = 20
"""How many records a measured page shows."""
PIPELINE = "BENCH_PIPELINE"
"""The variable by which the bare route is told the wallet's query, as JSON."""


@dataclass(frozen=True)
class Options:
    """What a bench may be told: how long the sustained load goes on, the data folders to compare, and how
    many citizens a nation has."""

    minutes: float = 1.0
    small: Path | None = None
    large: Path | None = None
    citizens: int = 1_000_000
