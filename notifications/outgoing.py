"""Values on the way out: addresses, pushes, batches, what a channel answered, messages in the inbox."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from notifications.errors import BadDevice
from notifications.model import Locale

Lane = Literal["normal", "critical"]
AddressKind = Literal["fid", "token"]
_SAFE = re.compile(r"[A-Za-z0-9_:-]{8,512}")


@dataclass(frozen=True, slots=True)
class Device:
    """One installed app. `installation_id` is its own id; the store sets `version` at every registration."""

    installation_id: str
    citizen_id: str
    kind: AddressKind
    value: str = field(repr=False)
    platform: str
    last_seen: datetime
    version: int = 0
    quarantined: bool = False
    disabled: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("fid", "token") or not _SAFE.fullmatch(self.value):
            raise BadDevice("a push address has another form")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a push goes. `version` is the registration it was read from: a verdict applies to that alone."""

    installation_id: str
    citizen_id: str
    kind: AddressKind
    value: str = field(repr=False)
    version: int
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """All a channel gets: an address, an opaque id, a language and the instant the push loses its sense."""

    address: Address
    nid: str
    locale: Locale
    until: datetime


class Answer(StrEnum):
    """What became of one envelope. `RETRYABLE` ones may be tried again."""

    ACCEPTED = "accepted"
    UNREGISTERED = "unregistered"
    BAD_ADDRESS = "bad_address"
    SENDER_MISMATCH = "sender_mismatch"
    BAD_PAYLOAD = "bad_payload"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    UNAUTHORISED = "unauthorised"
    NOT_TRIED = "not_tried"


REFUSALS = frozenset(
    {
        Answer.UNREGISTERED,
        Answer.BAD_ADDRESS,
        Answer.SENDER_MISMATCH,
        Answer.BAD_PAYLOAD,
        Answer.UNAUTHORISED,
    }
)
"""Client errors: FCM counts them against the quota, and grants no more to who makes many."""
RETRYABLE = frozenset(
    {Answer.THROTTLED, Answer.UNAVAILABLE, Answer.UNAUTHORISED, Answer.NOT_TRIED, Answer.BAD_PAYLOAD}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A channel's answer for one address. `retry_after` in seconds, if the provider said so."""

    address: Address
    answer: Answer
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """One push for one person and day. `installations`, in a retry: the devices still owed; None is all.

    An `alert` goes out at any hour. One that stands for no reminder is cancelled by nothing; an urgent
    message of a campaign is an alert with an id, and goes only while its reason stands. `urgent`: reminders
    that the person wants at any hour.
    """

    recipient_id: str
    nid: str
    reminder_ids: tuple[str, ...]
    installations: frozenset[str] | None = None
    alert: bool = False
    urgent: bool = False


class BatchState(StrEnum):
    """queued -> leased -> done | queued again | dead."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a batch: when, and how many envelopes got which answer. Appended, never changed."""

    at: datetime
    answers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Pushes claimed and acknowledged as a whole; together they had at most 500 addresses when queued.

    `tries` counts only failures of the provider (5xx, timeouts, our credential). From `until` on it is
    given up. What is `critical` (alerts: consent asked for, security) is claimed first and may use the
    reserve. `replays`: how often ops had it sent again after it had died.
    """

    id: str
    shard: int
    template: str
    pushes: tuple[Push, ...]
    due_at: datetime
    until: datetime
    state: BatchState = BatchState.QUEUED
    tries: int = 0
    version: int = 1
    lease_until: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    lane: Lane = "normal"
    replays: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One item of a person's inbox: the truth that a push only points at. `nid` is the push it came with."""

    id: str
    recipient_id: str
    subject_id: str
    topic: str
    nid: str
    title: str
    body: str
    template: str
    created_at: datetime
    reminder_id: str | None
    read_at: datetime | None = None
