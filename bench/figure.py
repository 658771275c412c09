"""One measured figure."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """A figure with what it should be; `ok` is None where there is no goal."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    ok: bool | None = None

    def line(self) -> str:
        """As one line of JSON."""
        verdict = {} if self.ok is None else {"verdict": "PASS" if self.ok else "MISS"}
        return json.dumps(asdict(self) | {"value": float(f"{self.value:.4g}")} | verdict)


def at_least(name: str, value: float, unit: str, goal: float) -> Figure:
    """A figure that should be this high."""
    return Figure(name, value, unit, f">= {goal:g}", value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Figure:
    """A figure that should be this low."""
    return Figure(name, value, unit, f"<= {goal:g}", value <= goal)


def rate(call: Callable[[], object], *, seconds: float = 0.4, rounds: int = 7) -> float:
    """Calls a second in this process: the median of some rounds."""
    return statistics.median(_one_rate(call, seconds) for _ in range(rounds))


def _one_rate(call: Callable[[], object], seconds: float) -> float:
    count, began = 0, time.perf_counter()
    until = began + seconds
    while time.perf_counter() < until:
        for _ in range(100):
            call()
        count += 100
    return count / (time.perf_counter() - began)
