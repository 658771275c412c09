"""The population's providers: a general hospital and commune stations in each province, and two more. Pure.

Facility codes are of the unused province 99, GLNs from the GS1 range for restricted circulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final, Literal

from wallet_api.identity.model import Licence, Organisation, Practitioner
from wallet_api.wiring.population.chance import chance, id_of
from wallet_api.wiring.population.names import given_name, surname
from wallet_api.wiring.population.people import STATIONS, Province, all_provinces

Kind = Literal["hospital", "commune_station", "insurer"]
SINCE: Final = date(2020, 1, 1)
_STAFF: Final = 4
_FIRST_CODE: Final = 99100
_CLINICAL: Final = frozenset(
    {
        "allergy",
        "checkup",
        "condition",
        "document",
        "imaging",
        "immunization",
        "lab_result",
        "medication",
        "pregnancy",
        "procedure",
        "visit",
        "vital_sign",
    }
)
_LICENCES: Final = {
    "hospital": Licence(frozenset({"TREAT", "ETREAT"}), _CLINICAL, _CLINICAL),
    "commune_station": Licence(frozenset({"TREAT", "PUBHLTH"}), _CLINICAL, _CLINICAL),
    "insurer": Licence(
        frozenset({"HPAYMT"}),
        frozenset({"coverage", "medication", "procedure", "visit"}),
        frozenset({"coverage"}),
    ),
}
_TITLES: Final = {
    "hospital": ("BS.", "physician"),
    "commune_station": ("YS.", "assistant_physician"),
    "insurer": ("GĐV.", "claims_assessor"),
}


@dataclass(frozen=True)
class Provider:
    """An organisation with its roster."""

    organisation: Organisation
    roster: tuple[Practitioner, ...]

    @property
    def id(self) -> str:
        """The organisation's id."""
        return self.organisation.id


@cache
def providers() -> tuple[Provider, ...]:
    """All of them; the same whatever the seed."""
    made: list[Provider] = []
    for province in all_provinces():
        place = province.name
        made.append(
            _provider(len(made), "hospital", f"Bệnh viện Đa khoa mẫu {place}", f"{place} Sample Hospital")
        )
        made += [
            _provider(
                len(made) + nth,
                "commune_station",
                f"Trạm Y tế mẫu {nth + 1}, {place}",
                f"{place} Sample Health Station {nth + 1}",
            )
            for nth in range(STATIONS)
        ]
    made.append(_provider(len(made), "commune_station", "Phòng tiêm chủng mẫu", "Sample Vaccination Centre"))
    made.append(_provider(len(made), "insurer", "Bảo hiểm mẫu", "Sample Insurance"))
    return tuple(made)


def hospital_of(province: Province) -> Provider:
    """The general hospital of a province."""
    return providers()[_first_of()[province.code]]


def station_of(province: Province, nth: int) -> Provider:
    """A commune station of a province."""
    return providers()[_first_of()[province.code] + 1 + nth]


def vaccination_centre() -> Provider:
    """The private vaccination centre, everywhere."""
    return providers()[-2]


@cache
def _first_of() -> dict[str, int]:
    return {province.code: place * (1 + STATIONS) for place, province in enumerate(all_provinces())}


def _provider(nth: int, kind: Kind, name_vi: str, name_en: str) -> Provider:
    code = str(_FIRST_CODE + nth)
    made = Organisation(
        id=id_of("provider", code),
        name_vi=name_vi,
        name_en=name_en,
        kind=kind,
        licence=_LICENCES[kind],
        facility_code=None if kind == "insurer" else code,
        gln=_gln(code),
        verified=True,
    )
    draw, (title, role) = chance("roster", code), _TITLES[kind]
    roster = []
    for member in range(_STAFF):
        sex = draw.choice(("male", "female"))
        name = f"{title} {surname(draw, '01')} {given_name(draw, sex, 1985, '01')}"
        roster.append(Practitioner(f"{code}-{member + 1:03d}", made.id, name, role, SINCE))
    return Provider(made, tuple(roster))


def _gln(code: str) -> str:
    """13 digits: a prefix of the restricted range, the facility code, the GS1 check digit."""
    digits = f"2990000{code}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
