"""What organisations were told they hold: written in the same transaction as the change of the grant.

`holdings` has one document per grant, and one per open request, with the instant at which something is to be
told that follows from time alone. `events` are what is told. `erasure_duties` begin here and are settled in
`stores/erasure_duties.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from consent.emergency_rules import PURPOSE as EMERGENCY
from consent.model import ConsentRequest, Grant, LiveGrant
from wallet_api.events.model import (
    Duty,
    Event,
    Holding,
    Terms,
    Told,
    by_itself,
    closed,
    over,
    shown,
    terms_of,
    terms_of_live,
)
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new

Document = dict[str, Any]
HOLDINGS: Final = "holdings"
EVENTS: Final = "events"
DUTIES: Final = "erasure_duties"

INDEXES = (
    Index(HOLDINGS, ("organisation_id", "due_at")),
    Index(HOLDINGS, ("citizen_id", "due_at")),
    Index(HOLDINGS, ("due_at",)),
)


class HoldingWriter:
    """Turns changes of grants into events. Every call belongs to the transaction of the change itself."""

    def __init__(self, db: Database[Document]) -> None:
        self._holdings = db[HOLDINGS]
        self._events = db[EVENTS]
        self._duties = db[DUTIES]

    def asked(self, request: ConsentRequest, session: ClientSession) -> None:
        """A request was put: when its time is over and it was not granted, its asker is told `closed`."""
        self._holdings.insert_one(request_document(request), session=session)

    def changed(self, grant: Grant, at: datetime, session: ClientSession, *, blocked: bool) -> None:
        """A grant came into force, was suspended, or goes on. Its holder hears nothing while blocked."""
        if grant.request_id is not None:
            # Granted: nothing is left to say about the request.
            self._holdings.delete_one({"_id": grant.request_id}, session=session)
        if not blocked and not _untold(grant):
            self._keep(shown(self.holding(grant.id, session), terms_of(grant), at), session)

    def ended(
        self, grant: Grant, at: datetime, session: ClientSession, successor_id: str | None = None
    ) -> None:
        """A grant is over, or another took its place. Told once, however it had ended before."""
        if not _untold(grant):
            self._keep(over(self._known(terms_of(grant), session), at, successor_id), session)

    def blocked(
        self, citizen_id: str, live: Iterable[LiveGrant], at: datetime, session: ClientSession
    ) -> None:
        """A citizen blocks their holder: to it all of these have ended, one by one, as if withdrawn."""
        for each in filter(_told, live):
            self._keep(over(self._known(terms_of_live(each, citizen_id, None), session), at), session)

    def unblocked(
        self, citizen_id: str, live: Iterable[LiveGrant], at: datetime, session: ClientSession
    ) -> None:
        """The block is lifted: what is in force is told anew, with a new version."""
        for each in filter(_told, live):
            holding = self.holding(each.id, session)
            self._keep(shown(holding, terms_of_live(each, citizen_id, None), at), session)

    def by_itself(self, grant_id: str, now: datetime, session: ClientSession) -> bool:
        """Tell the next thing that time brought to this grant by `now`; False when there is none."""
        holding = self.holding(grant_id, session)
        told = None if holding is None else by_itself(holding, now)
        self._keep(told, session)
        return told is not None

    def close(self, row: Mapping[str, Any], session: ClientSession) -> None:
        """Tell that a request's time is over, unless somebody did meanwhile."""
        if self._holdings.delete_one({"_id": row["_id"], "kind": "request"}, session=session).deleted_count:
            self._events.insert_one(event_document(_closed_of(row)), session=session)

    def attested(self, duty: Duty, session: ClientSession) -> None:
        """A duty was met, in part or wholly: what is owed next decides when something is told again."""
        holding = self.holding(duty.grant_id, session)
        if holding is not None and holding.state == "ended":
            self._put(Holding(holding.terms, "ended", holding.version, duty.owed_by), session)

    def holding(self, grant_id: str, session: ClientSession | None = None) -> Holding | None:
        """What an organisation was last told about a grant."""
        found = self._holdings.find_one({"_id": grant_id}, session=session)
        return None if found is None or found["kind"] != "grant" else holding_of(found)

    def load(self, requests: Sequence[ConsentRequest], grants: Sequence[Grant]) -> None:
        """What follows from many grants at once; what is there stays. For filling a database."""
        answered = {each.request_id for each in grants}
        holdings = [request_document(each) for each in requests if each.id not in answered]
        events, duties = list[Document](), list[Document]()
        for grant in grants:
            told = shown(None, terms_of(grant), grant.granted_at)
            steps = [] if told is None else [told]
            if told is not None and not grant.unended and grant.ended_at is not None:
                after = over(told.holding, grant.ended_at, grant.successor_id)
                steps += [] if after is None else [after]
            for step in steps:
                events += [event_document(each) for each in step.events]
                duties += [] if step.duty is None else [duty_document(step.duty)]
            holdings += [holding_document(step.holding) for step in steps[-1:]]
        insert_new(self._events, events)
        insert_new(self._duties, duties)
        insert_new(self._holdings, holdings)

    def _known(self, terms: Terms, session: ClientSession) -> Holding:
        """The holding; of a grant that is older than the feed, one as if it had been told."""
        return self.holding(terms.grant_id, session) or Holding(terms, "granted", 0)

    def _keep(self, told: Told | None, session: ClientSession) -> None:
        if told is None:
            return
        self._put(told.holding, session)
        self._events.insert_many([event_document(each) for each in told.events], session=session)
        if told.lifts_duty:
            again = {"_id": told.holding.terms.grant_id, "state": {"$in": ["owed", "own_erased"]}}
            self._duties.delete_one(again, session=session)
        if told.duty is not None:
            document = duty_document(told.duty)
            self._duties.replace_one({"_id": document["_id"]}, document, upsert=True, session=session)

    def _put(self, holding: Holding, session: ClientSession) -> None:
        document = holding_document(holding)
        self._holdings.replace_one({"_id": document["_id"]}, document, upsert=True, session=session)


def _untold(grant: Grant | LiveGrant) -> bool:
    """Whether nothing is told of a grant: of an emergency its opener knows all there is, and the reference to
    the citizen that is told here would say who exists and who blocks."""
    return grant.scope.purpose == EMERGENCY


def _told(grant: LiveGrant) -> bool:
    return not _untold(grant)


def request_document(request: ConsentRequest) -> Document:
    """An open request as `holdings` keeps it."""
    return {
        "_id": request.id,
        "kind": "request",
        "organisation_id": request.scope.organisation_id,
        "citizen_id": request.citizen_id,
        "due_at": request.closes_at,
        "closing": event_document(closed(request)),
    }


def holding_document(holding: Holding) -> Document:
    """A holding as it is kept; without a `due_at` where time alone brings nothing more."""
    terms, due_at = holding.terms, holding.due_at
    return {
        "_id": terms.grant_id,
        "kind": "grant",
        "organisation_id": terms.organisation_id,
        "citizen_id": terms.citizen_id,
        "state": holding.state,
        "version": holding.version,
        "expires_at": terms.expires_at,
        "holds_until": terms.holds_until,
        "keeps": terms.keeps,
        "request_id": terms.request_id,
        "owed_by": None if holding.owed_by is None else holding.owed_by.isoformat(),
    } | ({} if due_at is None else {"due_at": due_at})


def holding_of(found: Mapping[str, Any]) -> Holding:
    """A kept holding."""
    terms = Terms(
        grant_id=found["_id"],
        organisation_id=found["organisation_id"],
        citizen_id=found["citizen_id"],
        expires_at=found["expires_at"].astimezone(UTC),
        holds_until=_instant(found["holds_until"]),
        keeps=found["keeps"],
        request_id=found["request_id"],
    )
    return Holding(terms, found["state"], found["version"], _day(found["owed_by"]))


def event_document(event: Event) -> Document:
    """An event as it is kept."""
    return {
        "_id": event.id,
        "organisation_id": event.organisation_id,
        "citizen_id": event.citizen_id,
        "type": event.type,
        "about": event.about,
        "version": event.version,
        "at": event.at,
        "request_id": event.request_id,
        "successor_id": event.successor_id,
        "expires_at": event.expires_at,
        "holds_until": event.holds_until,
        "erase_by": None if event.erase_by is None else event.erase_by.isoformat(),
        "position": event.position,
    }


def event_of(found: Mapping[str, Any]) -> Event:
    """A kept event."""
    return Event(
        id=found["_id"],
        organisation_id=found["organisation_id"],
        citizen_id=found["citizen_id"],
        type=found["type"],
        about=found["about"],
        version=found["version"],
        at=found["at"].astimezone(UTC),
        request_id=found["request_id"],
        successor_id=found["successor_id"],
        expires_at=_instant(found["expires_at"]),
        holds_until=_instant(found["holds_until"]),
        erase_by=_day(found["erase_by"]),
        position=found["position"],
    )


def duty_document(duty: Duty) -> Document:
    """A duty as it is kept; `owed_by` is what lists of overdue ones look for."""
    return {
        "_id": duty.grant_id,
        "organisation_id": duty.organisation_id,
        "citizen_id": duty.citizen_id,
        "ended_at": duty.ended_at,
        "erase_by": duty.erase_by.isoformat(),
        "others_by": duty.others_by.isoformat(),
        "state": duty.state,
        "owed_by": None if duty.owed_by is None else duty.owed_by.isoformat(),
        "successor_id": duty.successor_id,
        "attested_at": duty.attested_at,
    }


def duty_of(found: Mapping[str, Any]) -> Duty:
    """A kept duty."""
    return Duty(
        grant_id=found["_id"],
        organisation_id=found["organisation_id"],
        citizen_id=found["citizen_id"],
        ended_at=found["ended_at"].astimezone(UTC),
        erase_by=date.fromisoformat(found["erase_by"]),
        others_by=date.fromisoformat(found["others_by"]),
        state=found["state"],
        successor_id=found["successor_id"],
        attested_at=_instant(found["attested_at"]),
    )


def _closed_of(row: Mapping[str, Any]) -> Event:
    return event_of(row["closing"])


def _instant(found: datetime | None) -> datetime | None:
    return found.astimezone(UTC) if found else None


def _day(found: str | None) -> date | None:
    return date.fromisoformat(found) if found else None
