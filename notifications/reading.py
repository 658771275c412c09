"""A person reads: the inbox learns it, and the reminder behind it is known to be opened."""

from __future__ import annotations

from notifications.outgoing import Message
from notifications.ports import Inbox, Now, Reminders
from notifications.reminders import State

_SENT = frozenset({State.QUEUED, State.LEASED, State.ACCEPTED, State.DEFERRED, State.FAILED, State.DEAD})


class Reading:
    """What the app tells us after a tap."""

    def __init__(self, inbox: Inbox, reminders: Reminders, now: Now) -> None:
        self._inbox, self._reminders, self._now = inbox, reminders, now

    def read(self, recipient_id: str, message_id: str) -> Message:
        """Mark one message read, once. MessageNotFound if absent or of another person."""
        message = self._inbox.mark_read(recipient_id, message_id, self._now())
        if message.reminder_id is not None:
            self._reminders.move([message.reminder_id], _SENT, State.OPENED)
        return message
