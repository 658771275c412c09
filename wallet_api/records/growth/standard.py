"""What a growth standard is: for an indicator, a sex and a day of life, a curve that values lie on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

_RESTRICTED: Final = 3
"""How far out the curve itself is used; beyond it each step is as wide as the last within."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The values of healthy children of one sex and day: Box-Cox power, median, coefficient of variation.

    The method is that of WHO (Methods and development, 2006, chapter 7): LMS, restricted beyond 3 standard
    deviations. Where the power is 1, as for lengths and heads, restricted and not is the same.
    """

    power: float
    median: float
    variation: float

    def at(self, z: float) -> float:
        """The value `z` standard deviations from the median, for -3 <= z <= 3."""
        if not self.power:
            return self.median * math.exp(self.variation * z)
        return float(self.median * (1 + self.power * self.variation * z) ** (1 / self.power))

    def z(self, value: float) -> float:
        """How many standard deviations a value lies from the median, to two decimals as WHO rounds it.

        Any finite value has one: beyond 3 it is counted in steps and never raised to a power.
        """
        return round(self._z(value), 2) + 0.0  # a zero has no sign

    def _z(self, value: float) -> float:
        for end in (-_RESTRICTED, _RESTRICTED):
            line, inner = self.at(end), self.at(end - math.copysign(1, end))
            if (value - line) * end > 0:
                return end + (value - line) / abs(line - inner)
        if not self.power:
            return math.log(value / self.median) / self.variation
        return float(((value / self.median) ** self.power - 1) / (self.power * self.variation))


class Standard(Protocol):
    """Where the distributions come from."""

    def of(self, indicator: str, sex: str, age_days: int) -> Distribution | None:
        """Of `female` or `male` children of an age in days; None where the standard has none.

        `indicator`: `weight`, `length_height`, `head` or `bmi`, in kg, cm, cm and kg/m2. Lengths are
        measured lying up to and with day 730 and standing from day 731 on.
        """
