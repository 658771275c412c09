"""Telling somebody at once: a message in the inbox and a push, at any hour, in one step.

Reminders wait for their day and window and are asked about again before they go out. An alert is about what
has happened already: it waits for nothing, and nothing takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.outgoing import Batch, Message, Push
from notifications.ports import Inbox, InUnit, Now, Outbox, Unit
from notifications.reminders import shard_of

PUSHED_FOR = timedelta(days=2)
"""How long a push is tried; the message in the inbox stays."""


@dataclass(frozen=True)
class Alerts:
    """Puts alerts where they are found and sends for their readers. Telling again tells nothing twice."""

    inbox: Inbox
    outbox: Outbox
    in_unit: InUnit
    push_template: str
    now: Now

    def send(self, messages: Sequence[Message], push_at: datetime | None = None) -> None:
        """Keep these messages and queue a push for each, both or neither; a push at once, or at `push_at`.

        A message whose id is known is left as it is; its `nid` names the push, which is queued once.
        """
        if not messages:
            return
        due_at = push_at or self.now()
        batches = [
            Batch(
                id=each.nid,
                shard=shard_of(each.recipient_id),
                template=self.push_template,
                pushes=(Push(each.recipient_id, each.nid, (), alert=True),),
                due_at=due_at,
                until=due_at + PUSHED_FOR,
                lane="critical",
            )
            for each in messages
        ]

        def work(unit: Unit | None) -> None:
            self.inbox.add(messages, unit)
            for batch in batches:
                self.outbox.add(batch, unit)

        self.in_unit(work)
