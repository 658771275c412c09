"""Ports of campaigns: the promises every implementation keeps, as the contract suite checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifications.campaigns.audience import Audience
from notifications.campaigns.model import Campaign, CampaignState, ListSummary
from notifications.campaigns.rows import NumberKind
from notifications.campaigns.standing import PersonRow
from notifications.model import Preferences
from notifications.ports import Unit
from notifications.reminders import MOVES, State

SEND_MOVES: Mapping[State, frozenset[State]] = {
    **MOVES,
    State.QUEUED: MOVES[State.QUEUED] | {State.PLANNED},
    State.LEASED: MOVES[State.LEASED] | {State.PLANNED},
    State.DEFERRED: MOVES[State.DEFERRED] | {State.PLANNED},
}
"""As for reminders; and what had not gone out when its campaign was paused is planned again."""
Counts = Mapping[str, int]
FUNNEL = ("planned", "sent", "opened", "followed")
"""Planned for a day, handed to a device or the inbox alone, opened, and followed by the dose in 30 days."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message of a campaign to one person; `id` stands for both, so that there is never a second."""

    id: str
    campaign_id: str
    shard: int
    recipient_id: str
    subject_id: str
    topic: str
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ShardRun:
    """How far one shard of a campaign has come: the last citizen that was looked at."""

    cursor: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class SeriesTotals:
    """People of one cohort and province in one series: for whom it is, with a first dose, with all."""

    eligible: int = 0
    started: int = 0
    complete: int = 0

    def __add__(self, other: SeriesTotals) -> SeriesTotals:
        pairs = (self.eligible + other.eligible, self.started + other.started, self.complete + other.complete)
        return SeriesTotals(*pairs)


class People(Protocol):
    """One row a person, and the counters that follow each change of a row in the same unit."""

    def put(self, row: PersonRow, unit: Unit | None = None) -> PersonRow | None:
        """Put a row in the place of the person's last, which is given back, and move the counters with it."""
        ...

    def forget(self, citizen_id: str, unit: Unit | None = None) -> None:
        """Take a person out of audiences and counters."""
        ...

    def page(
        self, shard: int, province: str | None, commune: str | None, after: str, limit: int
    ) -> Sequence[PersonRow]:
        """People of a shard and commune (of a province, if none is named) past `after`, in order of id."""
        ...

    def of(self, citizen_ids: Collection[str]) -> Mapping[str, PersonRow]:
        """The rows of these people, by id; who has none is absent."""
        ...

    def totals(
        self, series: str, provinces: Collection[str], years: Collection[int]
    ) -> Mapping[tuple[str, int], SeriesTotals]:
        """Totals by province and year of birth, from counters: their cost does not grow with people."""
        ...


class Campaigns(Protocol):
    """Campaigns by compare-and-set, and how far each has come."""

    def add(self, campaign: Campaign) -> None:
        """Keep a new one; one that is there already under this id is left as it is."""
        ...

    def get(self, campaign_id: str) -> Campaign | None:
        """One campaign."""
        ...

    def save(self, campaign: Campaign, *, expected: int) -> None:
        """Put a new version in the place of `expected`. Raises StaleCampaign."""
        ...

    def newest(self, state: CampaignState | None, limit: int) -> Sequence[Campaign]:
        """Those made last, in one state or in any."""
        ...

    def live(self) -> Sequence[str]:
        """Ids of those that are scheduled or running."""
        ...

    def runs(self, campaign_id: str) -> Mapping[int, ShardRun]:
        """How far each shard has come that was begun."""
        ...

    def advance(
        self, campaign_id: str, shard: int, frm: ShardRun, to: ShardRun, counts: Counts, unit: Unit | None
    ) -> None:
        """Move a shard on and count what was done. Raises LeaseLost when another worker was faster."""
        ...

    def count(self, campaign_id: str, shard: int, counts: Counts, unit: Unit | None = None) -> None:
        """Add to the counters of a campaign."""
        ...

    def progress(self, campaign_id: str) -> Counts:
        """The counters of a campaign, all shards together; `shards_done` among them."""
        ...

    def take(self, campaign_id: str, minute: datetime, wanted: int, most: int) -> int:
        """Take from what may go out in a minute; how many were granted, together never more than `most`."""
        ...


class Sends(Protocol):
    """Messages of campaigns, moved by compare-and-set along `SEND_MOVES`, counted as they move."""

    def add(self, sends: Sequence[Send], unit: Unit | None = None) -> frozenset[str]:
        """Keep those whose id is new and count them; the ids that were."""
        ...

    def many(self, ids: Collection[str]) -> Mapping[str, Send]:
        """Those that exist, by id."""
        ...

    def held(self, campaign_id: str, limit: int) -> Sequence[Send]:
        """Planned ones: those taken back while the campaign was paused."""
        ...

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Move those that are in one of `frm` now; return exactly the ids this call moved."""
        ...

    def note_subjects(
        self, campaign_id: str, subjects: Sequence[str], shard: int, at: datetime, unit: Unit | None
    ) -> None:
        """Remember by keyed names whom a campaign was about, for as long as its effect is counted."""
        ...

    def dosed(self, subject: str, since: datetime, unit: Unit | None) -> int:
        """Count, once each, the campaigns since then that were about somebody who has the dose now."""
        ...


class Lists(Protocol):
    """Uploaded numbers, sealed and in parts, and what was wrong with the rows that were not good."""

    def begin(self, campaign_id: str, number: int, kind: NumberKind) -> None:
        """Begin upload `number`; what an earlier one left is deleted."""
        ...

    def put(self, campaign_id: str, number: int, part: int, numbers: Sequence[str]) -> None:
        """Keep a part of the good rows."""
        ...

    def put_faults(self, campaign_id: str, number: int, part: int, faults: Sequence[tuple[int, str]]) -> None:
        """Keep a part of the report: row numbers and codes."""
        ...

    def drop(self, campaign_id: str, number: int) -> None:
        """Delete the good rows: the campaign has ended. The report stays."""
        ...

    def part(self, campaign_id: str, number: int, part: int) -> tuple[NumberKind, Sequence[str]] | None:
        """One part of the good rows; None past the last."""
        ...

    def faults(self, campaign_id: str, number: int, part: int) -> Sequence[tuple[int, str]] | None:
        """One part of the report; None past the last."""
        ...


class Numbers(Protocol):
    """Whose numbers they are."""

    def __call__(self, kind: NumberKind, numbers: Collection[str], /) -> Sequence[str]:
        """The ids of the people these numbers stand for today; nobody for the rest."""
        ...


class Meant(Protocol):
    """Who is told of many people, and what they have chosen: asked for a page or a batch at once."""

    def who(self, rows: Collection[PersonRow]) -> Mapping[str, Sequence[str]]:
        """Guardians of a child under 14, the person from 14; nobody for the dead and restricted."""
        ...

    def preferences(self, citizen_ids: Collection[str]) -> Mapping[str, Preferences]:
        """What each of them has chosen, or the defaults."""
        ...


class Funnel(Protocol):
    """What becomes of a programme's reminders, counted as it happens."""

    def count(self, counts: Mapping[tuple[str, int], int], what: str, unit: Unit | None = None) -> None:
        """Add `what` of `FUNNEL` to the counters of programmes, given by (programme, shard)."""
        ...

    def figures(self) -> Mapping[str, Mapping[str, int]]:
        """The counters of every programme."""
        ...


class Previews(Protocol):
    """Counts that were told before: what a difference could be taken from."""

    def since(self, at: datetime, limit: int) -> Sequence[tuple[Audience, int]]:
        """The newest, at most `limit`."""
        ...

    def note(self, preview_id: str, audience: Audience, count: int, at: datetime) -> None:
        """Remember one."""
        ...


__all__ = [
    "Campaigns",
    "Counts",
    "Funnel",
    "ListSummary",
    "Lists",
    "Meant",
    "Numbers",
    "People",
    "Previews",
    "Send",
    "Sends",
    "SeriesTotals",
    "ShardRun",
]
