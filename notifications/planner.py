"""What is due for a citizen, and why. Pure: no store, clock or network; words follow CDC CDSi."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from notifications.conditions import with_conditions
from notifications.dose_items import dose_items, doses_of
from notifications.immunization.reach import reach
from notifications.model import Care, CitizenFacts, DueItem, day_of
from notifications.one_year import in_one_year
from notifications.periodic import periodic
from notifications.schedule import Programme


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
    facts, doses = with_conditions(facts, past), doses_of(past)
    concerned = [p for p in programmes if p.in_force(today) and _concerns(p, facts, today)]
    items: list[DueItem] = []
    for programme in concerned:
        if programme.kind == "dose_series":
            items += dose_items(programme, facts, doses, today)
        else:
            items += periodic(programme, facts, past, today)
    return in_one_year(items, concerned, today)


def _concerns(programme: Programme, facts: CitizenFacts, today: date) -> bool:
    gate = programme.eligible
    if gate.refusal(facts) is not None or not _in_a_condition(gate.conditions, facts, today):
        return False
    upper = reach(facts.born, gate.age_to, programme.date_rule)
    return facts.born <= today and (upper is None or today < upper)


def _in_a_condition(wanted: frozenset[str] | None, facts: CitizenFacts, today: date) -> bool:
    """Whether one of the conditions holds today or is yet to begin."""
    held = (each for each in facts.conditions if wanted is not None and each.kind in wanted)
    return wanted is None or any(each.ends is None or today < each.ends for each in held)
