"""What is written about somebody: visits, diagnoses, medicines, doses, check-ups, with real life's faults.

Pure. Resources are FHIR R4 as the intake keeps them. The faults: doses late, missing, too early or told by
two organisations; records that arrive days or months after the event and in the wrong order; corrections and
entries made in error, as new versions; old dates known by month alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import Any, Final

from wallet_api.infra.clock import VIETNAM
from wallet_api.wiring import demo_books as fhir
from wallet_api.wiring.population.chance import Weighted, chance, told
from wallet_api.wiring.population.people import SHARD, Someone
from wallet_api.wiring.population.providers import (
    Provider,
    hospital_of,
    station_of,
    vaccination_centre,
)

Resource = dict[str, Any]

_BOOKS_SINCE: Final = date(2024, 6, 1)
"""Before this day a provider had paper or a system of its own: what is older came over in one transfer."""
_OLDEST: Final = timedelta(days=365 * 12)
_WANTED: Final = ((1, 12), (6, 21), (18, 14), (40, 13), (60, 20), (200, 36))
"""Records somebody below that age has, on average; 20 over the population."""
_LASTING: Final = timedelta(days=90)
_VERIFIED: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_MONTH: Final = 31  # days; with two more they lie past every age and interval counted in months


@dataclass(frozen=True)
class Entry:
    """One record as its source sent it. `versions`, oldest first: what it said, and when that arrived."""

    provider: Provider
    practitioner: str | None
    versions: tuple[tuple[Mapping[str, Any], datetime], ...] = field(repr=False)


@dataclass(frozen=True)
class _Ailment:
    code: str
    words: str
    sex: str
    medicine: tuple[str, str, str] | None
    stays: bool


def book_of(seed: int, shard: int, one: Someone, day: date) -> list[Entry]:
    """Every record of somebody's book on `day`, in the order of arrival."""
    draw = chance(seed, "book", shard, one.place)
    last = min(day, one.deceased_on or day)
    made = [*_doses(draw, one, last)]
    wanted = _wanted(draw, one.age_on(last))
    number = 0
    while len(made) < wanted and (last - one.born).days > 3:
        number += 1
        made += _episode(draw, one, last, number)
    name = f"p{shard * SHARD + one.place}"
    filed = [_arrived(draw, name, provider, who, resource, day) for provider, who, resource in made]
    return sorted(filed, key=lambda entry: entry.versions[0][1])


def doses_of(seed: int, shard: int, one: Someone, day: date) -> list[Resource]:
    """The doses of the same book alone, without who sent them when: quick, for planning whole nations."""
    draw = chance(seed, "book", shard, one.place)
    return [resource for _, _, resource in _doses(draw, one, min(day, one.deceased_on or day))]


_Made = tuple[Provider, str, Resource]


def _wanted(draw: Random, age: int) -> int:
    mean = next(mean for below, mean in _WANTED if age < below)
    return min(round(draw.gammavariate(2.2, mean / 2.2)), 150)


@cache
def _ailments() -> tuple[Weighted[_Ailment], ...]:
    rows = told("conditions")["conditions"]
    found = [
        _Ailment(
            row["code"],
            row["vi"],
            row["sex"],
            None if row["medicine"] is None else tuple(row["medicine"]),
            row["stays"],
        )
        for row in rows
    ]
    return tuple(Weighted(found, [row["by_age"][band] for row in rows]) for band in range(5))


def _ailment(draw: Random, one: Someone, age: int) -> _Ailment:
    band = next(nth for nth, below in enumerate((6, 18, 40, 60, 200)) if age < below)
    while True:
        found = _ailments()[band].of(draw)
        if found.sex in ("any", one.sex):
            return found


def _doses(draw: Random, one: Someone, last: date) -> Iterator[_Made]:
    if draw.random() < 0.01:  # whose parents refuse, or whose booklet is lost
        return
    home = station_of(one.province, one.station)
    slow = draw.expovariate(1 / 6) if draw.random() < 0.9 else draw.uniform(30, 240)
    for row in told("doses")["doses"]:
        if one.born.year < row["since"] or draw.random() > row["given"]:
            continue
        months = row["months"]
        on = one.born + timedelta(days=months * _MONTH + 2 + int(slow + draw.expovariate(1 / 5)))
        if months == 0:
            on = one.born + timedelta(days=min(int(draw.expovariate(1 / 2)), 30))
        elif draw.random() < 0.012:  # called in before its time
            on -= timedelta(days=int(slow) + 20)
        if on > last:
            continue
        where = hospital_of(one.province) if months == 0 else home
        where = vaccination_centre() if months and draw.random() < 0.12 else where
        made = fhir.dose("", on, row["cvx"], row["words"], row["dose"])
        if draw.random() < 0.3:
            made["lotNumber"] = f"L{draw.randrange(10**6):06d}"
        yield where, _who(draw, where), made
        if draw.random() < 0.02:  # another organisation tells of the same dose
            other = hospital_of(one.province) if where is home else home
            yield other, _who(draw, other), dict(made)


def _episode(draw: Random, one: Someone, last: date, number: int) -> Iterator[_Made]:
    span = min(last - one.born, _OLDEST).days
    on = last - timedelta(days=int(span * draw.random() ** 1.6))
    age = one.age_on(on)
    where = hospital_of(one.province) if draw.random() < 0.55 else station_of(one.province, one.station)
    who = _who(draw, where)
    if draw.random() < (0.25 if age >= 6 else 0.1):
        yield from ((where, who, made) for made in _checkup(draw, on, age))
        return
    ailment = _ailment(draw, one, age)
    yield where, who, fhir.visit("", on, ailment.words)
    if draw.random() < 0.85:
        status = "active" if ailment.stays or last - on < _LASTING else "resolved"
        yield where, who, fhir.condition("", on, ailment.code, ailment.words, status)
    if ailment.medicine is not None and draw.random() < 0.8:
        yield where, who, fhir.medication("", on, *ailment.medicine)
    if draw.random() < 0.3:
        yield where, who, _laboratory(draw, on)
    if number == 1 and draw.random() < 0.08:
        what = draw.choice(("tôm cua", "penicillin", "phấn hoa", "đậu phộng", "sữa bò"))
        yield where, who, fhir.allergy("", on, f"Dị ứng {what}")


def _checkup(draw: Random, on: date, age: int) -> Iterator[Resource]:
    yield fhir.checkup("", on)
    high = round(draw.gauss(100 + min(age, 80) * 0.45, 11))
    yield fhir.measured("", on, ("8480-6", "Huyết áp tâm thu"), high, "mm[Hg]", "vital-signs")
    yield fhir.measured(
        "",
        on,
        ("8462-4", "Huyết áp tâm trương"),
        round(high * 0.62 + draw.gauss(2, 5)),
        "mm[Hg]",
        "vital-signs",
    )
    if draw.random() < 0.6:
        weight = round(draw.gauss(3.4 + min(age, 19) * 2.8, 3 + min(age, 19) / 3)) or 3
        yield fhir.measured("", on, ("29463-7", "Cân nặng"), max(weight, 3), "kg", "vital-signs")


_TESTS: Final = (
    (("718-7", "Hemoglobin"), 134, 14, "g/L"),
    (("2339-0", "Glucose máu"), 99, 22, "mg/dL"),
    (("2093-3", "Cholesterol toàn phần"), 188, 34, "mg/dL"),
    (("2160-0", "Creatinin"), 78, 17, "umol/L"),
    (("1742-6", "ALT"), 26, 12, "U/L"),
    (("6690-2", "Bạch cầu"), 7400, 1900, "/uL"),
)


def _laboratory(draw: Random, on: date) -> Resource:
    what, mean, spread, unit = draw.choice(_TESTS)
    return fhir.measured("", on, what, max(round(draw.gauss(mean, spread)), 1), unit, "laboratory")


def _who(draw: Random, where: Provider) -> str:
    return draw.choice(where.roster).id


_DAY_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "Encounter": ("period", "start"),
    "Condition": ("onsetDateTime",),
    "MedicationRequest": ("authoredOn",),
    "Observation": ("effectiveDateTime",),
    "Immunization": ("occurrenceDateTime",),
    "AllergyIntolerance": ("recordedDate",),
}


def _arrived(draw: Random, name: str, provider: Provider, who: str, made: Resource, day: date) -> Entry:
    """The record with its id, its subject, and the times at which its versions came in."""
    kind = str(made["resourceType"])
    subject = "patient" if kind in ("Immunization", "AllergyIntolerance") else "subject"
    resource = made | {"id": f"{name}-{draw.getrandbits(40):010x}", subject: {"reference": f"Patient/{name}"}}
    on = date.fromisoformat(_at(resource, _DAY_OF[kind]))
    if on < date(2016, 1, 1) and draw.random() < 0.2:
        _set(resource, _DAY_OF[kind], on.isoformat()[:7])
    came = _arrival(draw, on, day)
    author = None if draw.random() < 0.05 else who
    if draw.random() > 0.022:
        return Entry(provider, author, ((resource, came),))
    later = min(came + timedelta(days=1 + int(draw.expovariate(1 / 40))), _instant(draw, day, 0))
    if later <= came:
        return Entry(provider, author, ((resource, came),))
    return Entry(provider, author, ((resource, came), (_CORRECTIONS[kind](draw, resource), later)))


def _arrival(draw: Random, on: date, day: date) -> datetime:
    start = on
    if on < _BOOKS_SINCE:
        start = _BOOKS_SINCE + timedelta(days=draw.randrange(240))
    roll = draw.random()
    days = 0 if roll < 0.8 else int(draw.expovariate(1 / 4)) if roll < 0.93 else int(draw.expovariate(1 / 90))
    return _instant(draw, min(start + timedelta(days=days), day), 0 if roll < 0.5 else 5)


def _instant(draw: Random, on: date, hours: int) -> datetime:
    local = datetime.combine(on, time(7), VIETNAM) + timedelta(hours=hours, seconds=draw.randrange(3600 * 5))
    return local.astimezone(UTC)


def _in_error(draw: Random, resource: Resource) -> Resource:
    return resource | {"status": "entered-in-error"}


def _moved(draw: Random, resource: Resource) -> Resource:
    path = _DAY_OF[resource["resourceType"]]
    said = _at(resource, path)
    if len(said) < 10:
        return _in_error(draw, resource)
    fresh = resource | ({path[0]: dict(resource[path[0]])} if len(path) > 1 else {})
    _set(fresh, path, (date.fromisoformat(said) - timedelta(days=1)).isoformat())
    return fresh


def _remeasured(draw: Random, resource: Resource) -> Resource:
    quantity = resource["valueQuantity"]
    return resource | {
        "status": "corrected",
        "valueQuantity": quantity | {"value": quantity["value"] + draw.randrange(1, 9)},
    }


def _recoded(draw: Random, resource: Resource) -> Resource:
    return resource | {"verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]}}


def _reworded(draw: Random, resource: Resource) -> Resource:
    return resource | {"criticality": draw.choice(("low", "high"))}


def _stopped(draw: Random, resource: Resource) -> Resource:
    return resource | {"status": draw.choice(("stopped", "cancelled"))}


_CORRECTIONS: Final[Mapping[str, Callable[[Random, Resource], Resource]]] = {
    "Encounter": _in_error,
    "Condition": _recoded,
    "MedicationRequest": _stopped,
    "Observation": _remeasured,
    "Immunization": _moved,
    "AllergyIntolerance": _reworded,
}


def _at(resource: Resource, path: tuple[str, ...]) -> str:
    found: Any = resource
    for step in path:
        found = found[step]
    return str(found)


def _set(resource: Resource, path: tuple[str, ...], text: str) -> None:
    """Change a date; a period has one day at its end as well."""
    if len(path) == 1:
        resource[path[0]] = text
    else:
        resource[path[0]] = {"start": text, "end": text}
