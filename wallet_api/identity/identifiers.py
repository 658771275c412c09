"""The numbers people are known by: their form, their look-up key, how they are shown."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from wallet_api.identity.errors import BadIdentifier
from wallet_api.identity.model import Identifier, IdentifierKind, MaskedIdentifier, Sex

_NATIONAL_ID = re.compile(r"[0-9]{12}")
_INSURANCE = re.compile(r"(?:[A-Z]{2}[1-5][0-9]{2})?[0-9]{10}")
_BIRTH_REFERENCE = re.compile(r"SS[A-Z2-7]{16}")
_FORMS = {
    "national_id": _NATIONAL_ID,
    "insurance_number": _INSURANCE,
    "birth_reference": _BIRTH_REFERENCE,
}
_SHOWN = 4


def normal_form(kind: IdentifierKind, value: str) -> str:
    """The number as stored: no blanks, upper case.

    A national number has 12 digits. An insurance number has 10 digits (the social-insurance number) or
    15 characters (group, benefit, province, then those 10 digits). A birth reference is `SS` and 16 letters
    or digits, so that nobody takes it for a number.

    Raises:
        BadIdentifier: it has another form.
    """
    text = unicodedata.normalize("NFC", value).strip().upper()
    if not _FORMS[kind].fullmatch(text):
        raise BadIdentifier(f"not the form of a {kind}")
    return text


def look_up_key(kind: IdentifierKind, value: str) -> str:
    """What two writings of the same number have in common: an insurance card's last 10 digits.

    Raises:
        BadIdentifier: the number has another form.
    """
    text = normal_form(kind, value)
    return text[-10:] if kind == "insurance_number" else text


def fits_person(number: str, sex: Sex, born: date) -> bool:
    """Whether a 12-digit number's century, sex and year digits agree with the person.

    A disagreement is a hint, never a refusal: numbers outlive corrections of sex and birth year.
    """
    century, female = divmod(int(number[3]), 2)
    if born.year // 100 != 19 + century or born.year % 100 != int(number[4:6]):
        return False
    return sex not in ("male", "female") or female == (sex == "female")


def masked(identifier: Identifier) -> MaskedIdentifier:
    """The identifier with all but its last four characters hidden."""
    hidden = "•" * (len(identifier.value) - _SHOWN) + identifier.value[-_SHOWN:]
    return MaskedIdentifier(identifier.kind, hidden, identifier.valid_from, identifier.valid_to)
