"""Finding and opening the book an intake is for, at a cost that does not tell whether the person exists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from wallet_api.identity.errors import CitizenUnknown
from wallet_api.identity.identifiers import look_up_key
from wallet_api.identity.model import IdentifierKind
from wallet_api.identity.people import People
from wallet_api.infra.crypto.citizen_keys import CitizenKeys
from wallet_api.records.bundle import OF_MOTHER
from wallet_api.records.model import PartialDate
from wallet_api.records.ports import Match
from wallet_api.stores import identities, records, reminding

Reference = Callable[[str, date, int], str]
"""The reference of a newborn by the mother's number, the day and the order."""


def match_with(people: People, keys: CitizenKeys, reference: Reference) -> Match:
    """The search for a person: three reads, be it found, of another birth date, or nobody.

    `reference` names a newborn by the mother's number. A number finds whose it is or once was: a laboratory
    that knows an older one still files right.
    """

    def match(kind: str, value: str, born: PartialDate, stand_in: str) -> str | None:
        whose = people.whose(*numbered(kind, value, born, reference)) or stand_in
        # Read even when held: a key that was in use a moment ago would save a read only of who exists.
        keys.look_up(whose, identities.RETENTION_CLASS)
        try:
            return whose if born.first_day <= people.facts(whose).born <= born.last_day else None
        except CitizenUnknown:
            return None

    return match


def numbered(kind: str, value: str, born: PartialDate, reference: Reference) -> tuple[IdentifierKind, str]:
    """The number somebody is looked up by. Raises BadIdentifier: a mother's number has no form."""
    if kind == OF_MOTHER:
        number, _, order = value.rpartition("/")
        return "birth_reference", reference(number, born.first_day, int(order))
    return kind, value  # type: ignore[return-value]  # the bundle reader names the kinds


def normal(kind: str, value: str) -> str:
    """A number as it is compared: all writings of the same are one."""
    if kind == OF_MOTHER:
        number, _, order = value.rpartition("/")
        return f"{look_up_key('national_id', number)}/{order}"
    return look_up_key(kind, value)  # type: ignore[arg-type]  # the bundle reader names the kinds


def prepare_with(keys: CitizenKeys) -> Callable[[str], None]:
    """The opener of all keys that filing and planning seal with: one write and one read for any book."""
    return lambda book_id: keys.prepare(book_id, records.RETENTION_CLASS, reminding.RETENTION_CLASS)
