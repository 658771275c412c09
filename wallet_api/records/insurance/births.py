"""Birth certificates of a facility (XML9): what one tells of a newborn child, and of whom it is the child.

All that the rest needs is `birth_facts`: whoever makes a book for the child begins there. Names, addresses
and the number of living children are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wallet_api.records.insurance.resources import Values
from wallet_api.records.insurance.values import Unreadable, instant, listed

_SEXES: Final = {"1": "nam", "2": "nữ", "3": "không xác định"}
_YES_NO: Final = {"0": "không", "1": "có"}
_ANSWERS: Final[Mapping[str, Mapping[str, str]]] = {
    "GIOI_TINH_CON": _SEXES,
    "SINHCON_PHAUTHUAT": _YES_NO,
    "SINHCON_DUOI32TUAN": _YES_NO,
}
_WHOSE: Final = frozenset({"MA_LK", "SO_CCCD_NND", "MA_THE_NND"})


@dataclass(frozen=True)
class BirthFacts:
    """A birth: when, as FHIR writes it, and what the paper tells, by element, its numbers in words."""

    when: str | None
    told: Mapping[str, str]


def birth_facts(row: Values, mother: Values) -> BirthFacts:
    """What a certificate says. `mother` is the head of the visit it came with.

    Raises:
        Unreadable: it names another mother than the visit, or its date cannot be read.
    """
    number, card = row.get("SO_CCCD_NND"), row.get("MA_THE_NND")
    cards = [each.upper() for each in listed(mother.get("MA_THE_BHYT", ""))]
    if number and mother.get("SO_CCCD", number) != number:
        raise Unreadable("visit_of_another")
    if card and cards and card.upper() not in cards:
        raise Unreadable("visit_of_another")
    told = {name: _ANSWERS.get(name, {}).get(said, said) for name, said in row.items() if name not in _WHOSE}
    return BirthFacts(instant(row.get("NGAY_SINH_CON", "")), told)
