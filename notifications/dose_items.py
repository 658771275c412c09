"""The doses of a programme that are given, due or to come for a person, by the immunization engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from notifications.dose_rules import Chain, ProgrammeRules, SeriesRules, rules_of
from notifications.immunization.answers import Evaluation, Progress, Reason
from notifications.immunization.evaluation import evaluate
from notifications.immunization.forecasting import window
from notifications.immunization.history import EARLY, Case
from notifications.immunization.patient import Given, Patient
from notifications.immunization.reach import age_days, gap_days
from notifications.model import (
    Because,
    Care,
    CitizenFacts,
    DueItem,
    Evidence,
    GivenDose,
    Status,
    Verdict,
    standing,
)
from notifications.schedule import Branch, Dose, Programme, Series

_ROOM = 32_768
"""Chains nobody had a dose of, remembered for a birthday and a day: about 30 MB when full."""
_VERDICTS = {
    Reason.TOO_YOUNG: Verdict.TOO_EARLY,
    Reason.TOO_SOON: Verdict.TOO_EARLY,
    Reason.TOO_OLD: Verdict.TOO_LATE,
    Reason.TOLD_TWICE: Verdict.DUPLICATE,
}


def doses_of(history: Iterable[Care]) -> tuple[Given, ...]:
    """The doses of a history for the engine, in an order that does not depend on how they came."""
    doses = [Given(c.record_id, c.given_on, c.vaccine) for c in history if isinstance(c, GivenDose)]
    return tuple(sorted(doses, key=lambda dose: (dose.on, dose.vaccine, dose.id)))


def dose_items(
    programme: Programme, facts: CitizenFacts, doses: Sequence[Given], today: date
) -> list[DueItem]:
    """Every dose of the programme's series, with status, days and reasons; `doses` as `doses_of` gives them.

    A later dose is projected from the one before it as if that came when it should, today at the earliest;
    at most one dose of a chain of series waits for nothing.
    """
    made = rules_of(programme)
    taken, touched = _taken(made, doses)
    gap = made.said.live_gap
    live = gap is not None and any(dose.vaccine in gap.vaccines for dose in doses)
    walk: _Walk | None = None
    items: list[DueItem] = []
    for chain in made.chains:
        if chain.only_begun and chain.head not in touched:
            continue
        if chain.head in touched or chain.personal or (live and chain.live):
            walk = walk or _Walk.of(made, facts, today, doses)
            items += _chain_items(walk, chain, taken)
        else:
            shut_out = tuple(o.said.eligible.refusal(facts) for o in chain.series) if chain.gated else ()
            items += _untouched(made, chain, facts.born, today, shut_out)
    return items


def _taken(made: ProgrammeRules, doses: Sequence[Given]) -> tuple[dict[str, list[Given]], set[str]]:
    """The doses each series may take, and the heads of the chains that have any."""
    taken: dict[str, list[Given]] = {}
    touched: set[str] = set()
    for dose in doses:
        for one in made.takers.get(dose.vaccine, ()):
            touched.add(one.head)
            if one.said.id in taken:
                taken[one.said.id].append(dose)
            else:
                taken[one.said.id] = [dose]
    return taken, touched


@lru_cache(maxsize=_ROOM)
def _untouched(
    made: ProgrammeRules, chain: Chain, born: date, today: date, shut_out: tuple[str | None, ...]
) -> tuple[DueItem, ...]:
    """What a chain asks of everybody of one birthday who had no dose of it: the same for all of them."""
    walk = _Walk.of(made, CitizenFacts("", born, "unknown"), today)
    walk.shut_out = shut_out or tuple(None for _ in chain.series)
    return tuple(_chain_items(walk, chain, {}))


def _chain_items(walk: _Walk, chain: Chain, taken: Mapping[str, list[Given]]) -> list[DueItem]:
    wanted: Sequence[SeriesRules] = chain.series
    if chain.personal:
        wanted = [one for one in chain.series if _is_for(one.said, walk)]
    for one in wanted:
        walk.judge(one, taken.get(one.said.id, []))
    items: list[DueItem] = []
    for at, one in enumerate(wanted):
        _series_items(walk, one, at, items)
    return items


@dataclass(slots=True)
class _Link:
    """What a later dose needs to know of the one before it."""

    waits_for: str | None = None
    last_on: date | None = None


@dataclass(slots=True)
class _Walk:
    """One pass over a programme: the series judged so far, and what each leaves to the next.

    `shut_out` holds the gate that shuts each series, where that was asked before.
    """

    made: ProgrammeRules
    facts: CitizenFacts
    case: Case
    progress: dict[str, Progress] = field(default_factory=dict)
    refused: dict[str, list[Evaluation]] = field(default_factory=dict)
    links: dict[str, _Link] = field(default_factory=dict)
    shut_out: tuple[str | None, ...] | None = None

    @classmethod
    def of(cls, made: ProgrammeRules, facts: CitizenFacts, today: date, doses: Sequence[Given] = ()) -> _Walk:
        since = {c.kind: c.starts for c in facts.conditions if c.ends is None or today < c.ends}
        patient = Patient(facts.born, facts.sex, (), since)
        return cls(made, facts, Case(made.rules, patient, today, tuple(doses)))

    def judge(self, one: SeriesRules, given: list[Given]) -> None:
        """Hold the doses against a series; those that count in the series before it are not its own."""
        before = self.progress.get(one.said.follows or "")
        if before is not None and given:
            used = {dose.id for dose in before.satisfied.values()}
            given = [dose for dose in given if dose.id not in used]
        if one.said.branch is not None and one.said.branch.at_least:
            begun = _first_time(one.said.branch, self.facts)
            given = [dose for dose in given if begun is not None and dose.on >= begun]
        counted_on = before.counted_on if before is not None and before.satisfied else None
        found = evaluate(self.case, one.rule, given=given, counted_on=counted_on)
        self.progress[one.said.id] = found
        if len(found.satisfied) < len(found.evaluations):
            self.refused[one.said.id] = [e for e in found.evaluations if e.reason in _VERDICTS]


def _is_for(series: Series, walk: _Walk) -> bool:
    """False for a branch of people with another history."""
    branch = series.branch
    if branch is None:
        return True
    first = _first_time(branch, walk.facts)
    count = sum(
        1 for d in walk.case.given if d.vaccine in branch.vaccines and (first is None or d.on < first)
    )
    return branch.at_least <= count and (branch.below is None or count < branch.below)


def _first_time(branch: Branch, facts: CitizenFacts) -> date | None:
    return min((c.starts for c in facts.conditions if c.kind == branch.before), default=None)


def _series_items(walk: _Walk, one: SeriesRules, number: int, items: list[DueItem]) -> None:
    """Add a series' doses to the items: those that counted, then the open ones in order."""
    said, progress = one.said, walk.progress[one.said.id]
    last: tuple[Evidence, ...] = ()
    for at in range(progress.index):
        given, dose = progress.satisfied[at], said.doses[at]
        last = (Evidence(given.id, given.on, given.vaccine, Verdict.COUNTED),)
        items.append(_settled(walk, said, dose, Status.GIVEN, Because("counted", last, dose.source)))
    before = walk.links.get(said.follows) if said.follows else None
    link = _Link(before.waits_for, before.last_on) if before else _Link()
    if progress.satisfied:
        link.last_on = progress.counted_on
    walk.links[said.id] = link
    if progress.index == len(said.doses):
        return
    gates = walk.shut_out
    shut_out = said.eligible.refusal(walk.facts) if gates is None else gates[number]
    progress.evaluations = _refused(walk, one)
    for at in range(progress.index, len(said.doses)):
        if shut_out is None:
            items.append(_open_item(walk, one, at, link, last))
            progress.evaluations = []
        else:
            because = Because(shut_out, (), said.doses[at].source)
            items.append(_settled(walk, said, said.doses[at], Status.NOT_ELIGIBLE, because))


def _refused(walk: _Walk, one: SeriesRules) -> list[Evaluation]:
    """Doses that did not count, told only in the series they were meant for.

    A combination product given before this series opens was meant for another one that was open; a dose the
    series before this one has refused is told there.
    """
    found = walk.refused.get(one.said.id)
    if not found:
        return []
    told = {e.dose.id for e in walk.refused.get(one.said.follows or "", ())}
    return [e for e in found if e.dose.id not in told and not _meant_for_another(walk, one, e.dose)]


def _meant_for_another(walk: _Walk, one: SeriesRules, dose: Given) -> bool:
    if _is_open(walk, one, dose.on):
        return False
    return any(o is not one and _is_open(walk, o, dose.on) for o in walk.made.takers[dose.vaccine])


def _is_open(walk: _Walk, one: SeriesRules, on: date) -> bool:
    opens = age_days(one.opens, walk.facts.born, walk.made.rules.date_rule).minimum
    return opens is None or on >= opens


def _open_item(walk: _Walk, one: SeriesRules, at: int, link: _Link, last: tuple[Evidence, ...]) -> DueItem:
    said, dose, rule = one.said, one.said.doses[at], walk.made.rules.date_rule
    programme, progress, today = walk.made.said, walk.progress[one.said.id], walk.case.today
    early = bool(progress.evaluations) and any(e.reason in EARLY for e in progress.evaluations)
    progress.counted_on = link.last_on
    found = window(walk.case, progress, one.rule.doses[at])
    earliest, recommended, expires = found.earliest, found.recommended, found.maximum
    overdue = gap_days(one.overdue[at], recommended, rule).minimum if recommended else None
    ask_from = age_days(one.ask, walk.facts.born, rule).minimum
    why = _rule_of(dose, link, early)
    status = Status.ASK_STATION
    if dose.confidence == "found":
        wanted = (earliest, recommended, overdue, expires, ask_from, link.waits_for)
        status, ended = standing(today, *wanted)
        why = ended or why
    evidence = last + tuple(_told(e) for e in progress.evaluations) if progress.evaluations else last
    item = DueItem(
        programme.id,
        said.id,
        dose.dose,
        programme.topic,
        status,
        Because(why, evidence, dose.source),
        earliest,
        recommended,
        overdue,
        expires,
        ask_from,
        link.waits_for,
    )
    if status is not Status.AGED_OUT:
        link.waits_for = f"{said.id}/{dose.dose}"
        link.last_on = today if recommended is None or recommended < today else recommended
    return item


def _rule_of(dose: Dose, link: _Link, again: bool) -> str:
    if dose.confidence != "found":
        return "not_confirmed"
    if again:
        return "repeat_after_early_dose"
    if link.waits_for is not None:
        return "waits_for_earlier_dose"
    return "age" if link.last_on is None else "age_and_interval"


def _told(seen: Evaluation) -> Evidence:
    verdict = _VERDICTS[seen.reason]
    since = seen.since if verdict is Verdict.TOO_EARLY else None
    return Evidence(seen.dose.id, seen.dose.on, seen.dose.vaccine, verdict, since)


def _settled(walk: _Walk, series: Series, dose: Dose, status: Status, because: Because) -> DueItem:
    programme = walk.made.said
    return DueItem(programme.id, series.id, dose.dose, programme.topic, status, because)
