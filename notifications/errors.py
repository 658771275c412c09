"""What this package refuses. Every `code` is public and never reworded; messages carry no personal data."""

from __future__ import annotations

from typing import ClassVar


class NotificationError(Exception):
    """Root of every refusal of this package."""

    code: ClassVar[str] = "notification_error"


class BadProgramme(NotificationError):
    """A programme, vaccine or template file breaks its schema; the start-up stops and names the file."""

    code = "bad_programme"

    def __init__(self, programme_id: str, why: str) -> None:
        super().__init__(f"{programme_id}: {why}")
        self.programme_id = programme_id


class BadTemplate(NotificationError):
    """A text asks for a value it did not get, or got one it does not use."""

    code = "bad_template"


class BadDevice(NotificationError):
    """A device registration is malformed: unknown address kind, or characters no address has."""

    code = "bad_device"


class LeaseLost(NotificationError):
    """Another worker holds the batch now: the version moved since it was claimed."""

    code = "lease_lost"


class MessageNotFound(NotificationError):
    """No such message in this person's inbox (foreign and absent are the same)."""

    code = "message_not_found"


class DeadLetterNotFound(NotificationError):
    """No dead letter of this id."""

    code = "dead_letter_not_found"


class BadChannel(NotificationError):
    """A channel cannot be built: endpoint not https, or credentials unusable."""

    code = "bad_channel"
