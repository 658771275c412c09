"""Narrowed readers: a route gets a window on one book, never the collection.

Every look is decided first, read with the decision's predicate inside the query, written to the access
log durably, and only then returned. A granted look also leaves a fence with the caller, who must ask
`still_holds` right before the answer is handed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.access import AccessService, AccessSession, Fence, ReadRefused
from consent.decision import Decision, decide_guardian, decide_own
from consent.errors import AccessRefused
from consent.predicate import Predicate
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.records.errors import BadCursorGiven, RecordNotFound
from wallet_api.records.model import Filter, Position, Record
from wallet_api.records.ports import Records

CURSOR_LASTS = timedelta(hours=1)


@dataclass(frozen=True)
class Viewer:
    """Who looks, as the log is to name them."""

    kind: ActorKind
    id: str
    request_id: str
    client_id: str
    organisation_id: str | None = None
    practitioner_id: str | None = None


@dataclass(frozen=True)
class Page:
    """One page of a book and the cursor to the next, if there may be one."""

    records: list[Record]
    next_cursor: str | None


@dataclass(frozen=True)
class Window:
    """What one viewer may see of one book, and why."""

    citizen_id: str
    viewer: Viewer
    decision: Decision
    purpose: str | None = None

    @property
    def predicate(self) -> Predicate:
        """What may be seen."""
        return self.decision.predicate


Hold = Callable[[Fence], None]


@dataclass(frozen=True)
class ReaderParts:
    """What readers are made of."""

    records: Records
    access: AccessService
    log: AccessLog
    cursors: CursorSealer
    acts_for: Callable[[str, str, datetime], bool]
    now: Callable[[], datetime]


class RecordReader:
    """One viewer's window on one book. Whatever it returns is already in the access log."""

    def __init__(self, window: Window, parts: ReaderParts) -> None:
        self._window = window
        self._parts = parts

    @property
    def citizen_id(self) -> str:
        """Whose book it is."""
        return self._window.citizen_id

    def page(self, asked: Filter, cursor: str | None, limit: int) -> Page:
        """Records the viewer may see, newest first.

        Raises:
            BadCursorGiven: the cursor was not given to this viewer for this list.
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        after = self._position(asked, cursor)
        found = self._parts.records.page(self.citizen_id, self._window.predicate, asked, after, limit + 1)
        shown = found[:limit]
        self._log(Action.RECORD_SEARCHED, shown)
        more = self._cursor(asked, shown[-1]) if len(found) > limit else None
        return Page(shown, more)

    def get(self, record_id: str) -> Record:
        """One record.

        Raises:
            RecordNotFound: absent, another book's, or hidden from this viewer: all the same.
        """
        found = self._parts.records.get(self.citizen_id, record_id, self._window.predicate)
        if found is None:
            self._log(Action.RECORD_READ, [])
            raise RecordNotFound(record_id)
        self._log(Action.RECORD_READ, [found])
        return found

    def versions(self, record_id: str) -> list[Record]:
        """Every version of a record, newest first.

        Raises:
            RecordNotFound: as for `get`.
        """
        found = self._parts.records.versions(self.citizen_id, record_id, self._window.predicate)
        self._log(Action.RECORD_READ, found[:1])
        if not found:
            raise RecordNotFound(record_id)
        return found

    def _log(self, action: Action, shown: list[Record]) -> None:
        event = look_event(self._window, action, self._parts.now())
        categories = tuple(sorted({record.category for record in shown}))
        self._parts.log.append(replace(event, record_count=len(shown), categories=categories))

    def _binding(self, asked: Filter) -> tuple[str, ...]:
        viewer = self._window.viewer
        return (
            "records",
            viewer.kind,
            viewer.id,
            self.citizen_id,
            repr(sorted(asked.categories)) if asked.categories is not None else "",
            str(asked.first),
            str(asked.last),
        )

    def _position(self, asked: Filter, cursor: str | None) -> Position | None:
        if cursor is None:
            return None
        try:
            state = self._parts.cursors.open(cursor, self._binding(asked), self._parts.now())
        except BadCursor as why:
            raise BadCursorGiven("cursor") from why
        return Position(str(state["occurred"]), str(state["id"]))

    def _cursor(self, asked: Filter, last: Record) -> str:
        state = {"occurred": last.occurred_on.first_day.isoformat(), "id": last.id}
        return self._parts.cursors.seal(
            state, bound_to=self._binding(asked), expires=self._parts.now() + CURSOR_LASTS
        )


class Readers:
    """Opens windows. Each method decides; a refusal is logged and raised, and no window exists."""

    def __init__(self, parts: ReaderParts) -> None:
        self._parts = parts

    def of_person(self, viewer: Viewer, citizen_id: str) -> RecordReader:
        """A citizen's window on the own book, or a guardian's on a dependent's.

        Raises:
            RecordNotFound: not the own book and not a dependent's of today.
        """
        now = self._parts.now()
        if viewer.id == citizen_id:
            return RecordReader(Window(citizen_id, viewer, decide_own()), self._parts)
        decision = decide_guardian(acts_for=self._parts.acts_for(viewer.id, citizen_id, now))
        if not decision.permit:
            raise RecordNotFound(citizen_id)
        return RecordReader(Window(citizen_id, viewer, decision), self._parts)

    def granted(self, viewer: Viewer, session: AccessSession, hold: Hold) -> RecordReader:
        """A provider's window under consent. `hold` receives the fence to check before handing over.

        Raises:
            ConsentEnded: what was granted is over. AccessRefused: nothing was. Both are logged first.
        """
        try:
            permission = self._parts.access.authorise(session)
        except ReadRefused as refusal:
            self.log_refusal(viewer, session.citizen_id, session.purpose, refusal)
            raise refusal.told from refusal
        hold(permission.fence)
        window = Window(session.citizen_id, viewer, permission.decision, session.purpose)
        return RecordReader(window, self._parts)

    def open_session(self, viewer: Viewer, citizen_id: str, purpose: str) -> AccessSession:
        """Count one use and log it.

        Raises:
            ConsentEnded, NotCovered, AccessRefused: no grant covers it; the attempt is logged first.
        """
        organisation_id = viewer.organisation_id
        if organisation_id is None:
            raise AccessRefused("organisation")
        try:
            session = self._parts.access.open_session(
                citizen_id, organisation_id, viewer.practitioner_id, purpose
            )
        except ReadRefused as refusal:
            self.log_refusal(viewer, citizen_id, purpose, refusal)
            raise refusal.told from refusal
        decision = Decision(True, "granted", tuple(sorted(session.grant_ids)))
        window = Window(citizen_id, viewer, decision, purpose)
        self._parts.log.append(look_event(window, Action.ACCESS_STARTED, self._parts.now()))
        return session

    def log_refusal(self, viewer: Viewer, citizen_id: str, purpose: str, refusal: ReadRefused) -> None:
        """Write a refused attempt into the citizen's log, where the citizen sees it."""
        window = Window(citizen_id, viewer, refusal.decision, purpose)
        self._parts.log.append(look_event(window, Action.RECORD_READ, self._parts.now()))


def look_event(window: Window, action: Action, at: datetime) -> AuditEvent:
    """The log's words for a decision about a look."""
    viewer, decision = window.viewer, window.decision
    grants = decision.grant_ids
    return AuditEvent(
        at=at,
        request_id=viewer.request_id,
        action=action,
        actor_kind=viewer.kind,
        actor_id=viewer.id,
        decision="permit" if decision.permit else "refuse",
        reason=decision.reason,
        citizen_id=window.citizen_id,
        organisation_id=viewer.organisation_id,
        practitioner_id=viewer.practitioner_id,
        acting_for=window.citizen_id if decision.reason == "guardian" else None,
        purpose=window.purpose,
        grant_id=grants[0] if grants else None,
        client_id=viewer.client_id,
    )
