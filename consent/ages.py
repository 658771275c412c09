"""Ages that change what a person may do alone. The numbers are data: `ages.json`, cited there.

An age is reached with the first second of the birthday in Vietnam, whatever the zone of a server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib import resources
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True)
class Ages:
    """Years of age from which: a child co-consents, has an own account, is of full age."""

    source: str
    valid_from: str
    co_consent: int
    own_account: int
    full_age: int


def load_ages() -> Ages:
    """The ages in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("consent").joinpath("ages.json").read_text(encoding="utf-8")
    return Ages(**json.loads(text))


AGES = load_ages()


def birthday(born: date, years: int) -> date:
    """The day somebody reaches that age; for 29 February it is 1 March in common years."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def has_reached(born: date, years: int, day: date) -> bool:
    """Whether somebody is that old on that (Vietnamese) day; from the birthday's first second on."""
    return birthday(born, years) <= day


def reached_at(born: date, years: int) -> datetime:
    """The first instant of that age, UTC: midnight in Vietnam as the birthday begins."""
    return datetime.combine(birthday(born, years), time(0), VIETNAM).astimezone(UTC)
