"""Whether a text says a word: for words so short that a random id spells them now and then."""

from __future__ import annotations

import re

_SHORT = 4
_LETTER = "[A-Za-z0-9]"


def says(text: str, word: str) -> bool:
    """Whether the word stands in the text: anywhere, or one of up to four letters by itself.

    `HIV` amid the letters of an id (`...ZpEHIVqu...`) tells nobody anything, and of some thousand random
    letters one in a hundred texts has it.
    """
    if len(word) > _SHORT:
        return word in text
    return re.search(f"(?<!{_LETTER}){re.escape(word)}(?!{_LETTER})", text) is not None
