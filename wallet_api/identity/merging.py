"""Merging two books of one person, proposed by one of ops and confirmed by another; undone the same way.

proposed -> joined | refused | objected; joined -> parting -> parted, or back to joined. A merge is a link:
one book continues in the other, and nothing in either is moved or rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from importlib import resources
from types import MappingProxyType
from typing import Final, Literal

from wallet_api.identity.errors import MergeConflict, MergeStepRefused, SecondPersonNeeded
from wallet_api.identity.model import Citizen
from wallet_api.infra.clock import vn_day

MergeState = Literal["proposed", "objected", "refused", "joined", "parting", "parted"]
MergeDecision = Literal["confirm", "refuse", "part", "confirm_parting", "keep"]
Clash = Literal["birth_date", "sex", "two_births", "two_numbers"]
"""What speaks against two books being one person's, and may be explained: each is accepted by name."""
CLASHES: Final[tuple[Clash, ...]] = ("birth_date", "sex", "two_births", "two_numbers")
STANDING: Final[frozenset[MergeState]] = frozenset({"proposed", "joined", "parting"})
IN_FORCE: Final[frozenset[MergeState]] = frozenset({"joined", "parting"})
_MOVES: Final[Mapping[tuple[MergeState, MergeDecision], MergeState]] = MappingProxyType(
    {
        ("proposed", "confirm"): "joined",
        ("proposed", "refuse"): "refused",
        ("joined", "part"): "parting",
        ("parting", "confirm_parting"): "parted",
        ("parting", "keep"): "joined",
    }
)
MADE: Final[Mapping[MergeDecision, MergeState]] = MappingProxyType(
    {
        "confirm": "joined",
        "refuse": "refused",
        "part": "parting",
        "confirm_parting": "parted",
        "keep": "joined",
    }
)
_SECOND: Final[Mapping[MergeDecision, str]] = MappingProxyType(
    {"confirm": "propose", "confirm_parting": "part", "keep": "part"}
)
"""Which step must have been somebody else's."""


@dataclass(frozen=True)
class MergeRules:
    """`wait_days`: how long both sides may object before a second person can confirm."""

    source: str
    valid_from: str
    wait_days: int
    evidence_kinds: tuple[str, ...]
    reissue_evidence: tuple[str, ...]
    reasons: tuple[str, ...]
    refusal_reasons: tuple[str, ...]
    parting_reasons: tuple[str, ...]


def load_rules() -> MergeRules:
    """The rules in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("merging.json").read_text(encoding="utf-8")
    said = json.loads(text)
    lists = {name: tuple(said[name]) for name in said if isinstance(said[name], list)}
    return MergeRules(**said | lists)


RULES = load_rules()


@dataclass(frozen=True)
class MergeLine:
    """A step: what was done, by whom, when; `reason` is a code."""

    event: str
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Closed:
    """An organisation that one book's block closes the other book to as well."""

    citizen_id: str
    organisation_id: str


@dataclass(frozen=True)
class Grounds:
    """On what a merge is proposed. `accepts`: the clashes that the evidence explains."""

    reason: str
    evidence_kind: str
    paper_number: str = field(repr=False)
    accepts: frozenset[Clash] = frozenset()


@dataclass(frozen=True)
class Merge:
    """One book, `absorbed_id`, continues in another, `surviving_id`.

    `closed` and `relations` are what the merge itself closed or joined, and is taken back when it is undone.
    `done`: what follows from the state is carried out.
    """

    id: str
    surviving_id: str
    absorbed_id: str
    grounds: Grounds
    history: tuple[MergeLine, ...]
    state: MergeState = "proposed"
    version: int = 1
    done: bool = True
    closed: tuple[Closed, ...] = ()
    relations: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether it is proposed or in force: a book is absorbed by one such at most."""
        return self.state in STANDING

    @property
    def in_force(self) -> bool:
        """Whether the two books are read as one."""
        return self.state in IN_FORCE

    @property
    def place(self) -> str:
        """Its place in a list, the oldest first."""
        return f"{self.history[0].at:%Y-%m-%dT%H:%M:%S.%f}|{self.id}"

    @property
    def not_before(self) -> date:
        """The first Vietnamese day on which it may be confirmed."""
        return vn_day(self.history[0].at) + timedelta(days=RULES.wait_days)

    @property
    def joined_at(self) -> datetime | None:
        """When it came into force, if it ever did."""
        return self._when("confirm")

    @property
    def parted_at(self) -> datetime | None:
        """When it was undone, if it was."""
        return self._when("confirm_parting")

    def concerns(self, citizen_id: str) -> bool:
        """Whether it is about a book of this citizen."""
        return citizen_id in (self.surviving_id, self.absorbed_id)

    def decided(self, decision: MergeDecision, by: str, at: datetime, reason: str | None) -> Merge:
        """The next state.

        Raises:
            SecondPersonNeeded: whoever proposed a step does not confirm it.
            MergeStepRefused: there is no such step from this state, it is too early, or the last one is
                still carried out.
        """
        after = _MOVES.get((self.state, decision))
        if after is None or not self.done:
            raise MergeStepRefused(self.id)
        if by == self._last_by(_SECOND.get(decision)):
            raise SecondPersonNeeded(self.id)
        if decision == "confirm" and vn_day(at) < self.not_before:
            raise MergeStepRefused(self.id)
        carried_out = decision not in ("confirm", "confirm_parting")
        line = MergeLine(decision, by, at, reason)
        return self._next(after, line, done=carried_out)

    def objected(self, by: str, at: datetime) -> Merge:
        """Stopped by one of the people concerned. Raises MergeStepRefused: it does not wait any more."""
        if self.state != "proposed":
            raise MergeStepRefused(self.id)
        return self._next("objected", MergeLine("object", by, at), done=True)

    def _next(self, state: MergeState, line: MergeLine, *, done: bool) -> Merge:
        history = (*self.history, line)
        return replace(self, state=state, version=self.version + 1, history=history, done=done)

    def _when(self, event: str) -> datetime | None:
        return next((each.at for each in reversed(self.history) if each.event == event), None)

    def _last_by(self, event: str | None) -> str | None:
        return next((each.by for each in reversed(self.history) if each.event == event), None)


def clashes(one: Citizen, other: Citizen, today: date) -> frozenset[Clash]:
    """What speaks against two books being one person's. A sex that is not known clashes with none."""
    found: set[Clash] = set()
    if one.profile.birth_date != other.profile.birth_date:
        found.add("birth_date")
    if len({one.profile.sex, other.profile.sex} - {"unknown"}) > 1:
        found.add("sex")
    if _distinct(one, other, "birth_reference", None):
        found.add("two_births")
    if _distinct(one, other, "national_id", today):
        found.add("two_numbers")
    return frozenset(found)


def check_identities(one: Citizen, other: Citizen, grounds: Grounds, today: date) -> None:
    """Let only those be merged who can be one person, by what is known and what the evidence explains.

    Raises:
        MergeConflict: they cannot be. Two numbers that both stand are explained by a decision that re-issued
            one alone; a death and a merge that stands are explained by nothing.
    """
    if one.id == other.id:
        raise MergeConflict("the same book")
    if one.deceased_on is not None or other.deceased_on is not None:
        raise MergeConflict("one of them has died")
    if one.continues_in is not None or other.continues_in is not None or other.joined:
        raise MergeConflict("one of them is merged already")
    unexplained = clashes(one, other, today) - grounds.accepts
    if "two_numbers" in grounds.accepts and grounds.evidence_kind not in RULES.reissue_evidence:
        unexplained |= clashes(one, other, today) & {"two_numbers"}
    if unexplained:
        raise MergeConflict(", ".join(sorted(unexplained)))


def _distinct(one: Citizen, other: Citizen, kind: str, day: date | None) -> bool:
    """Whether both have an identifier of this kind, valid on the day if one is given."""

    def has(whose: Citizen) -> bool:
        return any(each.kind == kind and (day is None or each.valid_on(day)) for each in whose.identifiers)

    return has(one) and has(other)
