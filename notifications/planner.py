"""What is due for a citizen, and why. Pure: no store, clock or network; words follow CDC CDSi."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

from notifications.conditions import with_conditions
from notifications.dose_items import dose_items, doses_of
from notifications.model import Care, CitizenFacts, DueItem, day_of
from notifications.one_year import Rounds, in_one_year
from notifications.periodic import Visits, periodic, visits_of
from notifications.schedule import Programme

_ROOM = 65_536
"""Birthdays on a day, with the rounds of who was never examined: about 100 MB when full."""


def plan(
    facts: CitizenFacts, history: Sequence[Care], programmes: Iterable[Programme], today: date
) -> tuple[DueItem, ...]:
    """Every dose and round of the programmes in force, with status, dates and reasons.

    The order of `history` does not matter, and care after `today` is not seen. Nothing is planned for the
    dead, or for a person outside a programme's ages. At most one dose of a chain of series waits for
    nothing.
    """
    if facts.deceased:
        return ()
    past = [care for care in history if day_of(care) <= today]
    facts, doses, visits = with_conditions(facts, past), doses_of(past), visits_of(past)
    concerned = [each for each in programmes if _concerns(each, facts, today)]
    rounds = _rounds(tuple(each for each in concerned if each.rounds is not None), facts, visits, today)
    items: list[DueItem] = []
    for programme in concerned:
        if programme.rounds is None:
            items += dose_items(programme, facts, doses, today)
        else:
            items += rounds[programme]
    return tuple(items)


def _rounds(programmes: tuple[Programme, ...], facts: CitizenFacts, visits: Visits, today: date) -> Rounds:
    if not (visits.exams or visits.set_dates or facts.conditions):
        return _rounds_of_the_unseen(programmes, facts.born, today)
    return in_one_year({each: periodic(each, facts, visits, today) for each in programmes}, today)


@lru_cache(maxsize=_ROOM)
def _rounds_of_the_unseen(programmes: tuple[Programme, ...], born: date, today: date) -> Rounds:
    """What everybody of one birthday is asked for of whom no visit and no condition is known."""
    facts, visits = CitizenFacts("", born, "unknown"), visits_of(())
    return in_one_year({each: periodic(each, facts, visits, today) for each in programmes}, today)


def _concerns(programme: Programme, facts: CitizenFacts, today: date) -> bool:
    """Whether a programme in force is for somebody; what rules out most people is asked first."""
    gate = programme.eligible
    if gate.conditions is not None and not _in_a_condition(gate.conditions, facts, today):
        return False
    if not programme.in_force(today) or today < facts.born or gate.refusal(facts) is not None:
        return False
    upper = gate.age_to
    return upper is None or today < upper.after(facts.born, programme.date_rule)


def _in_a_condition(wanted: frozenset[str], facts: CitizenFacts, today: date) -> bool:
    """Whether one of the conditions holds today or is yet to begin."""
    return any(c.kind in wanted and (c.ends is None or today < c.ends) for c in facts.conditions)
