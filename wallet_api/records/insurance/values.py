"""Reading the values of a visit file: what is not certain stays a text or is refused, never guessed."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from decimal import Decimal

from wallet_api.infra.clock import VIETNAM
from wallet_api.infra.strict_json import clean_text
from wallet_api.records.model import PartialDate

_ICD10 = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9A-Z]{1,4})?")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:[.,][0-9]{1,8})?")
_GARBLED = re.compile(
    "Ã[\u00a0-\u00bf]|Æ[°¡]|Ä[\u0090\u0091‘]|\ufffd|(?:áº|á»)[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
)
"""What UTF-8 read as Latin text, or lost altogether, leaves of Vietnamese letters."""


class Unreadable(Exception):
    """What was sent cannot be read for certain; `code` is that of the report's row."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def plain(text: str) -> str:
    """A text as it is kept: NFC, without control characters and blanks around it.

    Raises:
        Unreadable: it was read with the wrong encoding somewhere, so that what it said is lost, or piles
            up more marks than any language has.
    """
    if _GARBLED.search(text):
        raise Unreadable("text_garbled")
    kept = (each for each in text if each in "\n\t" or not unicodedata.category(each).startswith("C"))
    try:
        return clean_text("".join(kept)).strip()
    except ValueError as why:
        raise Unreadable("text_invalid") from why


def day(text: str) -> PartialDate | None:
    """A day, month or year: `yyyymmdd`, with a time or zeros behind it, zeros for what nobody knew, or ISO.

    None where it says nothing: empty, or zeros alone.

    Raises:
        Unreadable: it is in no form that can be read for certain, such as `ddmmyyyy`.
    """
    digits = text.replace("-", "") if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else text
    if not digits.strip("0"):
        return None
    if not re.fullmatch(r"[0-9]{4}(?:[0-9]{2}|[0-9]{4}|[0-9]{8}|[0-9]{10})?", digits):
        raise Unreadable("date_unreadable")
    year, month, rest = digits[:4], digits[4:6].strip("0"), digits[6:8].strip("0")
    if rest and not month:
        raise Unreadable("date_unreadable")
    parts = [year, *([digits[4:6]] if month else []), *([digits[6:8]] if rest else [])]
    try:
        return PartialDate("-".join(parts))
    except ValueError as why:
        raise Unreadable("date_unreadable") from why


def instant(text: str) -> str | None:
    """A moment as FHIR writes it, in Vietnamese time; a day alone where there is no time. None: nothing said.

    Raises:
        Unreadable: it cannot be read for certain.
    """
    known = day(text)
    if known is None or len(known.text) < len("yyyy-mm-dd") or len(text) not in (12, 14):
        return known.text if known else None
    form = "%Y%m%d%H%M%S" if len(text) == len("yyyymmddHHMMSS") else "%Y%m%d%H%M"
    try:
        return datetime.strptime(text, form).replace(tzinfo=VIETNAM).isoformat()
    except ValueError as why:
        raise Unreadable("date_unreadable") from why


def number(text: str) -> int | float | None:
    """A number if the whole text is one and JSON can say it exactly as sent; else None.

    A comma is the Vietnamese decimal point. `<5` and `4 - 6` are no numbers.
    """
    if not _NUMBER.fullmatch(text):
        return None
    exact = Decimal(text.replace(",", "."))
    if exact == exact.to_integral_value():
        return int(exact)
    close = float(exact)
    return close if Decimal(str(close)) == exact else None


def icd10(text: str) -> str | None:
    """An ICD-10 code, the marks for causes and manifestations taken off; None for what is none."""
    code = text.strip().rstrip("*†+")
    return code if _ICD10.fullmatch(code) else None


def listed(text: str) -> list[str]:
    """The parts of a list, which semicolons divide."""
    return [each.strip() for each in text.split(";") if each.strip()]
