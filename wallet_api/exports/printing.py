"""A book or a visit in print: a head, the records by category, newest first, and the signature. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

from consent.codes import CATEGORIES
from wallet_api.exports.entries import Entry, words, written
from wallet_api.exports.model import Export, Locale
from wallet_api.exports.paper import Paper
from wallet_api.exports.seal import gap
from wallet_api.infra.clock import VIETNAM

_CODE: Final = 150.0
"""Points of a side of the QR code: half a millimetre a module."""
_TELL_EVERY: Final = 200
_ORDER: Final = {code: place for place, code in enumerate(CATEGORIES.codes)}


@dataclass(frozen=True)
class Cover:
    """What the head says."""

    name: str
    birth_date: date
    sex: str
    issuer: str
    made_at: datetime


def printed(export: Export, cover: Cover, entries: Sequence[Entry], step: Callable[[int], None]) -> bytes:
    """The file, with an empty gap for its signature. `step` is told per cent of the printing."""
    said = words(export.locale)
    paper = Paper(said[export.scope], f"{said['document']} {export.id}", said["page"])
    _head(paper, export, cover, len(entries))
    ordered = sorted(entries, key=lambda each: (each.day, each.record_id), reverse=True)
    ordered.sort(key=lambda each: _ORDER.get(each.category, len(_ORDER)))
    done = 0
    for category, group in groupby(ordered, key=lambda each: each.category):
        paper.heading(_category(category, export.locale))
        for each in group:
            paper.entry(each.when, each.title, each.details)
            done += 1
            if done % _TELL_EVERY == 0:
                step(100 * done // len(entries))
    paper.heading(said["seal"])
    paper.text(said["seal_how"].format(keys=f"{cover.issuer}/.well-known/card-jwks.json"), 8.0)
    paper.gap(6)
    return paper.last(gap(), _CODE)


def _head(paper: Paper, export: Export, cover: Cover, count: int) -> None:
    said = words(export.locale)
    made = cover.made_at.astimezone(VIETNAM)
    paper.heading(said[export.scope], 18.0)
    sex = said.get(cover.sex, said["unknown"])
    day = written(made.date().isoformat(), export.locale)
    paper.text(f"{said['name']}: {cover.name}", 11.0)
    paper.text(f"{said['born']}: {written(cover.birth_date.isoformat(), export.locale)}", 11.0)
    paper.text(f"{said['sex']}: {sex}", 11.0)
    paper.text(f"{said['made_at']}: {day} {made:%H:%M} (UTC+7)", 11.0)
    paper.text(f"{said['count']}: {count}", 11.0)
    if export.relation == "guardian":
        paper.text(said["by_guardian"])
    paper.gap(4)
    paper.text(said["as_of"] if count else said["nothing"], 8.5)


def _category(code: str, locale: Locale) -> str:
    found = CATEGORIES.codes.get(code)
    return code if found is None else str(getattr(found, locale))
