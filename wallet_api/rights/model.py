"""A rights request and the steps it goes through. All pure; a step that cannot be taken is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal

from wallet_api.audit.model import instant_text
from wallet_api.infra.clock import vn_day
from wallet_api.rights.calendar import add_days, add_working_days
from wallet_api.rights.errors import RightsStepRefused
from wallet_api.rights.rules import RULES, KindRule

Kind = Literal["withdraw", "restrict", "object", "view", "correct", "copy", "erase", "protect"]
State = Literal["received", "acknowledged", "carrying_out", "completed", "refused", "cancelled", "lifted"]
Relation = Literal["self", "guardian"]
OPEN: Final[frozenset[State]] = frozenset({"received", "acknowledged", "carrying_out"})


@dataclass(frozen=True)
class Step:
    """A line of history: what was done, by whom, when and why. Lines are only ever added."""

    event: str
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Erasure:
    """How far an erasure has come: what is erased and what the law keeps, both as retention classes.

    `tombstone` is a random name that says nothing. What was destroyed is swept once more at `settles_at`,
    when no process can hold an opened key any longer; only then it is done.
    """

    tombstone: str
    erased: tuple[str, ...]
    kept: tuple[str, ...]
    settles_at: datetime | None = None


@dataclass(frozen=True)
class RightsRequest:
    """One request. `details` are the person's own words; None when there are none or they were erased."""

    id: str
    citizen_id: str
    kind: Kind
    version: int
    state: State
    asked_at: datetime
    asked_by: str
    relation: Relation
    details: str | None
    history: tuple[Step, ...]
    with_others: bool = False
    extended: bool = False
    refusal: str | None = None
    erasure: Erasure | None = None

    @property
    def rule(self) -> KindRule:
        """The law's time limits for its kind."""
        return RULES.kinds[self.kind]

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in OPEN

    @property
    def acknowledge_by(self) -> date:
        """The last day to acknowledge: working days after the Vietnamese day of the request."""
        return add_working_days(vn_day(self.asked_at), self.rule.acknowledge)

    @property
    def carry_out_by(self) -> date:
        """The last day to carry it out, as things stand: with others, extended or not."""
        days = self.rule.with_others if self.with_others else self.rule.days
        return add_days(vn_day(self.asked_at), days + (self.rule.extension if self.extended else 0))

    @property
    def due_on(self) -> date:
        """The next day that counts."""
        first = self.acknowledge_by if self.state == "received" else self.carry_out_by
        return min(first, self.carry_out_by)

    @property
    def place(self) -> str:
        """Where it stands among a person's requests: by time, then id."""
        return f"{instant_text(self.asked_at)}~{self.id}"

    @property
    def due_place(self) -> str:
        """Where it stands among all requests: by the next day that counts, then id."""
        return f"{self.due_on.isoformat()}~{self.id}"

    def log_detail(self) -> dict[str, str | int | bool]:
        """What the access log tells of it: ids and codes."""
        told: dict[str, str | int | bool] = {"rights_request": self.id, "kind": self.kind}
        if self.erasure is not None:
            told |= {"tombstone": self.erasure.tombstone, "classes": ",".join(self.erasure.erased)}
        return told

    def overdue(self, today: date) -> bool:
        """Whether a day that counts has gone by while something is still to be done."""
        return self.open and today > self.due_on

    def acknowledged(self, by: str, at: datetime, *, with_others: bool, reason: str | None) -> RightsRequest:
        """Taken on; `with_others` when processors or third parties must act too, which gives more time."""
        self._only("received")
        return replace(self._stepped("acknowledged", by, at, reason, "acknowledged"), with_others=with_others)

    def prolonged(self, by: str, at: datetime, reason: str) -> RightsRequest:
        """More time, once, and only while the first time still runs."""
        self._only("acknowledged")
        if self.extended or vn_day(at) > self.carry_out_by:
            raise RightsStepRefused(self.id)
        return replace(self._stepped("extended", by, at, reason, self.state), extended=True)

    def completed(self, by: str, at: datetime, reason: str | None) -> RightsRequest:
        """Carried out."""
        self._only("acknowledged", "carrying_out")
        return self._stepped("completed", by, at, reason, "completed")

    def erasing(self, by: str, at: datetime, reason: str | None, erasure: Erasure) -> RightsRequest:
        """Its erasure is decided; from here it only goes forward."""
        self._only("acknowledged")
        if self.rule.acts != "erase":
            raise RightsStepRefused(self.id)
        return replace(self._stepped("erasing", by, at, reason, "carrying_out"), erasure=erasure)

    def swept(self, by: str, at: datetime, settles_at: datetime) -> RightsRequest:
        """What is to go was destroyed for the first time, the words of this request with it."""
        self._only("carrying_out")
        if self.erasure is None or self.erasure.settles_at is not None:
            raise RightsStepRefused(self.id)
        erasure = replace(self.erasure, settles_at=settles_at)
        done = self._stepped("erased", by, at, None, "carrying_out")
        wordless = tuple(replace(each, reason=None) for each in done.history)
        return replace(done, erasure=erasure, details=None, history=wordless)

    def refused(self, by: str, at: datetime, code: str, reason: str | None) -> RightsRequest:
        """Refused, for a reason the law knows."""
        self._only("received", "acknowledged")
        if code not in RULES.refusals:
            raise RightsStepRefused(self.id)
        return replace(self._stepped("refused", by, at, reason, "refused"), refusal=code)

    def taken_back(self, by: str, at: datetime) -> RightsRequest:
        """Cancelled by the person while it waits; a restriction in force is lifted."""
        if self.state == "completed" and self.rule.acts == "restrict":
            return self._stepped("lifted", by, at, None, "lifted")
        self._only("received", "acknowledged")
        return self._stepped("cancelled", by, at, None, "cancelled")

    def _only(self, *states: State) -> None:
        if self.state not in states:
            raise RightsStepRefused(self.id)

    def _stepped(self, event: str, by: str, at: datetime, reason: str | None, state: State) -> RightsRequest:
        step = Step(event, by, at, reason)
        return replace(self, version=self.version + 1, history=(*self.history, step), state=state)
