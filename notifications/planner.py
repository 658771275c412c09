"""What is due for a citizen, and why. Pure: no store, clock or network; words follow CDC CDSi."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from notifications.conditions import with_conditions
from notifications.history import Judged, age, earliest_for, expires_for, in_order, judge, latest
from notifications.model import (
    Because,
    Care,
    CitizenFacts,
    DueItem,
    Evidence,
    GivenDose,
    Status,
    Verdict,
    day_of,
)
from notifications.one_year import in_one_year
from notifications.periodic import periodic
from notifications.schedule import Dose, Programme, Series


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
    past = [care for care in history if day_of(care) <= today]
    facts = with_conditions(facts, past)
    concerned = [p for p in programmes if p.in_force(today) and _concerns(p, facts, today)]
    items: list[DueItem] = []
    for programme in concerned:
        kind = _dose_series if programme.kind == "dose_series" else periodic
        items += kind(programme, facts, past, today)
    return in_one_year(items, concerned, today)


def _concerns(programme: Programme, facts: CitizenFacts, today: date) -> bool:
    gate = programme.eligible
    if gate.refusal(facts) is not None or not _in_a_condition(gate.conditions, facts, today):
        return False
    upper = age(facts.born, gate.age_to, programme.date_rule)
    return facts.born <= today and (upper is None or today < upper)


def _in_a_condition(wanted: frozenset[str] | None, facts: CitizenFacts, today: date) -> bool:
    """Whether one of the conditions holds today or is yet to begin."""
    held = (each for each in facts.conditions if wanted is not None and each.kind in wanted)
    return wanted is None or any(each.ends is None or today < each.ends for each in held)


@dataclass(slots=True)
class _Chain:
    """What a later dose needs to know of the one before it."""

    waits_for: str | None = None
    last_on: date | None = None


@dataclass(slots=True)
class _Walk:
    """One pass over a programme: results of the series seen so far."""

    programme: Programme
    facts: CitizenFacts
    today: date
    judged: dict[str, Judged] = field(default_factory=dict)
    chains: dict[str, _Chain] = field(default_factory=dict)

    def taken_before(self, series: Series) -> Judged:
        return self.judged.get(series.follows or "", Judged())


def _dose_series(
    programme: Programme, facts: CitizenFacts, history: Sequence[Care], today: date
) -> list[DueItem]:
    walk = _Walk(programme, facts, today)
    given = in_order(history)
    for series in programme.series:
        found = judge(series, facts.born, given, walk.taken_before(series), programme.date_rule)
        walk.judged[series.id] = found
    items: list[DueItem] = []
    for series in programme.series:
        items += _series_items(walk, series, _blameless(walk, series))
    return items


def _blameless(walk: _Walk, series: Series) -> Judged:
    """Call a dose too early only in the series it was meant for.

    A combination product given before this series opens was meant for another one that was open; a dose the
    series before this one has refused is told there.
    """
    found, before = walk.judged[series.id], walk.taken_before(series)
    told = {e.record_id for e in before.refused}
    keep = (e for e in found.refused if e.record_id not in told and not _meant_for_another(walk, series, e))
    return replace(found, refused=tuple(keep))


def _meant_for_another(walk: _Walk, series: Series, seen: Evidence) -> bool:
    def is_open(one: Series) -> bool:
        opens = age(walk.facts.born, one.eligible.age_from, walk.programme.date_rule)
        return opens is None or seen.on >= opens

    others = (one for one in walk.programme.series if one is not series and seen.what in one.accepts)
    return not is_open(series) and any(is_open(one) for one in others)


def _series_items(walk: _Walk, series: Series, found: Judged) -> list[DueItem]:
    counted = [
        _item(walk, series, dose, Status.GIVEN, Because("counted", (_seen(given),), dose.source))
        for dose, given in zip(series.doses, found.counted, strict=False)
    ]
    before = walk.chains.get(series.follows or "", _Chain())
    chain = _Chain(before.waits_for, found.last_on or before.last_on)
    shut_out = series.eligible.refusal(walk.facts)
    open_doses: list[DueItem] = []
    for dose in series.doses[len(found.counted) :]:
        if shut_out is not None:
            item = _item(walk, series, dose, Status.NOT_ELIGIBLE, Because(shut_out, (), dose.source))
        else:
            item = _forecast(
                walk, series, dose, chain, found if not open_doses else replace(found, refused=())
            )
            chain = _next_link(walk, chain, item)
        open_doses.append(item)
    walk.chains[series.id] = chain
    return counted + open_doses


def _next_link(walk: _Walk, chain: _Chain, item: DueItem) -> _Chain:
    """A dose that may still come holds up the next one; one that can no longer come does not."""
    if item.status is Status.AGED_OUT:
        return chain
    projected = latest(item.recommended, walk.today)
    return _Chain(f"{item.series_id}/{item.dose}", projected)


def _forecast(walk: _Walk, series: Series, dose: Dose, chain: _Chain, found: Judged) -> DueItem:
    rule, born = walk.programme.date_rule, walk.facts.born
    repeat = walk.programme.repeat_after
    again = repeat.after(found.last_early, rule) if repeat and found.last_early else None
    earliest = latest(earliest_for(series, dose, born, chain.last_on, rule), again)
    wish = dose.recommended_interval
    spaced = wish.after(chain.last_on, rule) if wish and chain.last_on else None
    recommended = latest(earliest, age(born, dose.recommended_age, rule), spaced)
    grace = dose.overdue_after or walk.programme.overdue_after
    confirmed = dose.confidence == "found"
    item = _item(
        walk,
        series,
        dose,
        Status.UPCOMING if confirmed else Status.ASK_STATION,
        Because(_rule_of(dose, chain, again), _reasons(found), dose.source),
    )
    dated = replace(
        item,
        earliest=earliest,
        recommended=recommended,
        overdue=grace.after(recommended, rule) if recommended else None,
        expires=expires_for(series, dose, born, rule),
        ask_from=age(born, series.remind_until, rule),
        waits_for=chain.waits_for,
    )
    return dated.seen_on(walk.today)


def _rule_of(dose: Dose, chain: _Chain, again: date | None) -> str:
    if dose.confidence != "found":
        return "not_confirmed"
    if again is not None:
        return "repeat_after_early_dose"
    if chain.waits_for is not None:
        return "waits_for_earlier_dose"
    return "age" if chain.last_on is None else "age_and_interval"


def _reasons(found: Judged) -> tuple[Evidence, ...]:
    last = (_seen(found.counted[-1]),) if found.counted else ()
    return last + found.refused


def _seen(given: GivenDose) -> Evidence:
    return Evidence(given.record_id, given.given_on, given.vaccine, Verdict.COUNTED)


def _item(walk: _Walk, series: Series, dose: Dose, status: Status, because: Because) -> DueItem:
    programme = walk.programme
    return DueItem(programme.id, series.id, dose.dose, programme.topic, status, because)
