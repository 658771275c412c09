"""Keep the materialised plan of a citizen true: after every event, and on the days something is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta

from notifications.days import vn_day
from notifications.forecasts import Forecasts, unspent
from notifications.model import Care, CitizenFacts, DueItem
from notifications.planner import plan
from notifications.ports import (
    CareHistory,
    DueItems,
    DueRow,
    InUnit,
    Now,
    PreferenceStore,
    Recipients,
    Reminders,
    Unit,
)
from notifications.reminders import (
    LIVE,
    Keys,
    Reminder,
    State,
    copy_of,
    lost_reason,
    next_review,
    offset_now,
    phase_of,
    reminders_for,
)
from notifications.rules import Hold, Stamp, stamp_of
from notifications.schedule import Programme
from notifications.sessions import TOPIC, SessionDays, with_sessions
from notifications.snoozes import SNOOZED, is_put_off, put_off_ids
from notifications.told import believed, marked, told_ids
from notifications.turns import held_until, next_turn

_UNSENT = frozenset({State.PLANNED, State.QUEUED, State.DEFERRED})
_TOO_MANY = 20

SessionsOf = Callable[[str], SessionDays | None]
"""The session days of a commune, if it published any."""


@dataclass(frozen=True, slots=True)
class PlanningPorts:
    """What planning reads and writes."""

    care: CareHistory
    due: DueItems
    reminders: Reminders
    recipients: Recipients
    preferences: PreferenceStore
    in_unit: InUnit


class Planning:
    """Plans citizens one by one. Each method may run twice, or at once in two workers: nothing doubles."""

    def __init__(
        self,
        ports: PlanningPorts,
        programmes: Iterable[Programme],
        keys: Keys,
        now: Now,
        sessions: SessionsOf = lambda commune: None,
    ) -> None:
        self._ports = ports
        self._sessions = sessions
        self._programmes = tuple(programmes)
        self._by_id = {programme.id: programme for programme in self._programmes}
        self._keys = keys
        self._now = now
        self._stamp = stamp_of(self._programmes, date.min)
        self.rules = self._stamp.rules
        """The version of the rules this process plans by."""

    def through(self, ports: PlanningPorts) -> Planning:
        """The same rules over other ports: for several people, of whom all was read at once."""
        other = copy(self)
        other._ports = ports
        return other

    @property
    def ports(self) -> PlanningPorts:
        """What is read and written."""
        return self._ports

    @property
    def programmes(self) -> Mapping[str, Programme]:
        """What is planned by, by id."""
        return self._by_id

    def stamp(self, day: date, hold: Hold | None = None) -> Stamp:
        """What a plan of this day is stored with."""
        return replace(self._stamp, on=day, hold=hold)

    def forecast(
        self, citizen_id: str, today: date | None = None, unit: Unit | None = None
    ) -> tuple[DueItem, ...]:
        """The plan of this moment, straight from the records; () for an unknown person. Stores nothing."""
        facts = self._ports.care.facts(citizen_id, unit)
        # Read for an unknown person too: what somebody waits for must not take longer for who exists.
        care = self._care_of(citizen_id, facts, unit)
        return () if facts is None else self.forecast_over(facts, care, today)

    def forecasts(self, citizen_id: str, today: date | None = None, unit: Unit | None = None) -> Forecasts:
        """The plan of this moment for the person, and for everybody who is reminded in their place."""
        facts = self._ports.care.facts(citizen_id, unit)
        care = self._care_of(citizen_id, facts, unit)
        return Forecasts(citizen_id, (), ()) if facts is None else self.forecasts_over(facts, care, today)

    def forecasts_over(
        self, facts: CitizenFacts, care: Sequence[Care], today: date | None = None
    ) -> Forecasts:
        """Both plans over facts and care that were read already, joined books' too. Stores nothing."""
        day, citizen_id = today or vn_day(self._now()), facts.citizen_id
        truly = self.forecast_over(facts, care, day)
        turns_on = next_turn(facts, care, self._programmes, day)
        known = [each for each in care if not each.hidden]
        if len(known) == len(care):
            return Forecasts(citizen_id, truly, truly, turns_on, facts)
        return Forecasts(citizen_id, truly, self.forecast_over(facts, known, day), turns_on, facts)

    def forecast_over(
        self, facts: CitizenFacts, care: Sequence[Care], today: date | None = None
    ) -> tuple[DueItem, ...]:
        """The plan of this moment as if `care` were all that was ever given. Stores nothing.

        What is told and not proven ends reminders; doses name the commune's session where one is known.
        """
        if facts.continues_in is not None:
            return ()  # it is owed once, in the book in which this one continues
        items = plan(facts, believed(care), self._programmes, today or vn_day(self._now()))
        return with_sessions(marked(items, told_ids(care)), self.sessions_of(facts))

    def next_session(self, reminder: Reminder, facts: CitizenFacts | None, day: date) -> date | None:
        """The session a reminder sent on `day` should name: the one it waits for, else the next one."""
        if reminder.topic != TOPIC or (reminder.session is not None and reminder.session >= day):
            return reminder.session
        known = None if facts is None else self.sessions_of(facts)
        return None if known is None else known.next_from(day)

    def sessions_of(self, facts: CitizenFacts) -> SessionDays | None:
        """The session days of where somebody lives, as far as they are known."""
        return None if facts.commune is None else self._sessions(facts.commune)

    def title_of(self, programme_id: str, series_id: str, locale: str) -> str:
        """What a series is called for a reader."""
        return self._by_id[programme_id].title_of(series_id, locale)

    def replan(self, citizen_id: str, unit: Unit | None = None) -> tuple[DueItem, ...]:
        """Call after any event (dose recorded or voided, facts changed, death), with the event's own `unit`.

        Stores the new plan and cancels every unsent reminder that has lost its reason: given, moved to a
        later day, aged out, dead. What the citizen is owed today is planned by the next `review`.
        Without a unit the citizen is put down for review first: should planning fail, the next run of the
        day finds them.
        """
        today = vn_day(self._now())
        if unit is None:
            self._ports.due.replace(citizen_id, (), today)
        plans = self.forecasts(citizen_id, today, unit)
        owed = self._settle(citizen_id, plans, today, unit)
        review_on = today if owed else self._next_look(plans, today)
        self._ports.due.replace(citizen_id, plans.own, review_on, unit, self.stamp(today))
        if plans.facts is not None and plans.facts.continues_in is not None:
            self.replan(plans.facts.continues_in, unit)  # what was written here changes what is due there
        return plans.own

    def rebuild(self, citizen_id: str, today: date, let_in: date) -> bool:
        """Plan a citizen anew because the rules changed; False if that was done by these rules already.

        What they are owed by the new rules alone is held until `let_in`, so that a nation's new reminders
        do not come on one morning. An event of their own ends the hold.
        """

        def work(unit: Unit | None) -> bool:
            row = self._ports.due.row(citizen_id, unit)
            if row is None or (row.stamp is not None and row.stamp.rules == self.rules):
                return False
            plans = self.forecasts(citizen_id, today, unit)
            owed = self._settle(citizen_id, plans, today, unit)
            was_due = row.review_on is not None and row.review_on <= today
            hold = self._hold(plans, today, let_in) if owed and not was_due else None
            review_on = today if was_due or (owed and hold is None) else self._next_look(plans, today, hold)
            self._ports.due.replace(citizen_id, plans.own, review_on, unit, self.stamp(today, hold))
            return True

        return self._ports.in_unit(work)

    def review(self, citizen_id: str, day: date) -> int:
        """Plan the reminders this citizen is owed on `day` and set the next review; how many were planned.

        At most one offset a dose: a late child gets the nearest one, never the ones missed. Older unsent
        offsets of the same dose are superseded.
        """

        def work(unit: Unit | None) -> int:
            hold = _hold_of(self._ports.due.row(citizen_id, unit), day)
            plans = self.forecasts(citizen_id, day, unit)
            told = self._told(plans.either, citizen_id)
            planned = sum(
                self._plan_for(citizen_id, who, self._let_in(plans, who, day, hold), day, unit)
                for who in told
            )
            review_on = self._next_look(plans, day, hold)
            self._ports.due.replace(citizen_id, plans.own, review_on, unit, self.stamp(day, hold))
            return planned

        return self._ports.in_unit(work)

    def review_shard(self, shard: int, day: date, limit: int = 500) -> tuple[int, int, int]:
        """Review every citizen of a shard whose day has come; return (reviewed, reminders planned, failed).

        Who cannot be reviewed stays due, and the others are not kept waiting.

        Raises:
            Whatever the last review raised, when so many fail that no single book can be the reason.
        """
        seen: set[str] = set()
        planned = failed = 0
        while True:
            page = self._ports.due.due_between(shard, date.min, day, limit)
            fresh = [citizen_id for citizen_id in page if citizen_id not in seen]
            if not fresh:
                return len(seen) - failed, planned, failed
            for citizen_id in fresh:
                try:
                    planned += self.review(citizen_id, day)
                except Exception:  # whatever is wrong with one book, the next person's reminder must go out
                    failed += 1
                    if failed == _TOO_MANY:
                        raise
            seen.update(fresh)

    def _settle(self, citizen_id: str, plans: Forecasts, today: date, unit: Unit | None) -> bool:
        """Cancel what has lost its reason; whether a reminder is owed today that was never planned."""
        known = self._ports.reminders.of_citizen(citizen_id)
        self._cancel_stale(known, plans, today, unit)
        return any(self._owed(citizen_id, item, today, spent) for item, spent in unspent(plans, known))

    def _next_look(self, plans: Forecasts, after: date, hold: Hold | None = None) -> date | None:
        """The next day on which an offset is reached, a late dose let in, or a programme begins or ends."""
        held = (self._held(plans.citizen_id, item, after) for item in plans.either)
        until = None if hold is None else hold.until
        days = (next_review(plans.either, after, self._by_id), plans.turns_on, until, *held)
        return min((day for day in days if day is not None), default=None)

    def _let_in(self, plans: Forecasts, who: str, day: date, hold: Hold | None) -> list[DueItem]:
        held = frozenset() if hold is None else hold.items
        mine = (item for item in plans.known_to(who) if item.identity not in held)
        return [item for item in mine if self._held(plans.citizen_id, item, day) is None]

    def _hold(self, plans: Forecasts, today: date, let_in: date) -> Hold | None:
        """All that is owed and was not due yesterday: it came with the rules."""
        owed = (item for item in plans.either if self._owed(plans.citizen_id, item, today, set()))
        return Hold(let_in, frozenset(item.identity for item in owed)) if let_in > today else None

    def _held(self, citizen_id: str, item: DueItem, today: date) -> date | None:
        return held_until(citizen_id, item, self._by_id[item.programme_id], today)

    def _care_of(self, citizen_id: str, facts: CitizenFacts | None, unit: Unit | None) -> Sequence[Care]:
        care = self._ports.care.care(citizen_id, unit)
        if facts is None or not facts.joined:
            return care
        return [*care, *(one for each in facts.joined for one in self._ports.care.care(each, unit))]

    def _told(self, items: Sequence[DueItem], citizen_id: str) -> Sequence[str]:
        return self._ports.recipients.who_is_reminded(citizen_id) if any(i.remindable for i in items) else ()

    def _plan_for(
        self, citizen_id: str, who: str, items: Sequence[DueItem], day: date, unit: Unit | None
    ) -> int:
        wanted = reminders_for(items, day, self._by_id, self._ports.preferences.of(who))
        count = 0
        for item, offset in wanted:
            phase = phase_of(item, offset, self._by_id[item.programme_id].offsets)
            copy = copy_of(self._keys, citizen_id, who, item, offset, day, phase)
            self._supersede(citizen_id, copy, unit)
            planned = self._ports.reminders.plan(copy, unit)
            if planned and self._snoozed(copy, day):
                self._ports.reminders.move(
                    [copy.id], [State.PLANNED], State.SUPERSEDED, reason=SNOOZED, unit=unit
                )
                planned = False
            count += planned
        return count

    def _snoozed(self, copy: Reminder, day: date) -> bool:
        """Whether this person put the dose off to this day or a later one."""
        found = self._ports.reminders.many(put_off_ids(self._keys, copy))
        return any(each.state is State.PLANNED and each.send_on >= day for each in found.values())

    def _supersede(self, citizen_id: str, copy: Reminder, unit: Unit | None) -> None:
        older = [
            self._keys.copy_for(
                self._keys.reminder(citizen_id, copy.programme_id, copy.series_id, copy.dose, offset.kind),
                copy.recipient_id,
            )
            for offset in self._by_id[copy.programme_id].offsets
            if offset.kind != copy.offset
        ]
        self._ports.reminders.move(older, _UNSENT, State.SUPERSEDED, reason=copy.offset, unit=unit)

    def _owed(self, citizen_id: str, item: DueItem, today: date, spent: set[str]) -> bool:
        offset = offset_now(item, today, self._by_id[item.programme_id].offsets)
        if offset is None or self._held(citizen_id, item, today) is not None:
            return False
        key = self._keys.reminder(citizen_id, item.programme_id, item.series_id, item.dose, offset.kind)
        return key not in spent

    def _cancel_stale(
        self, known: Sequence[Reminder], plans: Forecasts, today: date, unit: Unit | None
    ) -> None:
        for reminder in known:
            if reminder.state not in LIVE:
                continue
            now_is = {item.identity: item for item in plans.known_to(reminder.recipient_id)}
            item = now_is.get((reminder.programme_id, reminder.series_id, reminder.dose))
            reason = self._lost_reason(reminder, item, today)
            if reason is None:
                continue
            if plans.same:
                dose = (reminder.citizen_id, reminder.series_id, reminder.dose)
                self._ports.reminders.cancel_for(*dose, reason, unit)
            else:  # what one may not know of must not be told by what becomes of the other's
                self._ports.reminders.move([reminder.id], _UNSENT, State.CANCELLED, reason=reason, unit=unit)

    def _lost_reason(self, reminder: Reminder, item: DueItem | None, today: date) -> str | None:
        if item is None or not item.remindable or item.anchor is None:
            return lost_reason(item)
        offsets = self._by_id[reminder.programme_id].offsets
        if is_put_off(reminder):
            first = item.anchor + timedelta(days=min(o.days for o in offsets))
            return None if first <= reminder.send_on else "moved"
        days = next((o.days for o in offsets if o.kind == reminder.offset), None)
        reached = days is not None and item.anchor + timedelta(days=days) <= today
        return None if reached else "moved"


def _hold_of(row: DueRow | None, day: date) -> Hold | None:
    """What is still held on `day`."""
    hold = None if row is None or row.stamp is None else row.stamp.hold
    return hold if hold is not None and hold.until > day else None
