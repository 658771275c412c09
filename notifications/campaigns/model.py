"""A campaign and its way from a draft to its end. Steps are pure: each gives the next version, or refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from notifications.campaigns.audience import Audience
from notifications.errors import CampaignNeedsApproval, CampaignStepRefused, SecondPersonNeeded

Kind = Literal["information", "outbreak"]
KINDS: tuple[Kind, ...] = ("information", "outbreak")
ALONE = 500
"""People one person of ops may send to without a second: our own choice. An outbreak, and a list of people
somebody chose, always take two."""
PER_MINUTE = 6_000
"""The fastest pace, in people a minute: a fifth of what the channel takes by default."""


class CampaignState(StrEnum):
    """draft -> approved -> scheduled -> running <-> paused -> done; cancelled from any but the ends.

    A small campaign goes from draft without approval; one that grew beyond the limit is paused, approved and
    launched again, and goes on where it was. A list, once changed, takes approved back to draft.
    """

    DRAFT = "draft"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


_S = CampaignState
MOVES: Mapping[str, tuple[frozenset[CampaignState], CampaignState]] = {
    "approved": (frozenset({_S.DRAFT, _S.PAUSED}), _S.APPROVED),
    "listed": (frozenset({_S.DRAFT, _S.APPROVED}), _S.DRAFT),
    "launched": (frozenset({_S.DRAFT, _S.APPROVED}), _S.RUNNING),
    "begun": (frozenset({_S.SCHEDULED}), _S.RUNNING),
    "paused": (frozenset({_S.SCHEDULED, _S.RUNNING}), _S.PAUSED),
    "resumed": (frozenset({_S.PAUSED}), _S.RUNNING),
    "done": (frozenset({_S.RUNNING}), _S.DONE),
    "cancelled": (frozenset(_S) - {_S.DONE, _S.CANCELLED}, _S.CANCELLED),
}
"""What a step needs and where it leads; one that leads to running waits in scheduled until its time."""
ENDED = frozenset({_S.DONE, _S.CANCELLED})
LIVE = frozenset({_S.SCHEDULED, _S.RUNNING})
SYSTEM = "system"
"""Who takes the steps that nobody of ops takes: beginning on time, being done, stopping at a limit."""


@dataclass(frozen=True, slots=True)
class ListSummary:
    """What an upload came to. `digest` stands for the whole list, so that an approval is of exactly it.

    `whole` is False while it is read, and for good when it broke off.
    """

    rows: int = 0
    good: int = 0
    bad: int = 0
    duplicates: int = 0
    digest: str = ""
    whole: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done: what, by whom, when, and a code of why."""

    event: str
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One message to an audience. All that is sent is fixed when it is made, but for the list.

    `people`: about how many it was for when it was launched. Not told as it is.
    """

    id: str
    name: str
    kind: Kind
    template: str
    audience: Audience
    per_minute: int
    created_by: str
    created_at: datetime
    starts_at: datetime | None = None
    version: int = 1
    state: CampaignState = CampaignState.DRAFT
    listed: ListSummary | None = None
    prepared_by: frozenset[str] = field(default_factory=frozenset)
    approved_by: str | None = None
    approved_digest: str = ""
    launched_at: datetime | None = None
    people: int = 0
    history: tuple[Step, ...] = ()

    @property
    def critical(self) -> bool:
        """Whether it goes out at any hour and beside the message of the day."""
        return self.kind == "outbreak"

    def digest(self) -> str:
        """Stands for everything that decides who gets what when: what an approval is an approval of."""
        told = {
            "kind": self.kind,
            "template": self.template,
            "audience": self.audience.to_plain(),
            "per_minute": self.per_minute,
            "starts_at": self.starts_at.isoformat() if self.starts_at else None,
            "list": self.listed.digest if self.listed else None,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def approved(self) -> bool:
        """Whether a second person said yes to exactly this."""
        return self.approved_by is not None and self.approved_digest == self.digest()

    def needs_approval(self, people: int) -> bool:
        """Whether one person alone may not send it to so many."""
        return not self.approved and (self.critical or self.audience.listed or people > ALONE)

    def step(self, event: str, by: str, at: datetime, reason: str = "") -> Campaign:
        """The next version after an event. Raises CampaignStepRefused in any other state than it needs."""
        needed, state = MOVES[event]
        if self.state not in needed:
            raise CampaignStepRefused(event)
        if state is CampaignState.RUNNING and event != "begun" and self.starts_at and at < self.starts_at:
            state = CampaignState.SCHEDULED
        history = (*self.history, Step(event, by, at, reason))
        return replace(self, state=state, version=self.version + 1, history=history)

    def approve(self, by: str, at: datetime) -> Campaign:
        """A second person says yes to what this version says.

        Raises:
            SecondPersonNeeded: whoever made it or its list. CampaignStepRefused: its list is not whole.
        """
        if by in self.prepared_by | {self.created_by}:
            raise SecondPersonNeeded("approve")
        self._check_list("approved")
        return replace(self.step("approved", by, at), approved_by=by, approved_digest=self.digest())

    def launch(self, by: str, at: datetime, people: int) -> Campaign:
        """Let it go, now or at its time, to about so many people.

        Raises:
            CampaignNeedsApproval: nobody else has approved exactly this. CampaignStepRefused.
        """
        self._check_list("launched")
        moved = self.step("launched", by, at)
        if self.needs_approval(people):
            raise CampaignNeedsApproval(self.id)
        return replace(moved, launched_at=at, people=people)

    def with_list(self, summary: ListSummary, by: str, at: datetime) -> Campaign:
        """Another list; whatever was approved before is not approved any more."""
        if not self.audience.listed:
            raise CampaignStepRefused("listed")
        moved = self.step("listed", by, at)
        return replace(
            moved,
            listed=summary,
            prepared_by=self.prepared_by | {by},
            approved_by=None,
            approved_digest="",
        )

    def _check_list(self, event: str) -> None:
        if self.audience.listed and (self.listed is None or not self.listed.whole or not self.listed.good):
            raise CampaignStepRefused(event)
