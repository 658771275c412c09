"""Telling a person that an organisation opened their book: once an organisation and day, unless unwanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from consent.access import AccessSession
from consent.emergency_rules import PURPOSE as EMERGENCY
from notifications.alerts import Alerts
from notifications.model import ACCESS_TOPIC, Preferences
from notifications.outgoing import Message
from notifications.ports import PreferenceStore, Recipients
from notifications.reminders import when_to_send, window_of
from wallet_api.identity.organisations import Organisations
from wallet_api.infra.clock import vn_day
from wallet_api.infra.logs import say_error

_TEMPLATE = "opened.v1"
_MOST_KNOWN = 4096
_TEXTS = {
    "vi": (
        "Hồ sơ {whose} đã được mở",
        "{organisation} đã mở hồ sơ {whose} hôm nay. Vào mục Ai đã xem để biết ai, lúc nào và xem những gì.",
        ("của bạn", "của người bạn giám hộ"),
    ),
    "en": (
        "{whose} records were opened",
        "{organisation} opened {whose} records today. See Who looked: who it was, when, and what was seen.",
        ("your", "your dependent's"),
    ),
}


@dataclass(frozen=True)
class OpenedTeller:
    """Called with every access session that was opened. Never in the way of the session itself."""

    alerts: Alerts
    recipients: Recipients
    preferences: PreferenceStore
    organisations: Organisations
    name: Callable[..., str]
    """Makes ids that nobody else computes: the same of the same words."""
    now: Callable[[], datetime]
    _told: OrderedDict[tuple[str, str, str], None] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, session: AccessSession) -> None:
        """Tell of it, unless it was told today. What fails is tried with the next session."""
        if session.purpose == EMERGENCY:
            return  # told of by itself, of everybody who is meant, and not while the asker waits
        now = self.now()
        about = (session.citizen_id, session.organisation_id, vn_day(now).isoformat())
        with self._lock:
            if about in self._told:
                return
        try:
            self._tell(about, now)
        except Exception as why:  # the doctor must not wait for the citizen's telephone
            say_error("opened_untold", why)
            return
        with self._lock:
            self._told[about] = None
            while len(self._told) > _MOST_KNOWN:
                self._told.popitem(last=False)

    def _tell(self, about: tuple[str, str, str], now: datetime) -> None:
        for recipient_id in self.recipients.who_is_reminded(about[0]):
            chosen = self.preferences.of(recipient_id)
            if ACCESS_TOPIC not in chosen.opted_out:
                message = self._message(about, recipient_id, chosen, now)
                self.alerts.send([message], push_at(recipient_id, chosen, now))

    def _message(
        self, about: tuple[str, str, str], recipient_id: str, chosen: Preferences, now: datetime
    ) -> Message:
        citizen_id, organisation_id, _ = about
        title, body, whose = _TEXTS[chosen.locale]
        found = self.organisations.get(organisation_id)
        words = {
            "organisation": found.name_en if chosen.locale == "en" else found.name_vi,
            "whose": whose[recipient_id != citizen_id],
        }
        return Message(
            id=self.name("opened", "message", *about, recipient_id),
            recipient_id=recipient_id,
            subject_id=citizen_id,
            topic=ACCESS_TOPIC,
            nid=self.name("opened", "push", *about, recipient_id),
            title=title.format(**words)[:1].upper() + title.format(**words)[1:],
            body=body.format(**words),
            template=_TEMPLATE,
            created_at=now,
            reminder_id=None,
        )


def push_at(recipient_id: str, chosen: Preferences, now: datetime) -> datetime:
    """Now, if the person may be disturbed now; else when the window opens again."""
    today = now.astimezone(chosen.where).date()
    start, end = window_of(today, chosen.window, chosen.where)
    if start <= now < end:
        return now
    return when_to_send(today, chosen.window, recipient_id, now, chosen.where)
