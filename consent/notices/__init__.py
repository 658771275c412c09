"""Consent texts: one file a purpose and version, hashed, in Vietnamese and English. Old ones stay."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

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
def notice_for(purpose: str, locale: str, version: str | None = None) -> Notice:
    """A text for a purpose: the newest version unless one is named.

    Raises:
        UnknownCode: no such text exists, so nobody can be asked.
    """
    found = _texts().get((purpose, version or _newest().get(purpose, "")))
    if found is None or locale not in LOCALES:
        raise UnknownCode("purpose", "locale")
    return _notice(found, locale)


@cache
def _texts() -> dict[tuple[str, str], dict[str, Any]]:
    read = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in files(__package__).iterdir()
        if path.name.endswith(".json")
    ]
    return {(raw["purpose"], raw["version"]): raw for raw in read}


@cache
def _newest() -> dict[str, str]:
    return dict(sorted(_texts()))


def _notice(raw: dict[str, Any], locale: str) -> Notice:
    return Notice(
        purpose=raw["purpose"],
        version=raw["version"],
        locale=locale,
        text=raw["texts"][locale],
        source=raw["source"],
        valid_from=date.fromisoformat(raw["valid_from"]),
    )
