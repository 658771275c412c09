"""What a source tells of the sex of a child before its birth: never kept, so nothing here can show it.

Choosing the sex of a fetus in whatever way is forbidden (Population Ordinance 06/2003/PL-UBTVQH11, Art. 7
(2)), and telling it is how that begins. A result about it is refused; a component is left out; of a text only
the sentences go that say it. What a picture or a scanned paper shows cannot be read here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

_CODES: Final = frozenset({("http://loinc.org", "11882-8")})
"""LOINC: fetal sex by ultrasound."""
_SAID = re.compile(
    r"giới\s+tính\s+(?:của\s+)?(?:thai|con\s+trong\s+bụng|em\s+bé)"
    r"|\bthai(?:\s+nhi)?(?:\s+(?:là|một|1|con|bé))*\s+(?:nam|nữ|trai|gái)\b"
    r"|\bf(?:o)?et(?:al|us)(?:['’]?s)?\s+(?:sex|gender)\b"
    r"|\b(?:sex|gender)\s+of\s+(?:the\s+)?(?:f(?:o)?etus|unborn|baby)\b"
    r"|\b(?:fe)?male\s+f(?:o)?etus\b",
    re.IGNORECASE,
)
_NEEDED: Final = ("ới", "tha", "fet", "foet", "sex", "gender")
"""One of these is in whatever `_SAID` finds; most texts have none, and the patterns take long."""
_IN_PREGNANCY = re.compile(r"\b(?:em\s+bé|bé|con)\s+(?:trai|gái)\b|\b(?:boy|girl)\b", re.IGNORECASE)
"""What says it only where a pregnancy is spoken of; elsewhere it is somebody's son or daughter."""
_SENTENCE = re.compile(r"(?<=[.;!?\n])")


def without_fetal_sex(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same without what it tells of it; None where it is about nothing else. Total: any JSON."""
    if _is_about_it(resource.get("code")):
        return None
    kept = _without(resource)
    return kept if isinstance(kept, dict) else {}


def unsaid(text: str, *, in_pregnancy: bool = False) -> str:
    """A text without the sentences that say it."""
    if not _says(text, in_pregnancy):
        return text
    return "".join(each for each in _SENTENCE.split(text) if not _says(each, in_pregnancy)).strip()


def unsaid_in_pregnancy(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The same of something that is known to be about a pregnancy: there fewer words say it."""
    kept = _without(resource, in_pregnancy=True)
    return kept if isinstance(kept, dict) else {}


def _says(text: str, in_pregnancy: bool) -> bool:
    plain = text if text.isascii() else unicodedata.normalize("NFC", text)
    if in_pregnancy and _IN_PREGNANCY.search(plain):
        return True
    folded = plain.casefold()
    return any(each in folded for each in _NEEDED) and _SAID.search(plain) is not None


def _without(value: Any, *, in_pregnancy: bool = False) -> Any:
    """The same; what is left empty by that is left out, for FHIR has nothing empty."""
    if isinstance(value, str):
        return unsaid(value, in_pregnancy=in_pregnancy)
    if isinstance(value, Mapping):
        made = {name: (each, _without(each, in_pregnancy=in_pregnancy)) for name, each in value.items()}
        return {name: kept for name, (told, kept) in made.items() if kept == told or kept not in ("", {}, [])}
    if isinstance(value, list):
        parts = [each for each in value if not (isinstance(each, Mapping) and _is_about_it(each.get("code")))]
        found = [(each, _without(each, in_pregnancy=in_pregnancy)) for each in parts]
        return [kept for told, kept in found if kept == told or kept not in ("", {}, [])]
    return value


def _is_about_it(concept: Any) -> bool:
    if not isinstance(concept, Mapping):
        return False
    codings = concept.get("coding")
    listed = [each for each in codings if isinstance(each, Mapping)] if isinstance(codings, list) else []
    told = [concept.get("text"), *(each.get("display") for each in listed)]
    coded = any((each.get("system"), each.get("code")) in _CODES for each in listed)
    return coded or any(isinstance(each, str) and _says(each, in_pregnancy=False) for each in told)
