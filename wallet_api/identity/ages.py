"""Ages that change what a person may do alone. The numbers are data: `ages.json`, cited there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from importlib import resources


@dataclass(frozen=True)
class Ages:
    """Years of age from which: a child co-consents, has an own account, is of full age."""

    source: str
    co_consent: int
    own_account: int
    full_age: int


def load_ages() -> Ages:
    """The ages in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("ages.json").read_text(encoding="utf-8")
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
