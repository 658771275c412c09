"""A request to correct a record, and a dispute about whose a record is. All pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal

from wallet_api.audit.model import instant_text
from wallet_api.corrections.errors import CorrectionClosed, DisputeClosed
from wallet_api.corrections.rules import answer_by
from wallet_api.infra.clock import vn_day

Kind = Literal["wrong_value", "wrong_date", "wrong_person", "duplicate", "missing"]
State = Literal["requested", "corrected", "refused"]
DisputeState = Literal["open", "kept", "removed", "taken_back"]
Decision = Literal["keep", "remove"]
Relation = Literal["self", "guardian"]
Party = Literal["self", "guardian", "organisation", "reviewer"]
DECIDED: Final[dict[Decision, DisputeState]] = {"keep": "kept", "remove": "removed"}


@dataclass(frozen=True)
class Line:
    """A line of history: what was done, by which party, by whom of it, and when. Lines are only added."""

    event: str
    party: Party
    by: str
    at: datetime
    organisation_id: str | None = None
    """Of a line by an organisation: which. A successor may answer what was asked of the one before."""


@dataclass(frozen=True)
class Answer:
    """What the organisation said: the version that corrects, or why not. `note` is in its own words."""

    corrected_version: int | None = None
    refusal: str | None = None
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Correction:
    """One request about one version of one record, to the organisation that wrote it.

    `details` are the person's own words; None once they were erased.
    """

    id: str
    citizen_id: str
    organisation_id: str
    record_id: str
    record_version: int
    kind: Kind
    version: int
    state: State
    asked_at: datetime
    asked_by: str
    relation: Relation
    details: str | None = field(repr=False)
    history: tuple[Line, ...]
    answer: Answer | None = None

    @property
    def open(self) -> bool:
        """Whether an answer is still to come."""
        return self.state == "requested"

    @property
    def answer_by(self) -> date:
        """The last Vietnamese day on which an answer is in time."""
        return answer_by(vn_day(self.asked_at))

    @property
    def place(self) -> str:
        """Where it stands among a person's requests: by time, then id."""
        return f"{instant_text(self.asked_at)}~{self.id}"

    @property
    def due_place(self) -> str:
        """Where it stands among an organisation's: by the last day for an answer, then id."""
        return f"{self.answer_by.isoformat()}~{self.id}"

    def overdue(self, today: date) -> bool:
        """Whether the last day for an answer has gone by without one."""
        return self.open and today > self.answer_by

    def answered(self, answer: Answer, by: str, organisation_id: str, at: datetime) -> Correction:
        """Answered, for good. Raises CorrectionClosed when it was before."""
        if not self.open:
            raise CorrectionClosed(self.id)
        if self.details is None:
            answer = replace(answer, note=None)  # of whom was erased no new word is kept
        state: State = "refused" if answer.corrected_version is None else "corrected"
        line = Line(state, "organisation", by, at, organisation_id)
        history = (*self.history, line)
        return replace(self, version=self.version + 1, state=state, answer=answer, history=history)

    def log_detail(self) -> dict[str, str | int | bool]:
        """What the access log tells of it: ids and codes."""
        return {"correction": self.id, "kind": self.kind, "record": self.record_id}


@dataclass(frozen=True)
class EvidenceFile:
    """A file sent for a request: sealed with the citizen's key, never shown in place."""

    id: str
    correction_id: str
    citizen_id: str
    media_type: str
    size: int
    received_at: datetime
    content: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Dispute:
    """Somebody says that a record is not theirs. One for each record, however often it is said.

    It holds codes only. While it is open the record is seen by nobody but its author; `removed` is for good.
    """

    id: str
    citizen_id: str
    organisation_id: str | None
    record_id: str
    category: str
    version: int
    state: DisputeState
    opened_at: datetime
    opened_by: str
    relation: Relation
    history: tuple[Line, ...]
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state == "open"

    @property
    def place(self) -> str:
        """Where it stands among others: by when it was opened last, then id."""
        return f"{instant_text(self.opened_at)}~{self.id}"

    def decided(self, decision: Decision, reason: str, by: str, at: datetime) -> Dispute:
        """Decided by a reviewer. Raises DisputeClosed when it is over."""
        return replace(self._over(DECIDED[decision], "reviewer", by, at), reason=reason)

    def taken_back(self, relation: Relation, by: str, at: datetime) -> Dispute:
        """Taken back while nobody has decided. Raises DisputeClosed when it is over."""
        return self._over("taken_back", relation, by, at)

    def opened_again(self, relation: Relation, by: str, at: datetime) -> Dispute:
        """Said once more of a record that was shown again. Raises DisputeClosed for one that was removed."""
        if self.state not in ("kept", "taken_back"):
            raise DisputeClosed(self.id)
        again = self._stepped("open", relation, by, at)
        return replace(again, opened_at=at, opened_by=by, relation=relation, reason=None)

    def log_detail(self) -> dict[str, str | int | bool]:
        """What the access log tells of it: ids."""
        return {"dispute": self.id, "record": self.record_id}

    def _over(self, state: DisputeState, party: Party, by: str, at: datetime) -> Dispute:
        if not self.open:
            raise DisputeClosed(self.id)
        return self._stepped(state, party, by, at)

    def _stepped(self, state: DisputeState, party: Party, by: str, at: datetime) -> Dispute:
        line = Line(state, party, by, at)
        return replace(self, version=self.version + 1, state=state, history=(*self.history, line))
