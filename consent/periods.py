"""How long consents may last and when they are looked at again: data with sources, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files


@dataclass(frozen=True)
class Periods:
    """The bounds in force."""

    longest_grant: timedelta
    longest_standing: timedelta
    review_after: timedelta


def load_periods() -> Periods:
    """Read `periods.json`.

    Raises:
        ValueError: a period names no source or is not positive; such a product must not start.
    """
    raw = json.loads(files("consent").joinpath("periods.json").read_text(encoding="utf-8"))["periods"]
    if not all(each["source"] and each["days"] > 0 for each in raw.values()):
        raise ValueError("periods.json is not usable")
    named = ("longest_grant_days", "longest_standing_days", "review_after_days")
    return Periods(*(timedelta(days=raw[name]["days"]) for name in named))


PERIODS = load_periods()
