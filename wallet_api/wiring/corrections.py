"""Corrections and disputes over the database, and telling people what came of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.alerts import Alerts
from notifications.outgoing import Message
from notifications.ports import PreferenceStore
from wallet_api.context import Correcting, Reminding
from wallet_api.corrections.desk import CorrectionDesk
from wallet_api.corrections.disputes import DisputeDesk, DisputeParts
from wallet_api.corrections.model import Correction, Dispute, DisputeState, Relation
from wallet_api.events.model import EventType, of_record
from wallet_api.identity.errors import CitizenUnknown, OrganisationUnknown
from wallet_api.identity.family import Family
from wallet_api.identity.organisations import Organisations
from wallet_api.identity.people import People
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Db
from wallet_api.stores.corrections import MongoCorrectionFiles, MongoCorrections
from wallet_api.stores.disputes import MongoDisputes
from wallet_api.stores.events import MongoEvents
from wallet_api.stores.records import MongoRecords
from wallet_api.wiring.opened_book import push_at

_TEXTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "vi": {
        "correction": (
            "Yêu cầu sửa hồ sơ đã được trả lời",
            "Một yêu cầu sửa hồ sơ của bạn đã có trả lời. Xem trong mục Yêu cầu sửa hồ sơ.",
        ),
        "dispute": (
            "Hồ sơ bạn báo không phải của mình đã được xem xét",
            "Xem kết quả và lý do trong mục Hồ sơ không phải của tôi.",
        ),
    },
    "en": {
        "correction": (
            "A request to correct a record was answered",
            "One of your requests to correct a record has its answer. See Requests to correct.",
        ),
        "dispute": (
            "A record you said is not yours was reviewed",
            "See the outcome and the reason under Records that are not mine.",
        ),
    },
}
"""What is said: no record, no organisation, nothing of anybody's health."""

_TOLD: Mapping[DisputeState, EventType] = {
    "open": "record_disputed",
    "kept": "record_restored",
    "taken_back": "record_restored",
    "removed": "record_removed",
}
"""Which event tells of a state."""


@dataclass(frozen=True)
class CorrectionTeller:
    """Tells whoever asked, once: the ids of what is sent follow from what it is about."""

    alerts: Alerts
    people: People
    family: Family
    preferences: PreferenceStore
    hidden_for: Callable[[str, str, datetime], Collection[str]]
    name: Callable[..., str]
    now: Callable[[], datetime]

    def tell_answer(self, found: Correction) -> None:
        """Tell of the answer to a request."""
        if self._may_know(found.citizen_id, found.asked_by, found.relation, found.organisation_id):
            self._send("correction", found.asked_by, found.citizen_id, f"{found.id}:{found.version}")

    def tell_decision(self, found: Dispute) -> None:
        """Tell of what a reviewer decided."""
        if self._may_know(found.citizen_id, found.opened_by, found.relation, found.organisation_id):
            self._send("dispute", found.opened_by, found.citizen_id, f"{found.id}:{found.version}")

    def _may_know(self, citizen_id: str, who: str, relation: Relation, organisation_id: str | None) -> bool:
        """Nobody of the dead and the erased; a guardian while they are one and no safety flag covers it."""
        now = self.now()
        try:
            if self.people.facts(citizen_id).deceased:
                return False
        except CitizenUnknown:
            return False
        if relation == "self":
            return True
        flagged = organisation_id is not None and self.hidden_for(citizen_id, organisation_id, now)
        return not flagged and self.family.acts_for(who, citizen_id, now)

    def _send(self, what: str, recipient_id: str, subject_id: str, about: str) -> None:
        chosen, now = self.preferences.of(recipient_id), self.now()
        title, body = _TEXTS[chosen.locale][what]
        message = Message(
            id=self.name(what, "message", about, recipient_id),
            recipient_id=recipient_id,
            subject_id=subject_id,
            topic=what,
            nid=self.name(what, "push", about, recipient_id),
            title=title,
            body=body,
            template=f"{what}.v1",
            created_at=now,
            reminder_id=None,
        )
        self.alerts.send([message], push_at(recipient_id, chosen, now))


@dataclass(frozen=True)
class AuthorTeller:
    """Tells what becomes of a record in the feed of its author, or of whoever that was merged into."""

    events: MongoEvents
    organisations: Organisations

    def __call__(self, dispute: Dispute, unit: Any) -> None:
        """Write the event that follows from a dispute's new state; without an author there is none."""
        if dispute.organisation_id is None:
            return
        heir = self._heir(dispute.organisation_id)
        at = dispute.history[-1].at
        told = of_record(
            _TOLD[dispute.state], heir, dispute.citizen_id, dispute.record_id, dispute.version, at
        )
        self.events.tell(told, unit)

    def _heir(self, organisation_id: str) -> str:
        while True:
            try:
                next_id = self.organisations.get(organisation_id).successor_id
            except OrganisationUnknown:
                return organisation_id
            if next_id is None:
                return organisation_id
            organisation_id = next_id


def build_correcting(
    db: Db,
    cipher: CitizenCipher,
    records: MongoRecords,
    note_hiding: Callable[[str], None],
    reminding: Reminding,
    identity: Identity,
    hidden_for: Callable[[str, str, datetime], Collection[str]],
    name: Callable[..., str],
    now: Callable[[], datetime],
) -> Correcting:
    """The desks of one wallet. `name` makes ids that nobody else computes."""
    teller = CorrectionTeller(
        alerts=reminding.alerts,
        people=identity.people,
        family=identity.family,
        preferences=reminding.preferences,
        hidden_for=hidden_for,
        name=name,
        now=now,
    )
    parts = DisputeParts(
        disputes=MongoDisputes(db),
        hide=records.set_hidden,
        in_unit=records.in_unit,
        tell=AuthorTeller(MongoEvents(db), identity.organisations),
        replan=reminding.planning.replan,
        note_hiding=note_hiding,
        name=name,
        now=now,
    )
    desk = CorrectionDesk(MongoCorrections(db, cipher), MongoCorrectionFiles(db, cipher), now)
    return Correcting(desk, DisputeDesk(parts), teller.tell_answer, teller.tell_decision)
