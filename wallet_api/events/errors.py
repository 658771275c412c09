"""What this package refuses, each with a stable public `code`."""

from __future__ import annotations

from typing import ClassVar


class EventsError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "events_error"


class DutyNotFound(EventsError):
    """This organisation owes no such erasure."""

    code = "duty_not_found"


class BadAttestation(EventsError):
    """A statement of erasure does not hold; `fault` says which part, never its content."""

    code = "attestation_invalid"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class WebhookNotFound(EventsError):
    """There is no such webhook."""

    code = "webhook_not_found"


class BadWebhook(EventsError):
    """An address that events are not sent to; `fault` says why."""

    code = "webhook_refused"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class TooManyWebhooks(EventsError):
    """The organisation has as many webhooks as it may; remove one first."""

    code = "too_many_webhooks"
