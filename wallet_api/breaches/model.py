"""An entry of the register and the steps it goes through: open, assessed, notified, closed. All pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from wallet_api.breaches.errors import BreachStepRefused
from wallet_api.breaches.rules import RULES

State = Literal["open", "assessed", "notified", "closed"]


@dataclass(frozen=True)
class Step:
    """A line of history: what was done, by whom, when and why. Lines are only ever added."""

    event: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Reads:
    """Who looked during a period: the question to the access log. Vietnamese days, both included."""

    organisation_id: str
    practitioner_id: str | None
    first: date
    last: date


@dataclass(frozen=True)
class Window:
    """Whose reading, and when: the question who is concerned. None stands for anybody."""

    first: date
    last: date
    organisation_id: str | None = None
    practitioner_id: str | None = None
    client_id: str | None = None


@dataclass(frozen=True)
class Concerned:
    """Somebody whose records were read, by internal id; how often and when, within one part of the log."""

    citizen_id: str
    reads: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Due:
    """A legal clock of one entry. `met_at` is when it was told; overdue when it was not, or too late."""

    code: str
    to: str
    due_at: datetime
    met_at: datetime | None
    overdue: bool
    source: str


@dataclass(frozen=True)
class Assessment:
    """What was found: how many people, how bad, and whether anybody must be told."""

    risk: str
    must_notify: bool
    affected: int
    counted: Reads | None


@dataclass(frozen=True)
class Breach:
    """One entry. `what` and the reasons are free text and are kept sealed; names do not belong in them."""

    id: str
    version: int
    state: State
    detected_at: datetime
    kind: str
    cause: str
    data: frozenset[str]
    what: str
    history: tuple[Step, ...]
    assessment: Assessment | None = None
    told: tuple[tuple[str, datetime], ...] = ()

    def dues(self, now: datetime) -> list[Due]:
        """The clocks that run, with where they stand. None when it was found that nobody must be told."""
        if self.assessment is not None and not self.assessment.must_notify:
            return []
        dues = []
        for clock in RULES.clocks:
            if clock.runs_for(self.data):
                due_at = self.detected_at + clock.after
                met_at = next((at for to, at in self.told if to == clock.to), None)
                late = (met_at or now) > due_at
                dues.append(Due(clock.code, clock.to, due_at, met_at, late, clock.source))
        return dues

    def assessed(self, found: Assessment, by: str, at: datetime, reason: str) -> Breach:
        """Found out, or found out better; not once somebody was told or it is closed."""
        self._only("open", "assessed")
        return replace(self._stepped("assessed", by, at, reason), state="assessed", assessment=found)

    def notified(self, to: Sequence[str], told_at: datetime, by: str, at: datetime, reason: str) -> Breach:
        """Told. May be done again for others; the first time counts for each.

        Raises BreachStepRefused before an assessment, or for a time that is not between detection and now.
        """
        self._only("assessed", "notified")
        if not self.detected_at <= told_at <= at:
            raise BreachStepRefused(self.id)
        known = dict(self.told)
        told = self.told + tuple((each, told_at) for each in sorted(set(to)) if each not in known)
        return replace(self._stepped("notified", by, at, reason), state="notified", told=told)

    def closed(self, by: str, at: datetime, reason: str) -> Breach:
        """Done with: everybody who must be told was told, or nobody must be."""
        self._only("assessed", "notified")
        if any(due.met_at is None for due in self.dues(at)):
            raise BreachStepRefused(self.id)
        return replace(self._stepped("closed", by, at, reason), state="closed")

    def _only(self, *states: State) -> None:
        if self.state not in states:
            raise BreachStepRefused(self.id)

    def _stepped(self, event: str, by: str, at: datetime, reason: str) -> Breach:
        step = Step(event, by, at, reason)
        return replace(self, version=self.version + 1, history=(*self.history, step))
