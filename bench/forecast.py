"""forecast(): full Vietnamese forecasts a second in one process, on children like the nation's; no database.

Each round plans the same children on another day, so that nothing of a day is remembered from the round
before. What is shared is what a nation shares, birthdays: here about nine children have the same one, as
in a district, in the nation thousands.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random

from bench import Options
from bench.figure import Figure, at_least
from notifications.model import Care, CitizenFacts, GivenDose
from notifications.planner import plan
from notifications.programmes import load_programmes
from notifications.schedule import Programme

_FIRST_DAY = date(2026, 11, 20)
_CHILDREN, _ROUNDS, _DAYS_OF_CHILDHOOD = 20_000, 5, 6 * 365
_TAKEN, _LATEST = 0.85, 20
_DOSES = (
    ("hepb_mono", 0),
    ("bcg", 2),
    ("dtwp_hepb_hib", 62),
    ("bopv", 62),
    ("dtwp_hepb_hib", 95),
    ("bopv", 95),
    ("dtwp_hepb_hib", 128),
    ("bopv", 128),
    ("ipv", 155),
    ("measles", 280),
    ("ipv", 282),
    ("je_inactivated", 370),
    ("je_inactivated", 380),
    ("mr", 560),
    ("dtwp", 560),
    ("je_inactivated", 750),
)
_Life = tuple[CitizenFacts, Sequence[Care]]


def figures(_: Options) -> Iterator[Figure]:
    """Whole plans: judged doses, every series of every dose programme, projected doses and reasons."""
    lives = _lives(Random(7))  # noqa: S311 - made-up children, no secret
    programmes = [each for each in load_programmes() if each.kind == "dose_series"]
    _round(lives, programmes, _FIRST_DAY)
    rates = [_round(lives, programmes, _FIRST_DAY + timedelta(days=day)) for day in range(1, _ROUNDS + 1)]
    yield at_least("forecast", statistics.median(rates), "forecasts/s", 5000)
    yield Figure("forecast_slowest_round", min(rates), "forecasts/s")
    items = [len(plan(facts, care, programmes, _FIRST_DAY)) for facts, care in lives]
    yield Figure("forecast_items", statistics.mean(items), "doses per forecast")


def _round(lives: Sequence[_Life], programmes: Sequence[Programme], today: date) -> float:
    """Forecasts a second of processor time: other work on the machine is not the engine's."""
    began = time.process_time()
    for facts, care in lives:
        plan(facts, care, programmes, today)
    return len(lives) / (time.process_time() - began)


def _lives(chance: Random) -> list[_Life]:
    """Children under six, each dose taken or missed, some days or weeks late."""
    return [_life(number, chance) for number in range(_CHILDREN)]


def _life(number: int, chance: Random) -> _Life:
    age = chance.randrange(_DAYS_OF_CHILDHOOD)
    born = _FIRST_DAY - timedelta(days=age)
    care = [
        GivenDose(vaccine, None, born + timedelta(days=day + chance.randrange(_LATEST)), f"{number}-{at}")
        for at, (vaccine, day) in enumerate(_DOSES)
        if day + _LATEST < age and chance.random() < _TAKEN
    ]
    return CitizenFacts(str(number), born, "female" if number % 2 else "male"), care
