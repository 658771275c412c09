"""How far a campaign has come: parts of one total that add up, as they may be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from notifications.campaigns.disclosure import SMALLEST, STEP, progress_shown, rounded
from notifications.campaigns.model import ENDED, Campaign
from notifications.campaigns.ports import Counts, Send
from notifications.reminders import SHARDS, State

OUTCOME_DAYS: Final = 30
"""Within how many days of its message a dose counts as followed by it."""
_WAITING: Final = (State.PLANNED, State.QUEUED, State.LEASED, State.DEFERRED)


def state_count(state: State) -> str:
    """The counter of what is in a state now."""
    return f"in_{state.value}"


def begun_counts(send: Send) -> Counter[str]:
    """What a new message adds to the counters of its campaign."""
    counts = Counter({state_count(send.state): 1})
    if send.state is State.FAILED:
        counts[f"failed_{send.reason}"] += 1
    return counts


def moved_counts(send: Send, to: State, reason: str) -> Counter[str]:
    """What a step of a message adds to the counters of its campaign, and takes away."""
    counts = Counter({state_count(to): 1})
    counts.subtract([state_count(send.state)])
    if send.state in (State.FAILED, State.DEAD):
        counts.subtract([f"failed_{send.reason or send.state.value}"])
    if to in (State.FAILED, State.DEAD):
        counts[f"failed_{reason or to.value}"] += 1
    if to is State.CANCELLED:
        counts[f"stopped_{reason or to.value}"] += 1
    return counts


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of messages; None where there are too few to tell. Parts of `planned`, which they add up to:
    `queued` (not gone out yet), `accepted` (a device has it, or the inbox alone), `opened`, `failed`,
    `cancelled`.

    `failures`, `left_out`: by code; who was left out is not in `planned`. `remaining`: about how many people
    are still to come; `minutes_left` follows from the pace. `followed`: doses on record within 30 days.
    """

    planned: int | None
    parts: Mapping[str, int | None]
    failures: Mapping[str, int | None]
    left_out: Mapping[str, int | None]
    remaining: int | None
    minutes_left: int | None
    followed: int | None
    shards_done: int


def progress_of(campaign: Campaign, counts: Counts, shift: int) -> Progress:
    """What is told of these counters. `shift`: where the tens of a list's counts are cut."""
    parts = {
        "queued": sum(counts.get(state_count(each), 0) for each in _WAITING),
        "accepted": counts.get(state_count(State.ACCEPTED), 0),
        "opened": counts.get(state_count(State.OPENED), 0),
        "failed": counts.get(state_count(State.FAILED), 0) + counts.get(state_count(State.DEAD), 0),
        "cancelled": counts.get(state_count(State.CANCELLED), 0),
    }
    planned = sum(parts.values())
    remaining = 0
    if campaign.state not in ENDED and campaign.launched_at is not None:
        shards = SHARDS if not campaign.audience.listed else 1
        coming = campaign.people - counts.get("subjects", 0) if counts.get("shards_done", 0) < shards else 0
        remaining = max(0, coming) + parts["queued"]
    shown = progress_shown(parts)
    if campaign.audience.listed:
        shown = {name: _tens(count, shift) for name, count in parts.items()}
    return Progress(
        planned=_tens(planned, shift) if campaign.audience.listed else _told(planned),
        parts=shown if _told(planned) is not None else dict.fromkeys(parts),
        failures=_coded(counts, "failed_"),
        left_out=_coded(counts, "left_out_"),
        remaining=None if 0 < remaining < SMALLEST else remaining // STEP * STEP,
        minutes_left=-(-remaining // campaign.per_minute) if campaign.launched_at else None,
        followed=_told(counts.get("followed", 0)),
        shards_done=counts.get("shards_done", 0),
    )


def _told(count: int) -> int | None:
    return None if 0 < count < SMALLEST else count


def _tens(count: int, shift: int) -> int | None:
    """A list is of chosen people: whether one of them is somebody must not be seen."""
    return 0 if count == 0 else rounded(count, shift)


def _coded(counts: Counts, prefix: str) -> dict[str, int | None]:
    found = {name.removeprefix(prefix): each for name, each in counts.items() if name.startswith(prefix)}
    return {code: _told(count) for code, count in sorted(found.items()) if count > 0}
