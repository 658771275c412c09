"""Whether a text says a word: for words so short that a random id spells them now and then."""

from __future__ import annotations

import re

_OF_AN_ID = r"[A-Za-z0-9_-]"


def says(text: str, word: str) -> bool:
    """Whether the word stands in the text by itself.

    `HIV` amid the letters of an id (`...ZpEHIVqu...`) tells nobody anything, and of some thousand random
    letters one in a hundred texts has it.
    """
    return re.search(f"(?<!{_OF_AN_ID}){re.escape(word)}(?!{_OF_AN_ID})", text) is not None
