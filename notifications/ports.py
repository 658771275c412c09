"""Ports of the reminder services: the promises every implementation keeps, as the contract suite checks.

`unit` is an opaque transaction the store may join (a MongoDB session); None means the call stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar

from notifications.model import Care, CitizenFacts, DueItem, Preferences
from notifications.outgoing import (
    Address,
    Attempt,
    Batch,
    BatchState,
    Device,
    Envelope,
    Message,
    Outcome,
    Push,
)
from notifications.pacing import Tally
from notifications.reminders import Reminder, State
from notifications.rules import Stamp

T = TypeVar("T")
Unit = object
Now = Callable[[], datetime]
NewId = Callable[[], str]
Alert = Callable[[str, str, Mapping[str, int]], None]
"""Tells ops: a stable code, the template version that went out, counts. Never an id or value of a person."""


class InUnit(Protocol):
    """Runs work in one transaction."""

    def __call__(self, work: Callable[[Unit | None], T]) -> T:
        """Call `work(unit)`, maybe several times; all it wrote with that unit is kept, or nothing is."""
        ...


class CareHistory(Protocol):
    """Facts and care of a citizen, as the records have them now (in `unit`: as the transaction sees them)."""

    def facts(self, citizen_id: str, unit: Unit | None = None) -> CitizenFacts | None:
        """Facts, or None for a person unknown, erased or without a birth date."""
        ...

    def care(self, citizen_id: str, unit: Unit | None = None) -> Sequence[Care]:
        """All doses and exams on record that were not entered in error, in any order."""
        ...


class Recipients(Protocol):
    """Who is told of a citizen's due care."""

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        """Guardians of a child under 14, the person from 14; nobody for the dead. Asked anew when sending."""
        ...


class PreferenceStore(Protocol):
    """What a person has chosen."""

    def of(self, citizen_id: str) -> Preferences:
        """The stored choice, or the defaults."""
        ...

    def save(self, citizen_id: str, preferences: Preferences) -> None:
        """Replace the choice."""
        ...


@dataclass(frozen=True, slots=True)
class DueRow:
    """The stored plan of one citizen. `items` None: it cannot be read. `stamp` None: not planned yet."""

    citizen_id: str
    items: tuple[DueItem, ...] | None
    review_on: date | None
    stamp: Stamp | None = None


class DueItems(Protocol):
    """The materialised plan: one document per citizen, found again by (shard, review day)."""

    def replace(
        self,
        citizen_id: str,
        items: Sequence[DueItem],
        review_on: date | None,
        unit: Unit | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        """Put the new plan in place of the old. `review_on` None: only an event brings this citizen back."""
        ...

    def row(self, citizen_id: str, unit: Unit | None = None) -> DueRow | None:
        """The stored plan of one citizen."""
        ...

    def rows(self, shard: int, after: str, limit: int) -> Sequence[DueRow]:
        """Stored plans of a shard with a citizen id after `after`, in the order of ids, at most `limit`."""
        ...

    def due_between(self, shard: int, day_from: date, day_to: date, limit: int) -> Sequence[str]:
        """Citizens of a shard to review on [day_from, day_to], earliest day first, at most `limit`."""
        ...


class Reminders(Protocol):
    """Reminders by id, moved by compare-and-set along `reminders.MOVES`."""

    def plan(self, reminder: Reminder, unit: Unit | None = None) -> bool:
        """Insert, or ignore if the id is known: True if it will be sent.

        A known one still planned takes the new days; a cancelled one is planned anew; any other stays as
        it is (False).
        """
        ...

    def many(self, ids: Collection[str]) -> Mapping[str, Reminder]:
        """Those that exist, by id."""
        ...

    def planned(self, shard: int, day_to: date, limit: int) -> Sequence[Reminder]:
        """Planned ones of a recipient shard with send_on <= day_to, ordered by (recipient, id)."""
        ...

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        mark: str = "",
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Move those that are in one of `frm` now; return exactly the ids this call (this `mark`) moved.

        Steps the state machine does not have are not taken. `mark` and `reason` are stored when not empty.
        A store that only counts what it changed can stamp every call with a fresh token and read that back.
        """
        ...

    def cancel_for(
        self, citizen_id: str, series_id: str, dose: int, reason: str, unit: Unit | None = None
    ) -> int:
        """Cancel what is not yet leased of one dose, for every recipient; return how many."""
        ...

    def of_citizen(self, citizen_id: str) -> Sequence[Reminder]:
        """All reminders about a citizen, in any state."""
        ...

    def of_recipient(self, recipient_id: str, day_from: date, day_to: date) -> Sequence[Reminder]:
        """Reminders for a person, in any state, to be sent on these days (both included)."""
        ...

    def pushed_on(self, recipient_id: str, day: date) -> bool:
        """True if a reminder of this recipient with that send_on has left planned (and was not cancelled)."""
        ...


class Outbox(Protocol):
    """Batches of pushes: claimed and acknowledged as a whole. The truth about what is still to send."""

    def add(self, batch: Batch, unit: Unit | None = None) -> None:
        """Insert; a known id is ignored."""
        ...

    def claim(self, shard: int, now: datetime, lease: timedelta) -> Batch | None:
        """Lease the oldest queued batch with due_at <= now to exactly one caller, critical ones first.

        None if there is none.
        """
        ...

    def acknowledge(
        self,
        batch: Batch,
        attempt: Attempt,
        state: BatchState,
        rest: Sequence[Push] = (),
        due_at: datetime | None = None,
        tries: int = 0,
        unit: Unit | None = None,
    ) -> None:
        """End a lease: append the attempt, set state, remaining pushes, due time and tries.

        Raise LeaseLost (nothing changed) if the stored version is not `batch.version`.
        """
        ...

    def sweep(self, now: datetime) -> int:
        """Put batches whose lease has run out back into the queue; return how many."""
        ...

    def dead(self, limit: int, before: tuple[datetime, str] | None = None) -> Sequence[Batch]:
        """Dead batches, latest death first by (due_at, id); `before` is the last key of the page before."""
        ...

    def get(self, batch_id: str) -> Batch | None:
        """One batch in any state."""
        ...

    def forget_dead(self, died_before: datetime) -> int:
        """Delete dead batches with due_at <= died_before; return how many."""
        ...

    def revive(self, batch: Batch, now: datetime, until: datetime, unit: Unit | None = None) -> bool:
        """Queue a dead batch again, its tries forgotten; False if it is dead no more (nothing changed)."""
        ...

    def ready(self, now: datetime) -> frozenset[int]:
        """Shards that have a queued batch with due_at <= now: what a worker should be woken for."""
        ...


class Inbox(Protocol):
    """Messages of a person."""

    def add(self, messages: Iterable[Message], unit: Unit | None = None) -> int:
        """Insert those whose id is new; return how many. A known one is left as it is (its read mark too)."""
        ...

    def page(
        self, recipient_id: str, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[Message]:
        """Own messages, newest first by (created_at, id); `before` is the last key of the page before."""
        ...

    def unread_pushes(self, recipient_ids: Collection[str]) -> Collection[tuple[str, str]]:
        """(recipient, nid) of every unread message of these people."""
        ...

    def unread(self, recipient_id: str) -> int:
        """How many messages are not read."""
        ...

    def mark_read(self, recipient_id: str, message_id: str, at: datetime) -> Message:
        """Set the read mark once; a second call keeps the first time. MessageNotFound: absent or foreign."""
        ...


class Devices(Protocol):
    """Registered apps and their push addresses."""

    def register(self, device: Device) -> Device:
        """Store under the installation id, enabled, out of quarantine, with a version it never had before.

        That holds after a deletion too: the later of the old version plus 1 and `last_seen` in milliseconds.
        The installation and the address value leave any other citizen or installation that had them. At
        most 5 a citizen: the one seen longest ago goes.
        """
        ...

    def addresses_of(
        self, citizen_ids: Collection[str], seen_since: datetime
    ) -> Mapping[str, tuple[Address, ...]]:
        """Enabled addresses seen at or after `seen_since`, by citizen; citizens without any are absent."""
        ...

    def delete_if_unchanged(self, installation_id: str, version: int) -> bool:
        """Delete unless it was registered anew since; True if deleted."""
        ...

    def quarantine(self, installation_id: str, version: int) -> bool:
        """Mark as doubtful, unchanged version only; a second time deletes it. True if anything changed."""
        ...

    def clear(self, installation_id: str, version: int) -> bool:
        """Lift the quarantine after a push was accepted, unchanged version only."""
        ...

    def disable(self, installation_id: str, version: int) -> bool:
        """Stop using it until it registers again, unchanged version only."""
        ...

    def remove(self, citizen_id: str, installation_id: str) -> bool:
        """Forget an app of this citizen (sign-out); True if it was there."""
        ...

    def of_citizen(self, citizen_id: str) -> Sequence[Device]:
        """All apps of a citizen, latest seen first."""
        ...


class Brakes(Protocol):
    """Shared stops: a paused provider and texts that must not go out. Seen by every worker."""

    def pause(self, bucket: str, until: datetime) -> None:
        """Hold a bucket until then; never shortens a pause."""
        ...

    def paused_until(self, bucket: str) -> datetime | None:
        """End of the last pause of a bucket, also when past."""
        ...

    def stop(self, template: str) -> None:
        """Stop one template version for good; only ops release it."""
        ...

    def release(self, template: str) -> None:
        """Let a template version out again."""
        ...

    def stopped(self, template: str) -> bool:
        """True while a template version is stopped."""
        ...

    def holds(self, bucket: str, template: str, now: datetime) -> bool:
        """True while the bucket is paused or the template version stopped."""
        ...

    def tally(self, bucket: str, now: datetime, tried: int, refused: int) -> Tally:
        """Add to the answers of this minute; return all of this minute so far."""
        ...


class Channel(Protocol):
    """A way to a device."""

    name: str
    template: str
    """Version of the fixed push text; what a bad-payload answer stops."""

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """Answer for every envelope, in order. Never raises for one address, never sleeps on a retry hint."""
        ...
