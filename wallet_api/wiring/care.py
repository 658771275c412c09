"""Where records, people and reminders meet: the planner's view of a citizen, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from consent.predicate import COMPANIONS, Predicate, own_eyes
from notifications.model import Care, CitizenFacts, DueItem, Exam, GivenDose
from notifications.planning import Planning
from notifications.ports import Reminders
from notifications.reminders import Reminder, State
from notifications.vaccines import vaccine_for
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.identity.family import Family
from wallet_api.identity.people import People
from wallet_api.infra.clock import vn_day
from wallet_api.records.model import Record
from wallet_api.records.ports import Recent, Records, Unit
from wallet_api.records.told import is_told
from wallet_api.wiring.care_signs import stated_by, told_by

_CVX = "http://hl7.org/fhir/sid/cvx"
LASTING = ("immunization", "checkup", "pregnancy", "condition")
_PASSING = ("visit", "dental", "medication", "document")
"""Of these only what was of late sets a day that is still to come, or keeps it."""
_OF_LATE = timedelta(days=550)
"""A year ahead is as far as days are set, and half a year more is looked back (our choice)."""
CARE = frozenset(LASTING + _PASSING)
"""The categories whose records tell the planner something."""
_VOID = ("entered-in-error", "not-done", "cancelled")


class BookCare:
    """`notifications.ports.CareHistory` over the health book."""

    def __init__(self, people: People, records: Records, now: Callable[[], datetime]) -> None:
        self._people = people
        self._records = records
        self._now = now

    def facts(self, citizen_id: str, unit: Unit = None) -> CitizenFacts | None:
        """What planning needs of a person, or None for an unknown one."""
        try:
            found = self._people.facts(citizen_id)
        except CitizenUnknown:
            return None
        return CitizenFacts(
            citizen_id,
            found.born,
            found.sex,
            found.province,
            found.deceased,
            commune=found.commune,
            continues_in=found.continues_in,
            joined=found.joined,
        )

    def care(self, citizen_id: str, unit: Unit = None) -> Sequence[Care]:
        """Doses, visits, set days and signs of conditions, as the newest versions of the records say."""
        return self.care_seen(citizen_id, own_eyes(), unit)

    def care_seen(self, citizen_id: str, predicate: Predicate, unit: Unit = None) -> Sequence[Care]:
        """The same, of the admitted records alone."""
        found = self._records.of_categories(citizen_id, LASTING, predicate, unit, self._recent())
        return [care for record in found for care in care_of(record)]

    def care_in(self, book: Iterable[Record]) -> Sequence[Care]:
        """`care`, where all that is in a book is at hand."""
        mine, recent = own_eyes(), self._recent()
        wanted = (each for each in book if each.category in LASTING or recent.has(each))
        return [care for record in wanted if mine.admits(record.facts()) for care in care_of(record)]

    def _recent(self) -> Recent:
        return Recent(_PASSING, vn_day(self._now()) - _OF_LATE)


class SeenPlans:
    """`records.ports.Plans`: what is due and was sent, as it follows from what somebody may see."""

    def __init__(self, care: BookCare, planning: Planning, reminders: Reminders) -> None:
        self._care = care
        self._planning = planning
        self._reminders = reminders

    def forecast(
        self, citizen_id: str, predicate: Predicate, others: Sequence[str] = ()
    ) -> Sequence[DueItem]:
        """The plan of this moment as if the admitted records of these books were all there are."""
        facts = self._care.facts(citizen_id)
        if facts is None:
            return ()
        care = [one for each in (citizen_id, *others) for one in self._care.care_seen(each, predicate)]
        return self._planning.forecast_over(facts, care)

    def reminders(self, citizen_id: str) -> Sequence[Reminder]:
        """Every reminder about this person, in any state."""
        return self._reminders.of_citizen(citizen_id)

    def reminders_seen(
        self, citizen_id: str, predicate: Predicate, others: Sequence[str] = ()
    ) -> Sequence[Reminder]:
        """The same without those whose making or cancelling tells of a record that is not admitted."""
        facts = self._care.facts(citizen_id)
        joined = () if facts is None else facts.joined
        truly = {item.identity: item for item in self.forecast(citizen_id, own_eyes(), joined)}
        seen = {item.identity: item for item in self.forecast(citizen_id, predicate, others)}

        def told_by_what_is_seen(reminder: Reminder) -> bool:
            dose = (reminder.programme_id, reminder.series_id, reminder.dose)
            if truly.get(dose) == seen.get(dose):
                return True
            return reminder.state is not State.CANCELLED and dose in seen and seen[dose].remindable

        return [each for each in self.reminders(citizen_id) if told_by_what_is_seen(each)]


class FamilyRecipients:
    """`notifications.ports.Recipients`: guardians below 14, the citizen from 14, nobody for the dead."""

    def __init__(self, people: People, family: Family, now: Callable[[], datetime]) -> None:
        self._people = people
        self._family = family
        self._now = now

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        """Whom to tell today."""
        now = self._now()
        try:
            facts = self._people.facts(citizen_id)
        except CitizenUnknown:
            return []
        if facts.continues_in is not None:
            return self.who_is_reminded(facts.continues_in)  # nobody is signed in as this one
        if facts.deceased:
            return []
        # Below the age of an own account guardians are told instead.
        if not has_reached(facts.born, AGES.own_account, vn_day(now)):
            return sorted({each.guardian_id for each in self._family.guardians_of(citizen_id, now)})
        return [citizen_id]


class UnrestrictedRecipients:
    """`notifications.ports.Recipients` of reminders: nobody is reminded of whom a restriction keeps still.

    Reminding is processing like any other: who had it restricted (Law 91/2025/QH15 Art. 4) hears no more,
    whether it was planned before or not.
    """

    def __init__(self, recipients: FamilyRecipients, restricted: Callable[[str], bool]) -> None:
        self._recipients = recipients
        self._restricted = restricted

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        """Whom to tell today."""
        return [] if self._restricted(citizen_id) else self._recipients.who_is_reminded(citizen_id)


def care_of(record: Record) -> Iterator[Care]:
    """What the planner makes of a record: nothing of most."""
    if record.resource.get("status") in _VOID:
        return
    yield from stated_by(record)
    if record.self_reported:
        yield from _said(record)
        return  # what somebody says of themselves is shown, and settles nothing that a facility must do
    yield from told_by(record)
    if record.category == "immunization":
        yield from _doses(record)


def _said(record: Record) -> Iterator[Care]:
    """What a family said was given, in answer to a reminder."""
    if not is_told(record.resource):
        return
    if record.category == "checkup":
        hidden = bool(record.hidden_from & COMPANIONS)
        yield Exam("periodic", record.occurred_on.last_day, record.id, hidden, told=True)
    if record.category == "immunization":
        yield from _doses(record)


def _doses(record: Record) -> Iterator[GivenDose]:
    resource, said = record.resource, record.self_reported
    # A dose known only by month or year counts from its last possible day: a reminder may then come late,
    # never early.
    on, hidden = record.occurred_on.last_day, bool(record.hidden_from & COMPANIONS)
    codes = [(one.get("system", ""), one.get("code", "")) for one in _codings(resource)]
    vaccine = vaccine_for(codes)
    if vaccine is not None:
        cvx = next((code for system, code in codes if system == _CVX), None)
        yield GivenDose(vaccine, cvx, on, record.id, hidden, said)


def _codings(resource: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (resource.get("vaccineCode") or {}).get("coding") or []
    return found
