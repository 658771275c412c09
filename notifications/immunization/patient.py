"""What the engine is told about a person: birth, sex, doses on record and dated facts. No names, no ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple


class Given(NamedTuple):
    """One dose on record. `id` names it in the answers; `flawed` = expired or recalled product; ml."""

    id: str
    on: date
    vaccine: str
    maker: str | None = None
    volume: float | None = None
    flawed: bool = False


@dataclass(frozen=True, slots=True)
class Patient:
    """One person. `observations` maps a coded fact to the day it began (None if the day is not known)."""

    born: date
    sex: str
    doses: tuple[Given, ...] = ()
    observations: Mapping[str, date | None] = field(default_factory=dict)
    country: str | None = None

    def in_order(self) -> tuple[Given, ...]:
        """The doses by day, in an order that does not depend on how they came."""
        return tuple(sorted(self.doses, key=lambda dose: (dose.on, dose.vaccine, dose.id)))
