"""The stop conditions of a campaign's message, asked when it is made and right before it goes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from notifications.campaigns.model import Campaign
from notifications.campaigns.ports import Meant, Send
from notifications.campaigns.standing import PersonRow
from notifications.model import Preferences


@dataclass(frozen=True, slots=True)
class Stops:
    """Decides for one moment about the people it was made for; make a new one for each page and batch."""

    campaign: Campaign
    topic: str
    today: date
    rows: Mapping[str, PersonRow]
    told: Mapping[str, Sequence[str]]
    chosen: Mapping[str, Preferences]

    @classmethod
    def at(
        cls, campaign: Campaign, topic: str, meant: Meant, rows: Collection[PersonRow], today: date
    ) -> Stops:
        """Ask at once for all of these people that the audience still holds."""
        held = {row.citizen_id: row for row in rows if campaign.audience.holds(row, today)}
        told = meant.who(held.values())
        chosen = meant.preferences({who for each in told.values() for who in each})
        return cls(campaign, topic, today, held, told, chosen)

    def who(self, citizen_id: str) -> Sequence[str]:
        """Whom to tell of this person; nobody if the audience does not hold them."""
        return self.told.get(citizen_id, ())

    def opted_out(self, recipient_id: str) -> bool:
        """Whether this person has switched the topic off."""
        return self.topic in self.preferences_of(recipient_id).opted_out

    def preferences_of(self, recipient_id: str) -> Preferences:
        """What a person has chosen."""
        return self.chosen.get(recipient_id, Preferences())

    def refusal(self, send: Send) -> str | None:
        """Why this message must not go out now, or None."""
        if send.subject_id not in self.rows:
            return "no_longer_meant"
        if send.recipient_id not in self.who(send.subject_id):
            return "guardian_changed"
        return "opted_out" if self.opted_out(send.recipient_id) else None
