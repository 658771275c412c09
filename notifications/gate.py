"""The stop conditions, asked once more right before a reminder goes out."""

from __future__ import annotations

from datetime import date

from notifications.planning import Forecasts, Planning
from notifications.ports import PreferenceStore, Recipients
from notifications.reminders import Reminder, lost_reason


class Gate:
    """Decides for one moment. Make a new one per batch: it remembers what it has read of each citizen."""

    def __init__(
        self, planning: Planning, recipients: Recipients, preferences: PreferenceStore, today: date
    ) -> None:
        self._planning = planning
        self._recipients = recipients
        self._preferences = preferences
        self._today = today
        self._plans: dict[str, Forecasts] = {}
        self._told: dict[str, frozenset[str]] = {}

    def next_session(self, reminder: Reminder) -> date | None:
        """The session that a reminder sent today should name, if one is known. After `refusal`."""
        return self._planning.next_session(reminder, self._plans[reminder.citizen_id].facts, self._today)

    def refusal(self, reminder: Reminder) -> str | None:
        """Why this reminder must not go out now, or None. Reads the records, not the stored plan."""
        citizen = reminder.citizen_id
        if citizen not in self._plans:
            self._plans[citizen] = self._planning.forecasts(citizen, self._today)
            self._told[citizen] = frozenset(self._recipients.who_is_reminded(citizen))
        dose = (reminder.programme_id, reminder.series_id, reminder.dose)
        known = self._plans[citizen].known_to(reminder.recipient_id)
        item = next((each for each in known if each.identity == dose), None)
        if item is None or not item.remindable:
            return lost_reason(item)
        if reminder.recipient_id not in self._told[citizen]:
            return "guardian_changed"
        if reminder.topic in self._preferences.of(reminder.recipient_id).opted_out:
            return "opted_out"
        return None
