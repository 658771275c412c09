"""Rounds of a periodic programme: what is due of check-ups, follow-ups and days that were set. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from notifications.days import Span
from notifications.immunization.reach import latest, reach, soonest
from notifications.model import (
    Because,
    Care,
    CitizenFacts,
    Condition,
    DueItem,
    Evidence,
    Exam,
    SetDate,
    Status,
    Verdict,
    standing,
)
from notifications.rounds import Band, Rounds
from notifications.schedule import Programme

_YEAR = Span(years=1)
_ROOM = 65_536
"""Rounds of a programme for a birthday and a day: about 60 MB when full."""


class Visits(NamedTuple):
    """What periodic programmes look at of a history: examinations in order of day, and days that were set."""

    exams: tuple[Exam, ...]
    set_dates: tuple[SetDate, ...]


def visits_of(history: Sequence[Care]) -> Visits:
    """The visits of a history; their order does not depend on how they came."""
    exams = [care for care in history if isinstance(care, Exam)]
    if len(exams) > 1:
        exams.sort(key=lambda exam: (exam.done_on, exam.record_id))
    return Visits(tuple(exams), tuple(care for care in history if isinstance(care, SetDate)))


def periodic(programme: Programme, facts: CitizenFacts, visits: Visits, today: date) -> Sequence[DueItem]:
    """Every round of a periodic programme that was settled, is due or comes next.

    What a condition asks for ends with it, and nobody is told what was missed in a window that has closed.
    """
    rounds = programme.rounds
    if rounds is None or (rounds.of is not None and not visits.set_dates):
        return ()
    exams = tuple(exam for exam in visits.exams if exam.kind in rounds.accepts_exams)
    if not exams and rounds.of is None and programme.eligible.conditions is None:
        return _unexamined(programme, facts.born, today)
    return _walked(programme, rounds, facts, Visits(exams, visits.set_dates), today)


@lru_cache(maxsize=_ROOM)
def _unexamined(programme: Programme, born: date, today: date) -> Sequence[DueItem]:
    """What a programme without conditions asks of everybody of one birthday whom it never had examined."""
    facts, rounds = CitizenFacts("", born, "unknown"), programme.rounds
    return () if rounds is None else _walked(programme, rounds, facts, Visits((), ()), today)


def _walked(
    programme: Programme, rounds: Rounds, facts: CitizenFacts, mine: Visits, today: date
) -> Sequence[DueItem]:
    spells = _spells(programme, facts, today)
    if not spells:
        return ()
    return _ANCHORS[rounds.anchor](_Walk(programme, rounds, facts, mine, spells, today))


@dataclass(frozen=True, slots=True)
class _Spell:
    """A time [starts, ends) for which the gate of a programme is open, and what opened it."""

    starts: date | None = None
    ends: date | None = None
    condition: Condition | None = None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return () if self.condition is None else self.condition.evidence


def _spells(programme: Programme, facts: CitizenFacts, today: date) -> tuple[_Spell, ...]:
    gate, rule, born = programme.eligible, programme.date_rule, facts.born
    opens, closes = reach(born, gate.age_from, rule), reach(born, gate.age_to, rule)
    if gate.conditions is None:
        return (_Spell(opens, closes),)
    held = (each for each in facts.conditions if each.kind in gate.conditions)
    return tuple(
        _Spell(latest((opens, each.starts)), soonest((closes, each.ends)), each)
        for each in sorted(held, key=lambda one: (one.starts, one.kind, one.nth))
        if each.ends is None or today < each.ends
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """One programme over one life. `visits`: with the examinations it accepts; `spells`: when its gate is or
    will be open, at least one."""

    programme: Programme
    rounds: Rounds
    facts: CitizenFacts
    visits: Visits
    spells: tuple[_Spell, ...]
    today: date

    def item(self, number: int, rule: str, source: tuple[str, ...] = ()) -> DueItem:
        """A round still without dates."""
        programme = self.programme
        because = Because(rule, (), source or programme.source)
        return DueItem(programme.id, programme.id, number, programme.topic, Status.UPCOMING, because)

    def open(self, base: DueItem, spell: _Spell, window: tuple[date, date | None], wish: date) -> DueItem:
        """A round that is wanted in a window, best on the day of `wish`."""
        overdue = self.programme.overdue_after.after(wish, self.programme.date_rule)
        why = base.because
        because = Because(why.rule, why.evidence + spell.evidence, why.source)
        names = (base.programme_id, base.series_id, base.dose, base.topic)
        status, ended = standing(self.today, window[0], wish, overdue, window[1], None, None)
        if ended is not None:
            because = because._replace(rule=ended)
        return DueItem(*names, status, because, window[0], wish, overdue, window[1])


def _given(base: DueItem, *exams: Exam) -> DueItem:
    because = base.because._replace(evidence=tuple(map(_seen, exams)))
    return base._replace(status=Status.GIVEN, because=because)


def _seen(exam: Exam) -> Evidence:
    return Evidence(exam.record_id, exam.done_on, exam.kind, Verdict.COUNTED)


def _confirmed(item: DueItem, confidence: str) -> DueItem:
    """Only what a source confirms is pushed; of the rest the station is asked."""
    if confidence == "found" or item.status not in (Status.UPCOMING, Status.DUE, Status.OVERDUE):
        return item
    return item._replace(status=Status.ASK_STATION, because=item.because._replace(rule="not_confirmed"))


# --- calendar years ---


def _calendar_years(walk: _Walk) -> list[DueItem]:
    """This calendar year and the next. Any accepted exam in the year satisfies it."""
    this, following = _year(walk, walk.today.year), _year(walk, walk.today.year + 1)
    if this is not None and following is not None and this.status not in (Status.GIVEN, Status.AGED_OUT):
        following = following._replace(waits_for=f"{this.series_id}/{this.dose}")
    return [_confirmed(item, walk.rounds.confidence) for item in (this, following) if item is not None]


def _year(walk: _Walk, year: int) -> DueItem | None:
    base = walk.item(year, "calendar_year")
    done = next((exam for exam in walk.visits.exams if exam.done_on.year == year), None)
    if done is not None:
        return _given(base, done)
    last = next((exam for exam in reversed(walk.visits.exams) if exam.done_on.year == year - 1), None)
    if last is not None:
        base = base._replace(because=base.because._replace(evidence=(_seen(last),)))
    wish = _wish_of_year(walk, year, last)
    for spell in walk.spells:
        start = latest((date(year, 1, 1), spell.starts)) or date(year, 1, 1)
        end = soonest((date(year + 1, 1, 1), spell.ends)) or date(year + 1, 1, 1)
        if max(start, wish) < end:
            return walk.open(base, spell, (start, end), max(start, wish))
    return None


def _wish_of_year(walk: _Walk, year: int, last: Exam | None) -> date:
    if walk.rounds.month_day is not None:
        return date(year, *walk.rounds.month_day)
    rule, born = walk.programme.date_rule, walk.facts.born
    wish = _YEAR.after(last.done_on, rule) if last else Span(years=year - born.year).after(born, rule)
    return min(wish, date(year, 12, 31))


# --- windows after a birth or the start of a condition ---


def _birthday_bands(walk: _Walk) -> list[DueItem]:
    """Those that were settled, the one of this age, and the next."""
    found: dict[int, DueItem] = {}
    for spell in walk.spells:
        for item in _bands(walk, spell, walk.facts.born, 0):
            found.setdefault(item.dose, item)
            if item.earliest is not None and item.earliest > walk.today:
                break
    return [found[number] for number in sorted(found)]


def _condition_bands(walk: _Walk) -> list[DueItem]:
    found: list[DueItem] = []
    for spell in walk.spells:
        condition = spell.condition
        if condition is not None and condition.dated:
            found += _bands(walk, spell, condition.starts, condition.nth * 100)
    return found


def _bands(walk: _Walk, spell: _Spell, start: date, first: int) -> Iterator[DueItem]:
    rule = walk.programme.date_rule
    for band in walk.rounds.bands:
        opens, closes = band.opens.after(start, rule), band.closes.after(start, rule)
        if spell.starts is not None and spell.starts > opens:
            opens = spell.starts
        if spell.ends is not None and spell.ends < closes:
            closes = spell.ends
        if opens >= closes:
            continue
        done = _examined_in(walk.visits.exams, opens, closes)
        if walk.today >= closes and not done:
            continue
        base = walk.item(first + band.number, _BAND_RULES[walk.rounds.anchor], band.source)
        if len(done) >= band.count:
            yield _given(base, done[band.count - 1])
        elif walk.today < closes:
            yield _band_due(walk, spell, band, base, start, (opens, closes))


def _band_due(
    walk: _Walk, spell: _Spell, band: Band, base: DueItem, start: date, window: tuple[date, date]
) -> DueItem:
    wish = (band.recommended or band.opens).after(start, walk.programme.date_rule)
    wish = min(max(wish, window[0]), window[1] - timedelta(days=1))
    return _confirmed(walk.open(base, spell, window, wish), band.confidence)


def _examined_in(exams: Sequence[Exam], opens: date, closes: date) -> list[Exam]:
    """The first examination of each day in a window: two providers on one day are one."""
    inside = [exam for exam in exams if opens <= exam.done_on < closes]
    if len(inside) < 2:
        return inside
    by_day = {exam.done_on: exam for exam in reversed(inside)}
    return [by_day[day] for day in sorted(by_day)]


_BAND_RULES: Mapping[str, str] = {"birthday_bands": "age_band", "condition_start": "since_condition"}


# --- an interval after the last examination ---


def _after_last(walk: _Walk) -> list[DueItem]:
    """The last one, and the next: each numbered by the record of the one before it, so that an examination
    that is put right, or an older one that comes in late, moves the next one and makes no second."""
    interval, rule = walk.rounds.interval, walk.programme.date_rule
    done = _examined_in(walk.visits.exams, date.min, date.max)
    spell = walk.spells[0]
    if interval is None:
        return []
    start = latest((walk.programme.valid_from, walk.facts.born, spell.starts)) or walk.programme.valid_from
    first, *later = [1, *(number_of(exam.record_id) for exam in done[-2:])]
    number = later[-1] if later else first
    base = walk.item(number, "after_last_exam")
    found: list[DueItem] = []
    if done:
        before = later[0] if len(done) > 1 else first
        found.append(_given(walk.item(before, "after_last_exam"), done[-1]))
        base = base._replace(because=base.because._replace(evidence=(_seen(done[-1]),)))
        start = max(start, interval.after(done[-1].done_on, rule))
    if spell.ends is None or start < spell.ends:
        found.append(_confirmed(walk.open(base, spell, (start, spell.ends), start), walk.rounds.confidence))
    return found


# --- days that a provider set ---


def _set_dates(walk: _Walk) -> list[DueItem]:
    spell = walk.spells[0]
    found = (_set_date(walk, spell, each) for each in _standing(walk))
    return sorted((each for each in found if each is not None), key=lambda each: each.dose)


def _standing(walk: _Walk) -> list[SetDate]:
    """The days as they were set last; of one provider and day one, named by what told it first."""
    told = sorted(
        (each for each in walk.visits.set_dates if each.kind == walk.rounds.of),
        key=lambda each: (each.noted_on, each.record_id),
    )
    newest = {each.subject or each.record_id: each for each in told}
    by_day: dict[tuple[str, date], SetDate] = {}
    for each in told:
        lead = (each.day - each.noted_on).days
        if newest[each.subject or each.record_id] is each and lead >= walk.rounds.least_days:
            by_day.setdefault((each.by, each.day), each)
    return list(by_day.values())


def _set_date(walk: _Walk, spell: _Spell, told: SetDate) -> DueItem | None:
    over = walk.rounds.lasts.after(told.day, walk.programme.date_rule) if walk.rounds.lasts else None
    if over is not None and walk.today >= over:
        return None
    base = walk.item(number_of(told.record_id), "set_by_provider")
    came = next((exam for exam in walk.visits.exams if _keeps(walk.rounds, told, exam)), None)
    if came is not None:
        return _given(base, came)
    set_on = Evidence(told.record_id, told.noted_on, told.kind, Verdict.COUNTED)
    base = base._replace(because=base.because._replace(evidence=(set_on,)))
    return _confirmed(walk.open(base, spell, (told.noted_on, over), told.day), walk.rounds.confidence)


def _keeps(rounds: Rounds, told: SetDate, exam: Exam) -> bool:
    """Whether a visit is the one that the day was set for."""
    soon = told.day - timedelta(days=rounds.early_days)
    return told.noted_on < exam.done_on and soon <= exam.done_on and exam.by == told.by


def number_of(record_id: str) -> int:
    """The number of what follows from a record: it stays when the record is corrected and the day moves."""
    return int.from_bytes(hashlib.blake2b(record_id.encode(), digest_size=4).digest(), "big")


_ANCHORS: Mapping[str, Callable[[_Walk], list[DueItem]]] = {
    "calendar_year": _calendar_years,
    "birthday_bands": _birthday_bands,
    "condition_start": _condition_bands,
    "last_exam": _after_last,
    "set_date": _set_dates,
}
