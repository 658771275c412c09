"""Series: every value of one code in a book, each with the reference range that came with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from wallet_api.records.model import Record
from wallet_api.records.types import Resource, record_types
from wallet_api.records.types._fields import codings
from wallet_api.records.words import name_of

LOINC: Final = "http://loinc.org"
_UCUM: Final = "http://unitsofmeasure.org"
_VOID: Final = frozenset({"entered-in-error", "cancelled"})
_DAY: Final = len("2026-11-03")


def measured_categories() -> tuple[str, ...]:
    """Where values are recorded: the categories of all types that may be one."""
    kinds = [kind for kind in record_types().values() if kind.measured]
    return tuple(sorted({each for kind in kinds for each in kind.categories}))


@dataclass(frozen=True)
class Point:
    """One value. `low` and `high` are those of the source; `text` where it is no number. `code` is the UCUM
    code of the unit, if one was sent; not `exact` is a number that came as a bound, like "less than 5"."""

    record: Record
    name: str | None
    value: float | None
    unit: str | None
    text: str | None
    low: float | None
    high: float | None
    code: str | None = None
    exact: bool = True

    @property
    def has_day(self) -> bool:
        """Whether its day is known, not only its month or year."""
        return len(self.record.occurred_on.text) == _DAY

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands among others: a later one is newer, and no two are equal."""
        return self.record.occurred_on.first_day.isoformat(), self.record.id

    @property
    def against(self) -> str | None:
        """`below`, `within` or `above` the source's own range; None without a number or a range."""
        if self.value is None or (self.low is None and self.high is None):
            return None
        if self.low is not None and self.value < self.low:
            return "below"
        return "above" if self.high is not None and self.value > self.high else "within"

    def age_days(self, born: date) -> int | None:
        """How old the person was, where the day is known."""
        on = self.record.occurred_on.first_day
        return (on - born).days if self.has_day and on >= born else None


def points_of(record: Record, system: str, code: str) -> Iterator[Point]:
    """The value a record has for a code, in itself or as a component: one at the most."""
    resource = record.resource
    if resource.get("resourceType") != "Observation" or resource.get("status") in _VOID:
        return
    for part in (resource, *(resource.get("component") or ())):
        if (system, code) in codings(part.get("code")):
            point = _point(record, part)
            if point is not None:
                yield point
                return


def _point(record: Record, part: Resource) -> Point | None:
    quantity: Mapping[str, Any] = part.get("valueQuantity") or {}
    value = _number(quantity.get("value"))
    text = part.get("valueString") or name_of(part.get("valueCodeableConcept") or {})
    if value is None and not text:
        return None
    band: Mapping[str, Any] = next(iter(part.get("referenceRange") or ()), {})
    code = quantity.get("code") if quantity.get("system") == _UCUM else None
    unit, exact = quantity.get("unit") or quantity.get("code"), not quantity.get("comparator")
    low, high = (_number((band.get(end) or {}).get("value")) for end in ("low", "high"))
    return Point(record, name_of(part.get("code") or {}), value, unit, text, low, high, code, exact)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
