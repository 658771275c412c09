"""Versioned sentences around reminders: the commune's session, what was missed, how many there are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from string import Formatter

from notifications.errors import BadTemplate
from notifications.languages import spoken_of
from notifications.reminders import MISSED, Reminder
from notifications.strict import Doc, text, whole
from notifications.templates import Texts

Spoken = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KindTexts:
    """One version of these sentences. Versions are never edited: a new wording is a new file."""

    name: str
    session: Spoken
    missed: Mapping[str, Mapping[str, Spoken]]
    digest: Mapping[str, Spoken]

    def message(
        self, texts: Texts, row: Reminder, language: str, programme: str, session: date | None
    ) -> tuple[str, str]:
        """Title and body of a reminder's inbox message, with the session it should name, if any."""
        if row.phase == MISSED and row.session is not None and row.topic in self.missed:
            spoken = spoken_of(self.missed[row.topic], language)
            values = {"programme": programme, "missed": _shown(row.session)}
            title, body = spoken["title"].format(**values), spoken["body"].format(**values)
        else:
            phase = "after" if row.phase == MISSED else row.phase
            title, body = texts.render(row.topic, phase, language, programme, row.recommended)
        if session is None:
            return title, body
        return title, f"{body} {spoken_of(self.session, language).format(session=_shown(session))}"

    def heading(self, count: int, language: str) -> str:
        """What stands over the messages of a day: how many, and nothing of what they say."""
        spoken = spoken_of(self.digest, language)
        return spoken["one" if count == 1 else "many"].format(count=count)


def read_kind_texts(raw: str | bytes) -> KindTexts:
    """Read strictly: a placeholder that is not filled, or one that is left out, is refused."""
    doc = Doc("templates", json.loads(raw))
    name = f"{doc.take('id', text)}.v{doc.take('version', whole)}"
    session = doc.take("session", lambda row: _sentences(row, {"session"}))
    missed = doc.take("missed", lambda rows: {topic: _missed(row) for topic, row in rows.items()})
    digest = doc.take("digest", _digest)
    doc.done()
    return KindTexts(name, session, missed, digest)


@lru_cache(maxsize=1)
def load_kind_texts(name: str = "kind.v1") -> KindTexts:
    """The shipped version."""
    return read_kind_texts(files(__package__).joinpath(f"{name}.json").read_bytes())


def _shown(day: date) -> str:
    return day.strftime("%d/%m/%Y")


def _missed(row: Mapping[str, Spoken]) -> Mapping[str, Spoken]:
    _bilingual(row)
    for one in row.values():
        _sentences({"vi": one["body"], "en": one["body"]}, {"programme", "missed"})
        _sentences({"vi": one["title"], "en": one["title"]}, {"programme"})
    return {language: dict(one) for language, one in row.items()}


def _digest(row: Mapping[str, Spoken]) -> Mapping[str, Spoken]:
    _bilingual(row)
    for one in row.values():
        _sentences({"vi": one["one"], "en": one["many"]}, {"count"})
    return {language: dict(one) for language, one in row.items()}


def _sentences(row: Spoken, wanted: set[str]) -> Spoken:
    _bilingual(row)
    for sentence in row.values():
        if {name for _, name, _, _ in Formatter().parse(sentence) if name is not None} != wanted:
            raise BadTemplate("placeholders do not match")
    return dict(row)


def _bilingual(row: Mapping[str, object]) -> None:
    if not {"vi", "en"} <= set(row):
        raise BadTemplate("texts in vi and en were expected")
