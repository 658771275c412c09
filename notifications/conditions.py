"""Conditions of a person as dated facts, made of what single records tell. Pure.

Most conditions are intervals that may overlap and are joined. A pregnancy is an episode: whatever speaks of
the same one gives one condition, begun on its last period as the newest estimate has it, and over at its
end, or when no pregnancy lasts longer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from notifications.days import Span
from notifications.model import Care, CitizenFacts, Condition, Evidence, Sign, Verdict
from notifications.strict import Doc, flag, names, rows, span, text, texts, title

_OWNER: Final = "conditions"
_SAME_EPISODE: Final = timedelta(days=90)
"""Estimates of one pregnancy's start differ by less; starts of two pregnancies by more (our choice)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One condition: how it is known, and how much may be said of it.

    `stated`: people may say it of themselves. `sensitive`: no title or text may tell it. `seen_for`: how long
    a record that tells no end tells of it. `episode`: how long it lasts at most. `icd10`, `groups`: code
    prefixes, and subject groups of check-ups (DOI_TUONG), that tell of it.
    """

    id: str
    title: Mapping[str, str]
    stated: bool
    sensitive: bool
    seen_for: Span | None = None
    episode: Span | None = None
    icd10: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()

    def seen_until(self, day: date) -> date | None:
        """First day on which a record of this day tells nothing more."""
        return None if self.seen_for is None else self.seen_for.after(day)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every condition, by id, and what a programme is called that would tell of a sensitive one."""

    by_id: Mapping[str, Kind]
    discreet_title: Mapping[str, str]

    @property
    def stated(self) -> tuple[str, ...]:
        """What people may say of themselves."""
        return tuple(sorted(kind.id for kind in self.by_id.values() if kind.stated))


@cache
def kinds() -> Kinds:
    """The shipped file, read strictly."""
    return read_kinds(files("notifications").joinpath("conditions.json").read_bytes())


def read_kinds(raw: str | bytes) -> Kinds:
    """Read a file of conditions. A misspelt or repeated one is BadProgramme."""
    doc = Doc(_OWNER, json.loads(raw))
    doc.take("id", text)
    doc.take("source", texts)
    discreet = doc.take("discreet_title", title)
    found = doc.take("conditions", lambda value: rows(value, _kind))
    doc.done()
    names([kind.id for kind in found])
    return Kinds({kind.id: kind for kind in found}, discreet)


def _kind(row: object) -> Kind:
    doc = Doc(_OWNER, row)
    found = Kind(
        id=doc.take("id", text),
        title=doc.take("title", title),
        stated=doc.take("stated", flag),
        sensitive=doc.take("sensitive", flag),
        seen_for=doc.maybe("seen_for", span),
        episode=doc.maybe("episode", span),
        icd10=tuple(sorted(doc.maybe("icd10", names) or ())),
        groups=doc.maybe("groups", names) or frozenset(),
    )
    doc.done()
    return found


def with_conditions(facts: CitizenFacts, history: Iterable[Care]) -> CitizenFacts:
    """The same facts with the conditions that the history tells of."""
    signs = [care for care in history if isinstance(care, Sign)]
    return replace(facts, conditions=facts.conditions + conditions_of(signs)) if signs else facts


def conditions_of(signs: Iterable[Sign]) -> tuple[Condition, ...]:
    """What the signs tell, in order of kind and time; the order in which they come does not matter."""
    by_kind: dict[str, list[Sign]] = {}
    for sign in sorted(signs, key=lambda one: (one.noted_on, one.record_id, one.starts or one.noted_on)):
        by_kind.setdefault(sign.kind, []).append(sign)
    found: list[Condition] = []
    for name in sorted(by_kind):
        kind = kinds().by_id.get(name)
        episode = kind.episode if kind else None
        found += _joined(by_kind[name]) if episode is None else _episodes(by_kind[name], episode)
    return tuple(found)


def _noted(sign: Sign) -> Evidence:
    return Evidence(sign.record_id, sign.noted_on, sign.kind, Verdict.NOTED)


def _joined(signs: Sequence[Sign]) -> list[Condition]:
    """Intervals that overlap or touch become one."""
    found: list[Condition] = []
    for sign in sorted(signs, key=lambda one: one.starts or one.noted_on):
        starts = sign.starts or sign.noted_on
        if not sign.present or (sign.ends is not None and sign.ends <= starts):
            continue
        last = found[-1] if found else None
        if last is None or (last.ends is not None and last.ends < starts):
            found.append(Condition(sign.kind, starts, sign.ends, len(found) + 1, True, (_noted(sign),)))
            continue
        ends = None if last.ends is None or sign.ends is None else max(last.ends, sign.ends)
        found[-1] = replace(last, ends=ends, evidence=(*last.evidence, _noted(sign)))
    return found


def _episodes(signs: Sequence[Sign], longest: Span) -> list[Condition]:
    closed = sorted({sign.ends for sign in signs if sign.ends is not None})
    dated = [sign for sign in signs if sign.present and sign.starts is not None]
    groups = _same_episode(dated, closed)
    spans = [(_newest(group), _over(_newest(group), closed, longest), group, True) for group in groups]
    rest = [sign for sign in signs if sign.present and sign.starts is None]
    loose: list[list[Sign]] = []
    for sign in rest:
        within = next((one for one in spans if one[0] <= sign.noted_on < one[1]), None)
        if within is not None:
            within[2].append(sign)
        elif loose and sign.noted_on < _over(loose[-1][0].noted_on, closed, longest):
            loose[-1].append(sign)
        else:
            loose.append([sign])
    spans += [(g[0].noted_on, _over(g[0].noted_on, closed, longest), g, False) for g in loose]
    return [
        Condition(signs[0].kind, starts, ends, nth, exact, tuple(map(_noted, group)))
        for nth, (starts, ends, group, exact) in enumerate(sorted(spans, key=lambda one: one[:2]), start=1)
    ]


def _same_episode(dated: Sequence[Sign], closed: Sequence[date]) -> list[list[Sign]]:
    groups: list[list[Sign]] = []
    begun = date.min
    for sign in sorted(dated, key=lambda one: (one.starts or one.noted_on, one.noted_on, one.record_id)):
        starts = sign.starts or sign.noted_on
        ended = any(begun < day <= starts for day in closed)
        if not groups or ended or starts - begun >= _SAME_EPISODE:
            groups.append([])
            begun = starts
        groups[-1].append(sign)
    return groups


def _newest(group: Sequence[Sign]) -> date:
    """The start as it was estimated last."""
    best = max(group, key=lambda one: (one.noted_on, one.record_id))
    return best.starts or best.noted_on


def _over(starts: date, closed: Sequence[date], longest: Span) -> date:
    last = longest.after(starts)
    return next((day for day in closed if starts < day < last), last)
