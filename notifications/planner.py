"""What is due for a citizen, and why. Pure: no store, clock or network; words follow CDC CDSi."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from notifications.days import Span
from notifications.dose_items import dose_items, doses_of
from notifications.immunization.reach import latest, reach
from notifications.model import WANTED, Because, Care, CitizenFacts, DueItem, Evidence, Exam, Status, Verdict
from notifications.schedule import Programme

_YEAR = Span(years=1)


def plan(
    facts: CitizenFacts, history: Sequence[Care], programmes: Iterable[Programme], today: date
) -> tuple[DueItem, ...]:
    """Every dose and yearly check-up of the programmes in force, with status, dates and reasons.

    The order of `history` does not matter, and care after `today` is not seen. Nothing is planned for the
    dead, or for a person outside a programme's ages. At most one dose of a chain of series waits for
    nothing.
    """
    if facts.deceased:
        return ()
    past = [care for care in history if _day_of(care) <= today]
    doses = doses_of(past)
    items: list[DueItem] = []
    for programme in programmes:
        if programme.in_force(today) and _concerns(programme, facts, today):
            if programme.kind == "dose_series":
                items += dose_items(programme, facts, doses, today)
            else:
                items += _periodic(programme, facts, past, today)
    return tuple(items)


def _day_of(care: Care) -> date:
    return care.done_on if isinstance(care, Exam) else care.given_on


def _concerns(programme: Programme, facts: CitizenFacts, today: date) -> bool:
    gate, rule = programme.eligible, programme.date_rule
    upper = reach(facts.born, gate.age_to, rule)
    ages = facts.born <= today and (upper is None or today < upper)
    return ages and gate.refusal(facts) is None and _in_a_condition(gate.conditions, facts, today)


def _in_a_condition(wanted: frozenset[str] | None, facts: CitizenFacts, today: date) -> bool:
    """Whether one of the conditions holds today or is yet to begin."""
    held = (each for each in facts.conditions if wanted is not None and each.kind in wanted)
    return wanted is None or any(each.ends is None or today < each.ends for each in held)


def _periodic(
    programme: Programme, facts: CitizenFacts, history: Sequence[Care], today: date
) -> list[DueItem]:
    """This calendar year and the next. Any accepted exam in the year satisfies it."""
    exams = sorted(
        (c for c in history if isinstance(c, Exam) and c.kind in programme.accepts_exams),
        key=lambda exam: (exam.done_on, exam.record_id),
    )
    this = _year(programme, facts, exams, today.year, today)
    following = _year(programme, facts, exams, today.year + 1, today)
    if this is not None and following is not None and this.status in WANTED:
        following = replace(following, waits_for=f"{this.series_id}/{this.dose}")
    return [item for item in (this, following) if item is not None]


def _year(
    programme: Programme, facts: CitizenFacts, exams: Sequence[Exam], year: int, today: date
) -> DueItem | None:
    done = next((exam for exam in exams if exam.done_on.year == year), None)
    base = DueItem(programme.id, programme.id, year, programme.topic, Status.UPCOMING, Because(""))
    if done is not None:
        return replace(
            base, status=Status.GIVEN, because=Because("calendar_year", (_seen(done),), programme.source)
        )
    rule = programme.date_rule
    start = latest((date(year, 1, 1), reach(facts.born, programme.eligible.age_from, rule)))
    end = date(year + 1, 1, 1)
    if start is None or start >= end:
        return None
    last = next((exam for exam in reversed(exams) if exam.done_on.year == year - 1), None)
    wished = (
        _YEAR.after(last.done_on, rule)
        if last
        else Span(years=year - facts.born.year).after(facts.born, rule)
    )
    recommended = min(max(wished, start), end - timedelta(days=1))
    because = Because("calendar_year", (_seen(last),) if last else (), programme.source)
    overdue = programme.overdue_after.after(recommended, rule)
    dated = replace(
        base, because=because, earliest=start, recommended=recommended, overdue=overdue, expires=end
    )
    return dated.seen_on(today)


def _seen(exam: Exam) -> Evidence:
    return Evidence(exam.record_id, exam.done_on, exam.kind, Verdict.COUNTED)
