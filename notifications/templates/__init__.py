"""Versioned texts of inbox messages. Push texts are not here: they are fixed in the channel and name
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from string import Formatter

from notifications.errors import BadTemplate
from notifications.languages import spoken_of
from notifications.strict import Doc, text, whole

_FIELDS = frozenset({"programme", "day"})
Text = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Texts:
    """One version of all reminder texts. Versions are never edited: a new wording is a new file."""

    name: str
    texts: Mapping[str, Mapping[str, Text]]

    def render(self, topic: str, phase: str, locale: str, programme: str, day: date) -> tuple[str, str]:
        """Title and body, in the nearest language there is. Days are shown dd/MM/yyyy.

        Raises BadTemplate if the topic and phase have no text.
        """
        found = self.texts.get(f"{topic}.{phase}")
        if found is None:
            raise BadTemplate(f"no text for {topic}.{phase}")
        values = {"programme": programme, "day": day.strftime("%d/%m/%Y")}
        spoken = spoken_of(found, locale)
        return spoken["title"].format(**values), spoken["body"].format(**values)


def read_texts(raw: str | bytes) -> Texts:
    """Read strictly both ways: a placeholder we do not fill, or a body that leaves one unused, is refused."""
    doc = Doc("templates", json.loads(raw))
    name = f"{doc.take('id', text)}.v{doc.take('version', whole)}"
    found = doc.take("texts", lambda rows: {key: _by_locale(key, row) for key, row in rows.items()})
    doc.done()
    return Texts(name, found)


def load_texts(name: str = "reminder.v2") -> Texts:
    """One shipped version."""
    return read_texts(files(__name__).joinpath(f"{name}.json").read_bytes())


def _by_locale(key: str, row: Mapping[str, Text]) -> Mapping[str, Text]:
    if not {"vi", "en"} <= set(row):
        raise BadTemplate(f"{key}: texts in vi and en were expected")
    for one in row.values():
        if set(one) != {"title", "body"}:
            raise BadTemplate(f"{key}: title and body were expected")
        asked = _asked(one["title"]) | _asked(one["body"])
        if not asked <= _FIELDS or _asked(one["body"]) != _FIELDS:
            raise BadTemplate(f"{key}: placeholders do not match")
    return {locale: dict(one) for locale, one in row.items()}


def _asked(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
