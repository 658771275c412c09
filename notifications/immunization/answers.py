"""What the engine answers: a verdict for each dose, a forecast for each series and vaccine group, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from notifications.immunization.patient import Given
from notifications.immunization.rules import Series, TargetDose


class DoseStatus(StrEnum):
    """How a given dose counts towards a series."""

    VALID = "valid"
    NOT_VALID = "not_valid"
    EXTRANEOUS = "extraneous"
    SUB_STANDARD = "sub_standard"


class Reason(StrEnum):
    """Why a dose counts or does not."""

    FITS = "fits"
    GRACE_PERIOD = "grace_period"
    INADVERTENT = "inadvertent_vaccine"
    TOO_YOUNG = "too_young"
    TOO_OLD = "too_old"
    TOO_SOON = "too_soon"
    LIVE_VIRUS = "live_virus_conflict"
    WRONG_VACCINE = "not_a_preferable_or_allowable_vaccine"
    ALREADY_COMPLETE = "series_already_complete"
    FLAWED = "expired_or_recalled"
    TOLD_TWICE = "told_twice"


class SeriesStatus(StrEnum):
    """Where a series stands for a person."""

    NOT_COMPLETE = "not_complete"
    COMPLETE = "complete"
    IMMUNE = "immune"
    CONTRAINDICATED = "contraindicated"
    AGED_OUT = "aged_out"
    NOT_RECOMMENDED = "not_recommended"


class Evaluation(NamedTuple):
    """The verdict on one dose. `target` is the target dose it was held against, `since` the day from which
    it would have counted, where the verdict is "too young", "too soon" or "live virus conflict".
    """

    dose: Given
    target: int | None
    status: DoseStatus
    reason: Reason
    since: date | None = None

    @property
    def valid(self) -> bool:
        """True if the dose counts."""
        return self.status is DoseStatus.VALID


@dataclass(frozen=True, slots=True)
class Because:
    """One step of an explanation: the rule that spoke, the day it gave, the dose it started from."""

    rule: str
    day: date | None = None
    dose: str | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes next in a series. Days are None where nothing is to come; `past_due` is the last good day,
    `latest` the last possible one. `because` names every rule that moved a day.
    """

    status: SeriesStatus
    target: int | None = None
    earliest: date | None = None
    recommended: date | None = None
    past_due: date | None = None
    latest: date | None = None
    because: tuple[Because, ...] = ()


@dataclass(slots=True)
class Progress:
    """A walk through one series: verdicts so far, target doses satisfied or skipped, the next one.

    `counted_on` is the day of the last dose that counted; a series that follows another starts with its day.
    """

    series: Series
    evaluations: list[Evaluation] = field(default_factory=list)
    satisfied: dict[int, Given] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    index: int = 0
    counted_on: date | None = None

    @property
    def target(self) -> TargetDose | None:
        """The target dose that waits, None at the end of the series."""
        return self.series.doses[self.index] if self.index < len(self.series.doses) else None

    @property
    def valid(self) -> tuple[Given, ...]:
        """The doses that count, in order."""
        return tuple(e.dose for e in self.evaluations if e.valid)

    @property
    def complete(self) -> bool:
        """True if nothing waits and at least one dose counted."""
        return self.target is None and bool(self.satisfied)


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """One series of one person: what was given and what comes next."""

    series: Series
    progress: Progress
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One vaccine group of one person: best series of each antigen, one forecast for all of them."""

    group: str
    best: tuple[SeriesResult, ...]
    forecast: Forecast
