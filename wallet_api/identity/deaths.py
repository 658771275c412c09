"""Deaths: reported with proof, confirmed by a second person, undone when it was a mistake.

reported -> confirmed | refused; confirmed -> reversed. A person has one that is reported or confirmed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from importlib import resources
from threading import Lock
from types import MappingProxyType
from typing import Final, Literal, Protocol

from wallet_api.identity.errors import DeathStepRefused, DeathUnknown, SecondPersonNeeded, StaleVersion, Taken
from wallet_api.infra.clock import vn_day

DeathState = Literal["reported", "confirmed", "refused", "reversed"]
DeathDecision = Literal["confirm", "refuse", "reverse"]
_MOVES: Final[Mapping[tuple[DeathState, DeathDecision], DeathState]] = MappingProxyType(
    {
        ("reported", "confirm"): "confirmed",
        ("reported", "refuse"): "refused",
        ("confirmed", "reverse"): "reversed",
    }
)
_MADE: Final[Mapping[DeathDecision, DeathState]] = MappingProxyType(
    {"confirm": "confirmed", "refuse": "refused", "reverse": "reversed"}
)


@dataclass(frozen=True)
class DeathRules:
    """`keep_years`: how long the book is kept after the death. `heir_days`: how long an heir may look."""

    source: str
    valid_from: str
    keep_years: int
    heir_days: int
    evidence_kinds: tuple[str, ...]
    refusal_reasons: tuple[str, ...]
    reversal_reasons: tuple[str, ...]
    heir_relations: tuple[str, ...]
    heir_evidence: tuple[str, ...]


def load_rules() -> DeathRules:
    """The rules in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("deaths.json").read_text(encoding="utf-8")
    said = json.loads(text)
    lists = {name: tuple(said[name]) for name in said if isinstance(said[name], list)}
    return DeathRules(**said | lists)


RULES = load_rules()


@dataclass(frozen=True)
class Line:
    """A step: what was done, by whom of ops, when; `reason` is a code."""

    event: str
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Stopped:
    """A grant that was in force and is suspended because of the death, and until when it would have held."""

    citizen_id: str
    grant_id: str
    holds_until: datetime | None


@dataclass(frozen=True)
class Death:
    """A death as it was reported. `done`: what follows from the state is carried out.

    `grants` and `relations` are what was in force before it and is put back if it was a mistake.
    """

    id: str
    citizen_id: str
    died_on: date = field(repr=False)
    evidence_kind: str
    paper_number: str = field(repr=False)
    history: tuple[Line, ...]
    state: DeathState = "reported"
    version: int = 1
    done: bool = True
    grants: tuple[Stopped, ...] = ()
    relations: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether it is reported or confirmed: of a person there is one such at most."""
        return self.state in ("reported", "confirmed")

    @property
    def place(self) -> str:
        """Its place in a list, the oldest first."""
        return f"{self.history[0].at:%Y-%m-%dT%H:%M:%S.%f}|{self.id}"

    @property
    def keep_until(self) -> date:
        """The last day on which the book must be kept (a Vietnamese day)."""
        return years_after(self.died_on, RULES.keep_years)

    def decided(self, decision: DeathDecision, by: str, at: datetime, reason: str | None) -> Death:
        """The next state.

        Raises:
            SecondPersonNeeded: whoever reported it decides nothing about it.
            DeathStepRefused: there is no such step from this state, or the last one is still carried out.
        """
        if by == self.history[0].by:
            raise SecondPersonNeeded(self.id)
        after = _MOVES.get((self.state, decision))
        if after is None or not self.done:
            raise DeathStepRefused(self.id)
        line = Line(decision, by, at, reason)
        return replace(
            self,
            state=after,
            version=self.version + 1,
            history=(*self.history, line),
            done=after == "refused",
        )


def years_after(day: date, years: int) -> date:
    """The same day so many years later; the last of February for the 29th where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


class DeathStore(Protocol):
    """Deaths, durable when a call returns; never deleted but with the person's profile."""

    def add(self, death: Death) -> None:
        """Keep a new one.

        Raises:
            Taken: the id is in use, or another of this person is reported or confirmed.
        """

    def get(self, death_id: str) -> Death | None:
        """One of them."""

    def save(self, death: Death, *, expected: int) -> None:
        """Put it in the place of version `expected`. Raises StaleVersion."""

    def listed(self, state: DeathState, after: str | None, limit: int) -> list[Death]:
        """Those in one state after a place, the oldest first."""

    def due(self, today: date, limit: int) -> list[Death]:
        """The confirmed whose book need not be kept after `today` any more, the longest due first."""


class Effects(Protocol):
    """What a death does to the rest of the wallet. Each call may be repeated, and then changes nothing."""

    def shut(self, death: Death) -> None:
        """Nobody signs in as the person, no organisation reads, nobody is reminded of them."""

    def open(self, death: Death) -> None:
        """The opposite of `shut`."""

    def found(self, death: Death) -> Death:
        """The death with every grant and relation that is in force now added to those it names."""

    def stop(self, death: Death) -> None:
        """End the relations it names and suspend the grants."""

    def put_back(self, death: Death) -> None:
        """The opposite of `stop`, of what still is as that left it."""


class DeathDesk:
    """Reports and decisions. What was begun and not finished is finished by deciding the same again."""

    def __init__(self, deaths: DeathStore, effects: Effects, now: Callable[[], datetime]) -> None:
        self._deaths = deaths
        self._effects = effects
        self._now = now

    def get(self, death_id: str) -> Death:
        """One death. Raises DeathUnknown."""
        found = self._deaths.get(death_id)
        if found is None:
            raise DeathUnknown(death_id)
        return found

    def listed(self, state: DeathState, after: str | None, limit: int) -> list[Death]:
        """Those in one state, the oldest first."""
        return self._deaths.listed(state, after, limit)

    def due(self, limit: int) -> list[Death]:
        """Those whose book is to be erased, because the time for which it is kept has passed."""
        return self._deaths.due(vn_day(self._now()), limit)

    def report(
        self, death_id: str, citizen_id: str, died_on: date, evidence_kind: str, paper_number: str, by: str
    ) -> Death:
        """Keep what a registrar was shown. It changes nothing else until a second person confirms it.

        Raises:
            DeathStepRefused: one of this person is reported or confirmed already.
        """
        line = Line("report", by, self._now())
        made = Death(death_id, citizen_id, died_on, evidence_kind, paper_number, (line,))
        try:
            self._deaths.add(made)
        except Taken as why:
            raise DeathStepRefused(death_id) from why
        return made

    def decide(self, death_id: str, decision: DeathDecision, by: str, reason: str | None) -> Death:
        """Decide, and carry it out; in force when this returns. The same again finishes what was begun.

        Raises:
            DeathUnknown, SecondPersonNeeded, DeathStepRefused; StaleVersion: somebody else decided first.
        """
        found = self.get(death_id)
        if found.state != _MADE[decision] or by == found.history[0].by:
            decided = found.decided(decision, by, self._now(), reason)
            self._deaths.save(decided, expected=found.version)
            found = decided
        if found.state == "refused" or found.done:
            return found
        return self._closed(found) if found.state == "confirmed" else self._reopened(found)

    def _closed(self, death: Death) -> Death:
        # First nobody can begin anything new for the person; what had begun until then is found and stopped.
        self._effects.shut(death)
        death = self._kept(self._effects.found(death), death)
        self._effects.stop(death)
        return self._kept(replace(death, done=True), death)

    def _reopened(self, death: Death) -> Death:
        self._effects.put_back(death)
        self._effects.open(death)
        return self._kept(replace(death, done=True), death)

    def _kept(self, changed: Death, before: Death) -> Death:
        if changed == before:
            return before
        changed = replace(changed, version=before.version + 1)
        self._deaths.save(changed, expected=before.version)
        return changed


class MemoryDeaths:
    """`DeathStore` in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, Death] = {}

    def add(self, death: Death) -> None:
        """Keep a new one."""
        with self._lock:
            standing = {one.citizen_id for one in self._rows.values() if one.stands}
            if death.id in self._rows or death.citizen_id in standing:
                raise Taken("death")
            self._rows[death.id] = death

    def get(self, death_id: str) -> Death | None:
        """One of them."""
        return self._rows.get(death_id)

    def save(self, death: Death, *, expected: int) -> None:
        """Put it in the place of a version."""
        with self._lock:
            found = self._rows.get(death.id)
            if found is None or found.version != expected:
                raise StaleVersion("death")
            self._rows[death.id] = death

    def listed(self, state: DeathState, after: str | None, limit: int) -> list[Death]:
        """Those in one state after a place."""
        found = sorted((one for one in self._rows.values() if one.state == state), key=lambda one: one.place)
        return [one for one in found if after is None or one.place > after][:limit]

    def due(self, today: date, limit: int) -> list[Death]:
        """The confirmed that need not be kept any more."""
        found = [one for one in self._rows.values() if one.state == "confirmed" and one.keep_until < today]
        return sorted(found, key=lambda one: one.keep_until)[:limit]
