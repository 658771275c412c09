"""Messages of campaigns among reminders: delivery and reading move both by id, and tell none apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from notifications.campaigns.model import CampaignState
from notifications.campaigns.names import PREFIX
from notifications.campaigns.ports import Campaigns, Funnel, Meant, Send, Sends
from notifications.campaigns.standing import PersonRow
from notifications.campaigns.stops import Stops
from notifications.days import vn_day
from notifications.model import CAMPAIGN
from notifications.ports import Now, Reminders, Unit
from notifications.reminders import Reminder, State

_LEFT_PLANNED = frozenset({State.QUEUED, State.ACCEPTED, State.FAILED})
_STEPS = {State.ACCEPTED: "sent", State.OPENED: "opened"}
_SENDING = frozenset({CampaignState.RUNNING, CampaignState.DONE})


Rows = Callable[[Collection[str]], Mapping[str, PersonRow]]
"""The rows of people as they are at this moment, however far the audience is behind."""


class RoutedReminders:
    """`ports.Reminders` over reminders and messages of campaigns, told apart by their ids."""

    def __init__(
        self,
        reminders: Reminders,
        sends: Sends,
        campaigns: Campaigns,
        rows: Rows,
        meant: Meant,
        funnel: Funnel,
        now: Now,
    ) -> None:
        self._funnel = funnel
        self._reminders, self._sends, self._campaigns = reminders, sends, campaigns
        self._rows, self._meant, self._now = rows, meant, now

    def plan(self, reminder: Reminder, unit: Unit | None = None) -> bool:
        """See ports.Reminders."""
        return self._reminders.plan(reminder, unit)

    def many(self, ids: Collection[str]) -> Mapping[str, Reminder]:
        """See ports.Reminders."""
        own, others = _parted(ids)
        found = dict(self._reminders.many(others)) if others else {}
        today = vn_day(self._now())
        return found | {each.id: _as_reminder(each, today) for each in self._sends.many(own).values()}

    def planned(self, shard: int, day_to: date, limit: int) -> Sequence[Reminder]:
        """See ports.Reminders."""
        return self._reminders.planned(shard, day_to, limit)

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        mark: str = "",
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """See ports.Reminders. What is leased is asked about first: what must not go out is not leased."""
        own, others = _parted(ids)
        moved = self._reminders.move(others, frm, to, mark, reason, unit) if others else frozenset[str]()
        self._count(moved, frm, to, unit)
        if not own:
            return moved
        allowed = self._allowed(own, frm, unit) if to is State.LEASED else own
        return moved | self._sends.move(allowed, frm, to, reason, unit)

    def cancel_for(
        self, citizen_id: str, series_id: str, dose: int, reason: str, unit: Unit | None = None
    ) -> int:
        """See ports.Reminders."""
        return self._reminders.cancel_for(citizen_id, series_id, dose, reason, unit)

    def of_citizen(self, citizen_id: str) -> Sequence[Reminder]:
        """See ports.Reminders."""
        return self._reminders.of_citizen(citizen_id)

    def of_recipient(self, recipient_id: str, day_from: date, day_to: date) -> Sequence[Reminder]:
        """See ports.Reminders."""
        return self._reminders.of_recipient(recipient_id, day_from, day_to)

    def pushed_on(self, recipient_id: str, day: date) -> bool:
        """See ports.Reminders."""
        return self._reminders.pushed_on(recipient_id, day)

    def _count(self, moved: Collection[str], frm: Collection[State], to: State, unit: Unit | None) -> None:
        """What a step of reminders adds to the funnel of their programmes."""
        steps = ["planned"] if State.PLANNED in frm and to in _LEFT_PLANNED else []
        steps += [_STEPS[to]] if to in _STEPS else []
        if moved and steps:
            rows = self._reminders.many(moved).values()
            counts = Counter((each.programme_id, each.shard) for each in rows)
            for what in steps:
                self._funnel.count(counts, what, unit)

    def _allowed(self, ids: Sequence[str], frm: Collection[State], unit: Unit | None) -> list[str]:
        """The messages that may go out now; the others are planned again or cancelled."""
        by_campaign: dict[str, list[Send]] = defaultdict(list)
        for send in self._sends.many(ids).values():
            by_campaign[send.campaign_id].append(send)
        return [
            send_id
            for campaign_id, sends in by_campaign.items()
            for send_id in self._of_campaign(campaign_id, sends, frm, unit)
        ]

    def _of_campaign(
        self, campaign_id: str, sends: Sequence[Send], frm: Collection[State], unit: Unit | None
    ) -> list[str]:
        campaign, ids = self._campaigns.get(campaign_id), [send.id for send in sends]
        if campaign is None or campaign.state is CampaignState.CANCELLED:
            self._sends.move(ids, frm, State.CANCELLED, "campaign_cancelled", unit)
            return []
        if campaign.state not in _SENDING:
            self._sends.move(ids, frm, State.PLANNED, "campaign_paused", unit)
            return []
        today = vn_day(self._now())
        rows = self._rows({send.subject_id for send in sends})
        stops = Stops.at(campaign, sends[0].topic, self._meant, rows.values(), today)
        refused: dict[str, list[str]] = defaultdict(list)
        for send in sends:
            refused[stops.refusal(send) or ""].append(send.id)
        allowed = refused.pop("", [])
        for reason, stopped in refused.items():
            self._sends.move(stopped, frm, State.CANCELLED, reason, unit)
        return allowed


def _parted(ids: Collection[str]) -> tuple[list[str], list[str]]:
    own = [each for each in ids if each.startswith(PREFIX)]
    return own, [each for each in ids if not each.startswith(PREFIX)]


def _as_reminder(send: Send, today: date) -> Reminder:
    return Reminder(
        id=send.id,
        key=send.id,
        citizen_id=send.subject_id,
        recipient_id=send.recipient_id,
        shard=send.shard,
        programme_id=CAMPAIGN,
        series_id=send.campaign_id,
        dose=0,
        topic=send.topic,
        offset=CAMPAIGN,
        phase="on",
        recommended=today,
        send_on=today,
        state=send.state,
        reason=send.reason,
    )
