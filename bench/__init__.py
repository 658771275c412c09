"""Measurements: one JSON object a line with name, value, unit, goal and ok. Ratios count, not absolutes."""

from __future__ import annotations

LIMIT = 20
"""How many records a measured page shows."""
PIPELINE = "BENCH_PIPELINE"
"""The variable by which the bare route is told the wallet's query, as JSON."""
