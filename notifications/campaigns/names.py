"""Ids made out of meanings under a secret: a message has one id, and a dump of ids names nobody."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from notifications.campaigns.audience import Audience
from notifications.campaigns.disclosure import STEP

PREFIX = "c."
"""What the ids of messages of campaigns begin with, among those of reminders."""


@dataclass(frozen=True, slots=True)
class CampaignNames:
    """Names under one secret of the installation."""

    secret: bytes = field(repr=False)

    def send(self, campaign_id: str, recipient_id: str) -> str:
        """The one message of a campaign to a person."""
        return f"{PREFIX}{campaign_id}.{self._of('send', campaign_id, recipient_id)}"

    def message(self, send_id: str) -> str:
        """Its item in the inbox."""
        return self._of("message", send_id)

    def push(self, send_id: str) -> str:
        """Its push."""
        return self._of("push", send_id)

    def subject(self, citizen_id: str, series: str) -> str:
        """Somebody whose dose of a series is waited for."""
        return self._of("subject", citizen_id, series)

    def preview(self, audience: Audience, day: str) -> str:
        """A count that was told on a day."""
        return self._of("preview", json.dumps(audience.to_plain(), sort_keys=True), day)

    def shift(self, what: str) -> int:
        """Where the tens of a count are cut, 0 to 9."""
        return int(self._of("shift", what)[:8], 16) % STEP

    def _of(self, *parts: str) -> str:
        text = "\x1f".join(parts).encode()
        return hashlib.blake2b(text, digest_size=16, key=self.secret, person=b"campaigns").hexdigest()
