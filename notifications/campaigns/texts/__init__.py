"""Versioned texts of campaigns: fixed words in Vietnamese and English, with nothing to fill in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from notifications.errors import BadTemplate, TemplateUnknown
from notifications.model import Locale
from notifications.strict import Doc, day, one_of, text, texts, whole


@dataclass(frozen=True, slots=True)
class CampaignText:
    """One version of one text. `kinds`: what it may be sent as; `topic`: what switching off keeps away."""

    name: str
    topic: str
    kinds: tuple[str, ...]
    valid_from: str
    source: tuple[str, ...]
    words: Mapping[str, Mapping[str, str]]

    def in_words(self, locale: Locale) -> tuple[str, str]:
        """Title and body for the inbox."""
        return self.words[locale]["title"], self.words[locale]["body"]


def read_text(raw: str | bytes) -> CampaignText:
    """Read one version strictly. A brace anywhere is refused: no text of a campaign has a place to fill."""
    doc = Doc("campaign text", json.loads(raw))
    found = CampaignText(
        name=f"{doc.take('id', text)}.v{doc.take('version', whole)}",
        topic=doc.take("topic", one_of("vaccination", "checkup")),
        kinds=doc.take("kinds", texts),
        valid_from=doc.take("valid_from", day).isoformat(),
        source=doc.take("source", texts),
        words=doc.take("texts", _words),
    )
    doc.done()
    return found


def _words(value: object) -> Mapping[str, Mapping[str, str]]:
    if not isinstance(value, dict) or set(value) != {"vi", "en"}:
        raise BadTemplate("texts in vi and en were expected")
    for one in value.values():
        if set(one) != {"title", "body"} or not all(text(each) for each in one.values()):
            raise BadTemplate("title and body were expected")
        if any(mark in each for each in one.values() for mark in "{}%"):
            raise BadTemplate("a text of a campaign has nothing to fill in")
    return {locale: dict(one) for locale, one in value.items()}


@cache
def load_texts() -> Mapping[str, CampaignText]:
    """All shipped versions by name."""
    raws = [each.read_bytes() for each in files(__name__).iterdir() if each.name.endswith(".json")]
    found = [read_text(raw) for raw in raws]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def text_named(name: str) -> CampaignText:
    """One version. Raises TemplateUnknown."""
    found = load_texts().get(name)
    if found is None:
        raise TemplateUnknown(name)
    return found
