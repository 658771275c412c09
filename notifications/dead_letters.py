"""What was given up after many tries: seen by ops, and sent again when they say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.errors import DeadLetterNotFound
from notifications.outgoing import Batch, BatchState
from notifications.ports import InUnit, Now, Outbox, Reminders, Unit
from notifications.reminders import State

KEPT_FOR = timedelta(days=30)
_TRIED_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A batch that was given up, in counts alone. `answers`: what its last try heard."""

    id: str
    template: str
    pushes: int
    died_at: datetime
    tries: int
    answers: Mapping[str, int]
    state: BatchState


@dataclass(frozen=True)
class DeadLetters:
    """Lists and replays. Replaying twice sends once."""

    outbox: Outbox
    reminders: Reminders
    in_unit: InUnit
    now: Now

    def page(self, limit: int, before: tuple[datetime, str] | None = None) -> Sequence[DeadLetter]:
        """Latest death first; `before` is (died_at, id) of the last one of the page before."""
        return [_told(each) for each in self.outbox.dead(limit, before)]

    def replay(self, batch_id: str) -> DeadLetter:
        """Queue it again for two days; the sender asks every stop condition anew.

        One that was replayed already is told as it stands. Raise DeadLetterNotFound for one that never died.
        """
        known = self.outbox.get(batch_id)
        if known is None or not (known.state is BatchState.DEAD or known.replays):
            raise DeadLetterNotFound("no such dead letter")
        if known.state is not BatchState.DEAD:
            return _told(known)
        now, ids = self.now(), [each for push in known.pushes for each in push.reminder_ids]

        def work(unit: Unit | None) -> None:
            if self.outbox.revive(known, now, now + _TRIED_FOR, unit) and ids:
                self.reminders.move(ids, [State.DEAD], State.DEFERRED, reason="replayed", unit=unit)

        self.in_unit(work)
        return _told(self.outbox.get(batch_id) or known)

    def forget(self) -> int:
        """Drop those that died 30 days ago or earlier; return how many."""
        return self.outbox.forget_dead(self.now() - KEPT_FOR)


def _told(batch: Batch) -> DeadLetter:
    last = batch.attempts[-1] if batch.attempts else None
    return DeadLetter(
        id=batch.id,
        template=batch.template,
        pushes=len(batch.pushes),
        died_at=batch.due_at if batch.state is BatchState.DEAD or last is None else last.at,
        tries=len(batch.attempts),
        answers=last.answers if last else {},
        state=batch.state,
    )
