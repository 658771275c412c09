"""Consent texts: one file a purpose, versioned, hashed, in Vietnamese and English."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from consent.errors import UnknownCode

LOCALES = ("vi", "en")


@dataclass(frozen=True)
class Notice:
    """The text a person is shown before consenting. `sha256` is over the NFC text in UTF-8."""

    purpose: str
    version: str
    locale: str
    text: str
    source: str
    valid_from: date

    @property
    def sha256(self) -> str:
        """Hex digest that a receipt carries, so that nobody can change the text afterwards."""
        return hashlib.sha256(unicodedata.normalize("NFC", self.text).encode()).hexdigest()


@cache
def notice_for(purpose: str, locale: str) -> Notice:
    """The current text for a purpose.

    Raises:
        UnknownCode: no text exists for this purpose or locale, so nobody can be asked.
    """
    path = files(__package__).joinpath(f"{purpose}.json")
    if locale not in LOCALES or not purpose.isalpha() or not path.is_file():
        raise UnknownCode("purpose", "locale")
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Notice(
        purpose=raw["purpose"],
        version=raw["version"],
        locale=locale,
        text=raw["texts"][locale],
        source=raw["source"],
        valid_from=date.fromisoformat(raw["valid_from"]),
    )
