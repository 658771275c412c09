"""Strict loader of the cited programme files in this folder: every *.json here is a programme."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from notifications.conditions import kinds
from notifications.days import DateRule
from notifications.dose_rules import rules_of
from notifications.errors import BadProgramme
from notifications.rounds import read_rounds
from notifications.schedule import Branch, Dose, Eligibility, LiveGap, Offset, Programme, Series, Vaccine
from notifications.strict import Doc, day, flag, names, one_of, span, text, texts, title, whole
from notifications.vaccines import load_vaccines

T = TypeVar("T")
TOPICS = ("vaccination", "checkup", "followup", "appointment", "refill")
"""What a person may switch off; each has its texts."""
FOLDER: Traversable = files(__name__)
"""Where the programmes are: every *.json in it is one."""


def load_programmes() -> tuple[Programme, ...]:
    """All shipped programmes in order of id. BadProgramme names the file that stops the start-up."""
    raws = [f.read_bytes() for f in FOLDER.iterdir() if f.name.endswith(".json")]
    found = sorted((read_programme(raw, load_vaccines()) for raw in raws), key=lambda p: p.id)
    _distinct("programmes", [p.id for p in found])
    _distinct("programmes", [series.id for p in found for series in p.series])
    _check_years(found)
    return tuple(found)


def _check_years(found: list[Programme]) -> None:
    """One examination a year serves all: what is served must take no other kinds than what serves."""
    by_id = {programme.id: programme.rounds for programme in found}
    for programme in found:
        rounds = programme.rounds
        if rounds is None or rounds.year_of is None:
            continue
        head = by_id.get(rounds.year_of)
        if head is None or head.anchor != "calendar_year" or head.year_of is not None:
            raise BadProgramme(programme.id, "year_of names no yearly programme")
        if not rounds.accepts_exams <= head.accepts_exams:
            raise BadProgramme(programme.id, "accepts_exams are not all accepted by year_of")


def read_programme(raw: str | bytes, vaccines: Mapping[str, Vaccine]) -> Programme:
    """Read one programme. Unknown key, repeated dose, missing source or bad duration: BadProgramme(id)."""
    try:
        value = json.loads(raw)
    except ValueError as fault:
        raise BadProgramme("?", "not JSON") from fault
    owner = str(value.get("id", "?")) if isinstance(value, dict) else "?"
    doc = Doc(owner, value)
    kind = doc.take("kind", one_of("dose_series", "periodic"))
    found = Programme(
        id=doc.take("id", text),
        kind=kind,
        topic=doc.take("topic", one_of(*TOPICS)),
        title=doc.take("title", title),
        source=doc.take("source", texts),
        status=doc.take("status", one_of("in_force", "awaiting_guidance")),
        valid_from=doc.take("valid_from", day),
        valid_to=doc.maybe("valid_to", day),
        date_rule=doc.take("date_rule", DateRule),
        overdue_after=doc.take("overdue_after", span),
        eligible=doc.take("eligible", lambda v: _eligible(owner, v)),
        offsets=doc.take("offsets", lambda v: _rows(v, lambda row: _offset(owner, row))),
        **(_doses_part(doc) if kind == "dose_series" else {}),
    )
    if kind == "periodic":
        found = replace(found, rounds=read_rounds(doc, found.eligible.conditions))
    doc.done()
    _check(found, vaccines)
    return _discreet(found)


def _discreet(programme: Programme) -> Programme:
    """The same under a name that tells nothing, where its own would tell a sensitive condition."""
    known = kinds()
    asked = programme.eligible.conditions or frozenset()
    unknown = sorted(asked - known.by_id.keys())
    if unknown:
        raise BadProgramme(programme.id, f"unknown conditions: {', '.join(unknown)}")
    if any(known.by_id[each].sensitive for each in asked):
        return replace(programme, title=known.discreet_title)
    return programme


def _doses_part(doc: Doc) -> dict[str, Any]:
    series = doc.take("series", lambda v: _rows(v, lambda row: _series(doc.owner, row)))
    return {
        "series": series,
        "repeat_after": doc.take("repeat_after", span),
        "live_gap": doc.maybe("live_gap", lambda v: _live_gap(doc.owner, v)),
    }


def _live_gap(owner: str, row: object) -> LiveGap:
    doc = Doc(owner, row)
    found = LiveGap(doc.take("vaccines", names), doc.take("interval", span), doc.take("source", texts))
    doc.done()
    return found


def _rows(value: object, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list was expected")
    return tuple(read(row) for row in value)


def _offset(owner: str, row: object) -> Offset:
    doc = Doc(owner, row)
    found = Offset(doc.take("kind", text), doc.take("days", whole))
    doc.done()
    return found


def _eligible(owner: str, row: object) -> Eligibility:
    doc = Doc(owner, row)
    found = Eligibility(
        sex=doc.take("sex", one_of("any", "female", "male")),
        age_from=doc.maybe("age_from", span),
        age_to=doc.maybe("age_to", span),
        provinces=doc.maybe("provinces", names),
        conditions=doc.maybe("conditions", names),
    )
    doc.done()
    return found


def _series(owner: str, row: object) -> Series:
    doc = Doc(owner, row)
    found = Series(
        id=doc.take("id", text),
        title=doc.take("title", title),
        antigens=doc.take("antigens", names),
        accepts=doc.take("accepts", names),
        eligible=doc.take("eligible", lambda v: _eligible(owner, v)),
        doses=doc.take("doses", lambda v: _rows(v, lambda each: _dose(owner, each))),
        follows=doc.maybe("follows", text),
        remind_until=doc.maybe("remind_until", span),
        only_begun=doc.maybe("only_begun", flag) or False,
        branch=doc.maybe("branch", lambda v: _branch(owner, v)),
        since=doc.maybe("since", text),
    )
    doc.done()
    return found


def _branch(owner: str, row: object) -> Branch:
    doc = Doc(owner, row)
    found = Branch(
        vaccines=doc.take("vaccines", names),
        at_least=doc.take("at_least", whole),
        below=doc.maybe("below", whole),
        before=doc.take("before", text),
    )
    doc.done()
    return found


def _dose(owner: str, row: object) -> Dose:
    doc = Doc(owner, row)
    spans = ("min_age", "recommended_age", "max_age", "min_interval", "recommended_interval", "overdue_after")
    found = Dose(
        dose=doc.take("dose", whole),
        confidence=doc.take("confidence", one_of("found", "partly", "unverified")),
        source=doc.take("source", texts),
        **{name: doc.maybe(name, span) for name in spans},
    )
    doc.done()
    return found


def _check(programme: Programme, vaccines: Mapping[str, Vaccine]) -> None:
    owner = programme.id
    _distinct(owner, [offset.kind for offset in programme.offsets])
    _distinct(owner, [series.id for series in programme.series])
    if programme.valid_to is not None and programme.valid_to <= programme.valid_from:
        raise BadProgramme(owner, "valid_to is not after valid_from")
    _check_known(owner, programme, vaccines)
    seen: set[str] = set()
    for series in programme.series:
        _check_series(owner, series, vaccines, seen)
        seen.add(series.id)


def _check_known(owner: str, programme: Programme, vaccines: Mapping[str, Vaccine]) -> None:
    """Vaccines that are counted or kept apart exist, and the rules can be made at all."""
    asked = set(programme.live_gap.vaccines) if programme.live_gap else set()
    for series in programme.series:
        asked |= series.branch.vaccines if series.branch else set()
    if asked - vaccines.keys():
        raise BadProgramme(owner, f"unknown vaccines: {', '.join(sorted(asked - vaccines.keys()))}")
    rules_of(programme)


def _check_series(owner: str, series: Series, vaccines: Mapping[str, Vaccine], seen: set[str]) -> None:
    where = f"{owner}/{series.id}"
    numbers = [dose.dose for dose in series.doses]
    _distinct(where, [str(number) for number in numbers])
    if numbers != sorted(numbers):
        raise BadProgramme(where, "doses are out of order")
    if any(dose.min_interval is None for dose in series.doses[1:]):
        raise BadProgramme(where, "a later dose needs min_interval, or two could be due at once")
    if any(dose.recommended_age and dose.recommended_interval for dose in series.doses):
        raise BadProgramme(where, "recommended_age and recommended_interval: name one")
    if series.follows is not None and series.follows not in seen:
        raise BadProgramme(where, "follows names no earlier series")
    for vaccine_id in series.accepts:
        vaccine = vaccines.get(vaccine_id)
        if vaccine is None or not series.antigens <= vaccine.antigens:
            raise BadProgramme(where, f"{vaccine_id} is unknown or does not cover the antigens")


def _distinct(owner: str, ids: list[str]) -> None:
    if len(ids) != len(set(ids)):
        raise BadProgramme(owner, "an id is repeated")
