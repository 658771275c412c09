"""The stop conditions, asked once more right before a reminder goes out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from notifications.forecasts import Forecasts
from notifications.many import chosen, facts_and_care, reminded
from notifications.model import CAMPAIGN, Preferences
from notifications.planning import Planning
from notifications.ports import CareHistory, PreferenceStore, Recipients
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
        self._chosen: dict[str, Preferences] = {}

    def read(self, care: CareHistory, reminders: Iterable[Reminder], others: Iterable[str] = ()) -> None:
        """Read for many together what `refusal` would read one by one; of `others`, the preferences."""
        known = [each for each in reminders if each.programme_id != CAMPAIGN]
        citizens = sorted({each.citizen_id for each in known} - self._plans.keys())
        books = facts_and_care(care, citizens)
        told = reminded(self._recipients, citizens)
        for citizen in citizens:
            self._told[citizen] = told[citizen]
            book = books.get(citizen)
            if book is not None and book[0].joined:
                self._plans[citizen] = self._planning.forecasts(citizen, self._today)  # several books
                continue
            self._plans[citizen] = (
                Forecasts(citizen, (), ())
                if book is None
                else self._planning.forecasts_over(*book, self._today)
            )
        people = ({each.recipient_id for each in known} | set(others)) - self._chosen.keys()
        self._chosen.update(chosen(self._preferences, sorted(people)))

    def preferences_of(self, recipient_id: str) -> Preferences:
        """What somebody has chosen, read once."""
        if recipient_id not in self._chosen:
            self._chosen[recipient_id] = self._preferences.of(recipient_id)
        return self._chosen[recipient_id]

    def next_session(self, reminder: Reminder) -> date | None:
        """The session that a reminder sent today should name, if one is known. After `refusal`."""
        return self._planning.next_session(reminder, self._plans[reminder.citizen_id].facts, self._today)

    def refusal(self, reminder: Reminder) -> str | None:
        """Why this reminder must not go out now, or None. Reads the records, not the stored plan."""
        if reminder.programme_id == CAMPAIGN:
            return None  # of no programme; it was asked about when it was leased
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
        if reminder.topic in self.preferences_of(reminder.recipient_id).opted_out:
            return "opted_out"
        return None
