"""The stop conditions of a campaign's message, asked when it is made and right before it goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from notifications.campaigns.model import Campaign
from notifications.campaigns.ports import Send
from notifications.campaigns.standing import PersonRow
from notifications.model import Preferences
from notifications.ports import PreferenceStore, Recipients


@dataclass(frozen=True, slots=True)
class Stops:
    """Decides for one moment; make a new one for each page and batch: it remembers whom it asked about."""

    campaign: Campaign
    topic: str
    recipients: Recipients
    preferences: PreferenceStore
    today: date
    told: dict[str, Sequence[str]]
    chosen: dict[str, Preferences]

    @classmethod
    def at(
        cls,
        campaign: Campaign,
        topic: str,
        recipients: Recipients,
        preferences: PreferenceStore,
        today: date,
    ) -> Stops:
        """With nothing remembered."""
        return cls(campaign, topic, recipients, preferences, today, {}, {})

    def who(self, row: PersonRow | None) -> Sequence[str]:
        """Whom to tell of this person: guardians of a child; nobody for the dead, restricted or unknown."""
        if row is None or not self.campaign.audience.holds(row, self.today):
            return ()
        if row.citizen_id not in self.told:
            self.told[row.citizen_id] = tuple(self.recipients.who_is_reminded(row.citizen_id))
        return self.told[row.citizen_id]

    def opted_out(self, recipient_id: str) -> bool:
        """Whether this person has switched the topic off."""
        return self.topic in self.preferences_of(recipient_id).opted_out

    def preferences_of(self, recipient_id: str) -> Preferences:
        """What a person has chosen."""
        if recipient_id not in self.chosen:
            self.chosen[recipient_id] = self.preferences.of(recipient_id)
        return self.chosen[recipient_id]

    def refusal(self, send: Send, rows: Mapping[str, PersonRow]) -> str | None:
        """Why this message must not go out now, or None."""
        row = rows.get(send.subject_id)
        if row is None or not self.campaign.audience.holds(row, self.today):
            return "no_longer_meant"
        if send.recipient_id not in self.who(row):
            return "guardian_changed"
        return "opted_out" if self.opted_out(send.recipient_id) else None
