"""Names that look like another's: compared as the eye compares them, not as they are spelt (UTS #39).

A flag accuses nobody: two real stations may have names that differ by one mark. It makes a registrar look,
and until one has looked the citizen is shown that the organisation is not verified, and whom it resembles.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources

_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


@dataclass(frozen=True)
class Confusables:
    """What looks like what. `pairs` are two letters that look like one."""

    source: str
    letters: dict[str, str]
    pairs: dict[str, str]


@cache
def confusables() -> Confusables:
    """The list in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("confusables.json").read_text(encoding="utf-8")
    return Confusables(**json.loads(text))


def latin_words(name: str) -> str:
    """A name in the letters that it shows to the eye, without marks, its words kept apart."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    letters = confusables().letters
    shown = "".join(letters.get(each, each) for each in unicodedata.normalize("NFKD", plain))
    bare = "".join(each for each in shown if not unicodedata.combining(each))
    return "".join(letters.get(each, each) for each in bare)


def skeleton(name: str) -> str:
    """What two names have in common that look the same: letters alone, marks, blanks and signs left out."""
    text = "".join(each for each in latin_words(name) if each.isalnum())
    for pair, one in confusables().pairs.items():
        text = text.replace(pair, one)
    return text


def mixes_scripts(name: str) -> bool:
    """Whether one word is written in letters of two alphabets: no honest name is."""
    return any(len(_scripts(word)) > 1 for word in unicodedata.normalize("NFKC", name).split())


def _scripts(word: str) -> set[str]:
    named = (unicodedata.name(each, "") for each in word if each.isalpha())
    return {script for name in named for script in _SCRIPTS if name.startswith(script)}
