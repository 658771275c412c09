"""By when a holder must have erased: periods from a cited file, each with the days it is in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any, Final

from wallet_api.rights.calendar import add_days


@dataclass(frozen=True)
class ErasurePeriod:
    """Calendar days from the day a consent ended: for the holder's own copies, and for those of others."""

    valid_from: date
    valid_to: date | None
    days: int
    with_others: int
    source: str

    def in_force(self, day: date) -> bool:
        """Whether it counts for a consent that ended on this Vietnamese day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Rules:
    """The whole file. `states`: code to its text by language."""

    periods: tuple[ErasurePeriod, ...]
    states: Mapping[str, Mapping[str, str]]

    def erase_by(self, ended: date) -> tuple[date, date]:
        """The last day for the holder's own copies, and for those of its processors and third parties.

        A day before the first period has that period's counts: a duty is never without a date.
        """
        found = next((each for each in self.periods if each.in_force(ended)), self.periods[0])
        return add_days(ended, found.days), add_days(ended, found.with_others)


def load_rules(raw: str) -> Rules:
    """Read the file.

    Raises ValueError, which stops the start, for unknown or missing members, a period without its source or
    whose counts are out of order, or no period at all.
    """
    told = json.loads(raw)
    if set(told) != {"erasure", "states"} or not told["erasure"]:
        raise ValueError("the rules of erasure: unknown or missing members")
    return Rules(tuple(_period(each) for each in told["erasure"]), told["states"])


def _period(row: dict[str, Any]) -> ErasurePeriod:
    if set(row) != {"valid_from", "valid_to", "days", "with_others", "counted", "source"}:
        raise ValueError("a period of erasure has unknown or missing members")
    last = row["valid_to"]
    period = ErasurePeriod(
        date.fromisoformat(row["valid_from"]),
        None if last is None else date.fromisoformat(last),
        row["days"],
        row["with_others"],
        row["source"],
    )
    if not (period.source and row["counted"] and 0 < period.days <= period.with_others):
        raise ValueError("a period of erasure is without its source, or its days are out of order")
    return period


RULES: Final = load_rules(files("wallet_api.events").joinpath("rules.json").read_text(encoding="utf-8"))
