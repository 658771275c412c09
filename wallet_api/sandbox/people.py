"""Demo people and organisations: data read from two JSON files, completed for one seed day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from wallet_api.infra.ids import id_from_bytes

Audience = Literal["citizen", "ops"]
Sex = Literal["female", "male"]
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Citizen:
    """A demo person with an account of their own."""

    id: str
    number: str
    name: str
    birth_date: date
    sex: Sex
    phone: str
    level: str
    note_vi: str
    note_en: str

    audience: Audience = "citizen"

    @property
    def claims(self) -> dict[str, object]:
        """What the identity provider says about them in an ID token."""
        return {
            "number": self.number,
            "name": self.name,
            "birthdate": self.birth_date.isoformat(),
            "gender": self.sex,
            "phone_number": self.phone,
        }


@dataclass(frozen=True)
class Dependent:
    """A demo person without an account; `guardian` is the id of the citizen who acts for them."""

    id: str
    number: str
    name: str
    birth_date: date
    sex: Sex
    guardian: str
    relation: str
    note_vi: str
    note_en: str


@dataclass(frozen=True)
class Staff:
    """Someone who works at the ops console."""

    id: str
    name: str
    roles: tuple[str, ...]
    note_vi: str
    note_en: str

    audience: Audience = "ops"
    level: str = "2"

    @property
    def claims(self) -> dict[str, object]:
        """What the identity provider says about them in an ID token."""
        return {"name": self.name, "roles": list(self.roles)}


SignIn = Citizen | Staff


@dataclass(frozen=True)
class Practitioner:
    """Someone on an organisation's roster."""

    id: str
    name: str
    role: str


@dataclass(frozen=True)
class Organisation:
    """A demo provider: `purposes`, `reads` and `writes` are its licence; an insurer has no facility code."""

    id: str
    kind: Literal["hospital", "commune_station", "insurer"]
    facility_code: str | None
    gln: str
    name_vi: str
    name_en: str
    purposes: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    practitioners: tuple[Practitioner, ...]


@dataclass(frozen=True)
class People:
    """Everybody in the demo."""

    citizens: tuple[Citizen, ...]
    dependents: tuple[Dependent, ...]
    staff: tuple[Staff, ...]

    def who_sign_in(self, audience: Audience) -> tuple[SignIn, ...]:
        """Those who may sign in to the wallet ("citizen") or to the ops console ("ops")."""
        return self.citizens if audience == "citizen" else self.staff

    def find(self, audience: Audience, person_id: str) -> SignIn | None:
        """One of those, by demo id."""
        return next((person for person in self.who_sign_in(audience) if person.id == person_id), None)


def load_people(seed_day: date) -> People:
    """The demo people with birth dates and numbers as they are when the demo begins on `seed_day`."""
    found = json.loads((_HERE / "people.json").read_text(encoding="utf-8"))
    return People(
        citizens=tuple(Citizen(**_dated(row, seed_day)) for row in found["citizens"]),
        dependents=tuple(Dependent(**_dated(row, seed_day)) for row in found["dependents"]),
        staff=tuple(Staff(**row | {"roles": tuple(row["roles"])}) for row in found["staff"]),
    )


def load_organisations() -> tuple[Organisation, ...]:
    """The demo organisations with their licences and rosters."""
    found = json.loads((_HERE / "organisations.json").read_text(encoding="utf-8"))
    return tuple(_organisation(row) for row in found["organisations"])


def number_of(province: str, sex: Sex, born: date, serial: str) -> str:
    """The 12-digit number: 3 digits province, 1 century and sex, 2 year, 6 serial.

    The fourth digit is 0/1 for men/women born in the 1900s, 2/3 in the 2000s and so on.
    """
    century = (born.year // 100 - 19) * 2 + (sex == "female")
    return f"{province}{century}{born.year % 100:02d}{serial}"


def subject_of(audience: Audience, person_id: str) -> str:
    """The `sub` this provider gives a demo person: stable, opaque, different for wallet and ops console."""
    return id_from_bytes(hashlib.sha256(f"sandbox-vneid\x1f{audience}\x1f{person_id}".encode()).digest()[:16])


def _dated(row: Mapping[str, Any], seed_day: date) -> dict[str, Any]:
    rest = dict(row)
    ago, born = rest.pop("born_days_ago", None), rest.pop("birth_date", None)
    birth_date = seed_day - timedelta(days=ago) if ago is not None else date.fromisoformat(born)
    number = number_of(rest.pop("province"), rest["sex"], birth_date, rest.pop("serial"))
    return rest | {"birth_date": birth_date, "number": number}


def _organisation(row: Mapping[str, Any]) -> Organisation:
    lists = {name: tuple(row[name]) for name in ("purposes", "reads", "writes")}
    roster = tuple(Practitioner(**one) for one in row["practitioners"])
    return Organisation(**{**row, **lists, "practitioners": roster})
