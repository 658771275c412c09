"""Who there is: names, ages, families, places and numbers of one shard of made-up people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Final, Literal

from wallet_api.identity.ages import AGES, birthday
from wallet_api.wiring.population.chance import Weighted, chance, id_of, told
from wallet_api.wiring.population.names import given_name, surname

SHARD: Final = 250
"""People in one shard: what is made, sealed and written together."""
MOST: Final = 225_000
"""People there are numbers for: serials from 990000 to 998999 are kept for this population, ten of them a
shard for each prefix, sex and year; 999000 and above belong to the demonstration and to tests."""
STATIONS: Final = 3

Sex = Literal["male", "female"]
Tie = Literal["minor", "adult"]


@dataclass(frozen=True)
class Province:
    """A province of today: its code, and the prefixes of numbers given out in it before the mergers."""

    code: str
    name: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Someone:
    """A made-up person. `guardians` are places in the same shard; `station` counts within the province."""

    place: int
    id: str
    name: str = field(repr=False)
    sex: Sex
    born: date = field(repr=False)
    province: Province
    station: int
    number: str | None = field(default=None, repr=False)
    insurance: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    deceased_on: date | None = None
    tie: Tie = "minor"
    guardians: tuple[int, ...] = ()

    def age_on(self, day: date) -> int:
        """Whole years of age."""
        before = (day.month, day.day) < (self.born.month, self.born.day)
        return day.year - self.born.year - before


def people_of(seed: int, shard: int, day: date) -> tuple[Someone, ...]:
    """Everybody of a shard, all of one province, as they are on `day`: grown people first."""
    draw = chance(seed, "people", shard)
    province = _provinces().of(draw)
    bodies = sorted((_body(draw, day) for _ in range(SHARD)), key=lambda body: body[1])
    serials: dict[tuple[str, Sex, int], int] = {}
    made: list[Someone] = []
    for place, (sex, born) in enumerate(bodies):
        prefix = draw.choice(province.prefixes)
        named = (prefix, sex, born.year)
        serials[named] = serials.get(named, -1) + 1
        fresh = _unnumbered(draw, day, born) or serials[named] > 9
        one = Someone(
            place=place,
            id=id_of(seed, "citizen", shard, place),
            name=given_name(draw, sex, born.year, province.code),
            sex=sex,
            born=born,
            province=province,
            station=draw.randrange(STATIONS),
            number=None if fresh else _number(prefix, sex, born, shard * 10 + serials[named]),
            insurance=None if draw.random() > 0.92 else f"99{shard * SHARD + place:08d}",
            deceased_on=_death(draw, born, day),
        )
        grown = one.age_on(day) >= AGES.own_account
        made.append(replace(one, phone=_phone(shard, place)) if grown and draw.random() < 0.9 else one)
    return tuple(_with_family(draw, day, made))


@cache
def _provinces() -> Weighted[Province]:
    rows = told("provinces")["provinces"]
    places = [Province(row["code"], row["name"], tuple(row["prefixes"])) for row in rows]
    return Weighted(places, [row["weight"] for row in rows])


def all_provinces() -> tuple[Province, ...]:
    """The 34 provinces."""
    return _provinces().things


@cache
def _bands() -> Weighted[tuple[Sex, int, int]]:
    rows = told("names")["bands"]
    cells: list[tuple[Sex, int, int]] = [("male", row[0], row[1]) for row in rows]
    cells += [("female", row[0], row[1]) for row in rows]
    return Weighted(cells, [row[2] for row in rows] + [row[3] for row in rows])


def _body(draw: Random, day: date) -> tuple[Sex, date]:
    sex, first, last = _bands().of(draw)
    return sex, day - timedelta(days=draw.randrange(first * 365 + first // 4, (last + 1) * 365 + last // 4))


def _unnumbered(draw: Random, day: date, born: date) -> bool:
    """Whether somebody so young has no number yet: birth registration takes weeks."""
    return (day - born).days < 60 and draw.random() < 0.7


def _number(prefix: str, sex: Sex, born: date, serial: int) -> str:
    """3 digits place of birth registration, 1 century and sex, 2 year, 6 serial."""
    century = (born.year // 100 - 19) * 2 + (sex == "female")
    return f"{prefix}{century}{born.year % 100:02d}{990_000 + serial}"


def _phone(shard: int, place: int) -> str:
    return f"+84900{shard * SHARD + place:06d}"


def _death(draw: Random, born: date, day: date) -> date | None:
    if draw.random() > 0.03 or (day - born).days < 70 * 365:
        return None
    return day - timedelta(days=draw.randrange(1, 900))


def _with_family(draw: Random, day: date, made: Sequence[Someone]) -> list[Someone]:
    """The same people as families: children have a mother, mostly a father, and the father's family name."""
    mothers = [one for one in made if one.sex == "female" and 18 <= one.age_on(day) < 60]
    fathers = [one for one in made if one.sex == "male" and 20 <= one.age_on(day) < 65]
    spouse = {mother.place: _nearest(draw, fathers, mother, 6) for mother in mothers}
    named: dict[int, str] = {}
    found: list[Someone] = []
    for one in made:
        if one.age_on(day) < AGES.full_age:
            mother = _mother(draw, mothers, one)
            father = spouse.get(mother.place) if mother is not None and draw.random() < 0.85 else None
            parents = [each for each in (mother, father) if each is not None and _years(each, one) >= 18]
            family = named.get((father or mother or one).place) or surname(draw, one.province.code)
            guardians = tuple(sorted(each.place for each in parents))
            found.append(replace(one, name=f"{family} {one.name}", guardians=guardians))
        else:
            family = named[one.place] = surname(draw, one.province.code)
            found.append(_with_carer(draw, day, made, replace(one, name=f"{family} {one.name}")))
    return found


def _with_carer(draw: Random, day: date, made: Sequence[Someone], one: Someone) -> Someone:
    """Some of the very old have a grown child or another who acts for them."""
    if one.age_on(day) < 78 or one.deceased_on is not None or draw.random() > 0.2:
        return one
    carer = next((each for each in made if 20 <= _years(one, each) <= 45), None)
    return replace(one, tie="adult", guardians=() if carer is None else (carer.place,))


def _nearest(draw: Random, among: Sequence[Someone], to: Someone, years: int) -> Someone | None:
    fitting = [each for each in among if abs((each.born - to.born).days) < years * 365]
    return draw.choice(fitting) if fitting else None


def _mother(draw: Random, mothers: Sequence[Someone], child: Someone) -> Someone | None:
    fitting = [each for each in mothers if 19 <= _years(each, child) <= 41]
    return draw.choice(fitting) if fitting else None


def _years(older: Someone, younger: Someone) -> float:
    return (younger.born - older.born).days / 365.25


def end_of_guardianship(one: Someone) -> date | None:
    """The last day a minor's guardian acts for them; None for an elder's."""
    return birthday(one.born, AGES.full_age) - timedelta(days=1) if one.tie == "minor" else None
