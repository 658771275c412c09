"""Narrowed readers: a route gets a window on one book, never the collection.

Every look is decided first, read with the decision's predicate inside the query, written to the access
log durably, and only then returned. A granted look also leaves a fence with the caller, who must ask
`still_holds` right before the answer is handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.access import AccessService, AccessSession, Act, Fence, ReadRefused
from consent.decision import Decision, decide_author, decide_heir
from consent.errors import AccessRefused
from consent.model import AccessMode, Grant, Relation, Scope
from consent.predicate import COMPANIONS, Predicate
from notifications.model import DueItem
from notifications.reminders import Reminder
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action
from wallet_api.records.book_pages import BookPages
from wallet_api.records.book_resources import BookResources
from wallet_api.records.changes import KEPT
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.joined import joined
from wallet_api.records.model import Filter, Position, Record
from wallet_api.records.pages import PageCursors, bound
from wallet_api.records.ports import Plans, Records
from wallet_api.records.sync import BookSync
from wallet_api.records.windows import Viewer, Window, log_look, look_event, window_of_person

PREVIEWED = 100


@dataclass(frozen=True)
class Page:
    """One page of a book and the cursor to the next, if there may be one."""

    records: list[Record]
    next_cursor: str | None


@dataclass(frozen=True)
class Preview:
    """What would be seen: how many of each category, and the newest."""

    counts: dict[str, int]
    newest: list[Record]
    lost: int = 0
    """Of a grant: how many of them would be seen under no other."""


Hold = Callable[[Fence], None]


@dataclass(frozen=True)
class ReaderParts:
    """What readers are made of."""

    records: Records
    access: AccessService
    note_hiding: Callable[[str], None]
    tell_opened: Callable[[AccessSession], None]
    plans: Plans
    log: AccessLog
    cursors: PageCursors
    now: Callable[[], datetime]
    kept: timedelta = KEPT
    """How long a copy of a book can be brought up to date by changes."""


class RecordReader:
    """One viewer's window on one book. Whatever it returns is already in the access log."""

    def __init__(self, window: Window, parts: ReaderParts) -> None:
        self._window = window
        self._parts = parts

    @property
    def citizen_id(self) -> str:
        """Whose book it is."""
        return self._window.citizen_id

    @property
    def _records(self) -> Records:
        """The book, and those that continue in it, as far as this window is on them too."""
        return joined(self._parts.records, self._window.others)

    def page(self, asked: Filter, cursor: str | None, limit: int) -> Page:
        """Records the viewer may see, newest first.

        Raises:
            BadCursor: the cursor was not given to this viewer for this list.
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        binding = self._binding(asked)
        state = self._parts.cursors.after(cursor, binding)
        after = Position(str(state["occurred"]), str(state["id"])) if state is not None else None
        found = self._records.page(self.citizen_id, self._window.predicate, asked, after, limit + 1)
        shown = found[:limit]
        self._log(Action.RECORD_SEARCHED, shown)
        if len(found) <= limit:
            return Page(shown, None)
        last = {"occurred": shown[-1].occurred_on.first_day.isoformat(), "id": shown[-1].id}
        return Page(shown, self._parts.cursors.next(last, binding))

    def get(self, record_id: str) -> Record:
        """One record.

        Raises:
            RecordNotFound: absent, another book's, or hidden from this viewer: all the same.
        """
        found = self._records.get(self.citizen_id, record_id, self._window.predicate)
        self._log(Action.RECORD_READ, [found] if found is not None else [])
        if found is None:
            raise RecordNotFound(record_id)
        return found

    def versions(self, record_id: str) -> list[Record]:
        """Every version of a record, newest first.

        Raises:
            RecordNotFound: as for `get`.
        """
        found = self._records.versions(self.citizen_id, record_id, self._window.predicate)
        self._log(Action.RECORD_READ, found[:1])
        if not found:
            raise RecordNotFound(record_id)
        return found

    @property
    def pages(self) -> BookPages:
        """The pages of this book, for this viewer."""
        parts = self._parts
        return BookPages(self._window, self._records, parts.cursors, parts.log, parts.now)

    @property
    def resources(self) -> BookResources:
        """This book as FHIR resources, for this viewer."""
        parts = self._parts
        return BookResources(self._window, self._records, parts.log, parts.now)

    def _log(self, action: Action, shown: list[Record]) -> None:
        log_look(self._parts.log, self._window, action, self._parts.now(), shown)

    def _binding(self, asked: Filter) -> tuple[str, ...]:
        return bound(
            "records",
            self._window.viewer,
            ",".join((self.citizen_id, *self._window.others)),
            self._window.purpose or "",
            repr(sorted(asked.categories)) if asked.categories is not None else "",
            str(asked.first),
            str(asked.last),
        )


class PersonReader(RecordReader):
    """A citizen's window on the own book, or a guardian's on a dependent's."""

    @property
    def sync(self) -> BookSync:
        """What changed in this book, for a copy that this viewer keeps."""
        parts = self._parts
        return BookSync(self._window, self._records, parts.cursors, parts.log, parts.now, parts.kept)

    def forecast(self) -> Sequence[DueItem]:
        """What is due, over the records this viewer may see: to a guardian, a hidden dose was never given."""
        found = self._parts.plans.forecast(self.citizen_id, self._window.predicate, self._window.others)
        self._log_act(Action.FORECAST_READ)
        return found

    def reminders(self) -> Sequence[Reminder]:
        """What was planned and sent about this person; to a guardian, only what was for them to know."""
        found = self._parts.plans.reminders(self.citizen_id)
        if not self._own:
            window = self._window
            seen = self._parts.plans.reminders_seen(self.citizen_id, window.predicate, window.others)
            found = [each for each in seen if each.recipient_id == self._window.viewer.id]
        self._log_act(Action.REMINDER_READ)
        return found

    def about(self, record_id: str) -> Record:
        """The record that an act of this viewer is about. It is no look: the act itself is logged.

        Raises:
            RecordNotFound: as for `get`.
        """
        found = self._records.get(self.citizen_id, record_id, self._window.predicate)
        if found is None:
            raise RecordNotFound(record_id)
        return found

    def hide(self, record_id: str, audience: str) -> None:
        """Hide a record from an audience. In force before it is logged: the log must not hold it up.

        Raises:
            RecordNotFound: absent, or the book is not the viewer's own.
        """
        if not self._own or not self._set_hidden(record_id, audience, hidden=True):
            raise RecordNotFound(record_id)
        if audience not in COMPANIONS:
            # Whoever read it before has to begin again: what was read is dropped at the last look.
            for book in (self.citizen_id, *self._window.others):
                self._parts.note_hiding(book)
        self._log_act(Action.RECORD_HIDDEN)

    def show(self, record_id: str, audience: str) -> None:
        """Show a hidden record again. Logged before: nothing is opened that the log does not tell of.

        Raises:
            RecordNotFound: absent, or the book is not the viewer's own.
            LogUnavailable: it stays hidden.
        """
        known = self._own and self._records.get(self.citizen_id, record_id, self._window.predicate)
        if not known:
            raise RecordNotFound(record_id)
        self._log_act(Action.RECORD_SHOWN)
        self._set_hidden(record_id, audience, hidden=False)

    def preview(self, scope: Scope) -> Preview:
        """What exactly the organisation of a scope would be shown today, had it been granted as it is.

        Within its licence, and to a guardian without what is hidden from guardians.
        """
        seen = self._foreseen(self._parts.access.foresee(scope))
        self._log_preview(scope)
        return seen

    def preview_grant(self, grant: Grant) -> Preview:
        """What exactly its organisation sees under a grant today, and how much of it goes with the grant."""
        stake = self._parts.access.at_stake(grant)
        seen, together, without = map(self._foreseen, (stake.alone, stake.together, stake.without))
        self._log_preview(grant.scope, grant.id)
        lost = sum(together.counts.values()) - sum(without.counts.values())
        return replace(seen, lost=lost if stake.alone.permit else 0)

    def _foreseen(self, decision: Decision) -> Preview:
        """The records of a decision, by the predicate a read would use, as far as this viewer sees them."""
        predicate = decision.predicate.also_hidden_from(self._window.predicate.audiences)
        newest = self._parts.records.page(self.citizen_id, predicate, Filter(), None, PREVIEWED)
        return Preview(self._parts.records.count(self.citizen_id, predicate), newest)

    def _log_preview(self, scope: Scope, grant_id: str | None = None) -> None:
        event = look_event(self._window, Action.CONSENT_SEEN, self._parts.now())
        organisation, purpose = scope.organisation_id, scope.purpose
        about = replace(event, organisation_id=organisation, purpose=purpose, grant_id=grant_id)
        self._parts.log.append(about)

    def _set_hidden(self, record_id: str, audience: str, *, hidden: bool) -> bool:
        return self._records.set_hidden(self.citizen_id, record_id, audience, hidden=hidden)

    @property
    def _own(self) -> bool:
        return self._window.decision.reason == "own_record"

    def _log_act(self, action: Action) -> None:
        self._parts.log.append(look_event(self._window, action, self._parts.now()))


class Readers:
    """Opens windows. Each method decides; a refusal is logged and raised, and no window exists."""

    def __init__(self, parts: ReaderParts) -> None:
        self._parts = parts

    def of_person(
        self, viewer: Viewer, citizen_id: str, relation: Relation, others: tuple[str, ...] = ()
    ) -> PersonReader:
        """A person's window. `relation` is how the viewer stands to the citizen, as was found just now, and
        to the `others`: books that continue in the citizen's and are seen as one with it."""
        return PersonReader(window_of_person(viewer, citizen_id, relation, others), self._parts)

    def of_heir(self, viewer: Viewer, citizen_id: str) -> BookPages:
        """An heir's window on the front page alone. That it is one was found just now."""
        return PersonReader(Window(citizen_id, viewer, decide_heir()), self._parts).pages

    def admits(self, citizen_id: str, record_id: str, predicate: Predicate) -> bool:
        """Whether a record is there for these eyes. Shows nothing of it, so it is no look."""
        return self._parts.records.get(citizen_id, record_id, predicate) is not None

    def written(
        self, citizen_id: str, record_id: str, version: int, organisations: Sequence[str]
    ) -> Record | None:
        """One version of a record, if one of these organisations wrote it. For an act, which is logged."""
        for author in organisations:
            chain = self._parts.records.versions(citizen_id, record_id, decide_author(author).predicate)
            for each in chain:
                if each.version == version:
                    return each
        return None

    def author(self, viewer: Viewer, limit: int, merged: Sequence[str] = ()) -> list[Record]:
        """The organisation's own latest writings, newest first, and those of organisations that were `merged`
        into it. Each citizen's log tells of it first.

        Raises:
            AccessRefused: the viewer belongs to no organisation.
            LogUnavailable: a look could not be logged; nothing is shown.
        """
        if viewer.organisation_id is None:
            raise AccessRefused("organisation")
        decision, records = decide_author(viewer.organisation_id), self._parts.records
        looked = [
            records.get(whose, record_id, decide_author(author).predicate)
            for author in (viewer.organisation_id, *merged)
            for whose, record_id in records.written_by(author, limit)
        ]
        found = [each for each in looked if each is not None]
        if merged:
            found = sorted(found, key=lambda each: (each.recorded_at, each.id), reverse=True)[:limit]
        for whose in dict.fromkeys(each.citizen_id for each in found):
            theirs = [each for each in found if each.citizen_id == whose]
            window = Window(whose, viewer, decision)
            log_look(self._parts.log, window, Action.RECORD_SEARCHED, self._parts.now(), theirs)
        return found

    def granted(self, viewer: Viewer, session: AccessSession, hold: Hold) -> RecordReader:
        """A provider's window under consent. `hold` receives the fence to check before handing over.

        Raises:
            ConsentEnded: what was granted is over. AccessRefused: nothing was. Both are logged first.
        """
        try:
            permission = self._parts.access.authorise(session)
        except ReadRefused as refusal:
            self._log_refusal(viewer, session.citizen_id, session.purpose, refusal, Action.RECORD_READ)
            raise refusal.told from refusal
        hold(permission.fence)
        window = Window(session.citizen_id, viewer, permission.decision, session.purpose)
        return RecordReader(window, self._parts)

    def open_session(
        self,
        viewer: Viewer,
        citizen_id: str,
        purpose: str,
        act: Act,
        begun: AccessSession | None = None,
        mode: AccessMode = "VIEW",
    ) -> AccessSession:
        """Count one use and log it. `begun`: the session as this act opened it before, to be opened anew.

        Raises:
            ConsentEnded, NotCovered, AccessRefused: no grant covers it; the attempt is logged first.
            LogUnavailable: it could not be logged; the use is given back.
        """
        organisation_id = viewer.organisation_id
        if organisation_id is None:
            raise AccessRefused("organisation")
        try:
            session = (
                self._parts.access.open_session(
                    citizen_id, organisation_id, viewer.practitioner_id, purpose, act, mode
                )
                if begun is None
                else self._parts.access.reopen(begun, act)
            )
        except ReadRefused as refusal:
            self._log_refusal(viewer, citizen_id, purpose, refusal, Action.ACCESS_STARTED)
            raise refusal.told from refusal
        decision = Decision(True, "granted", tuple(sorted(session.grant_ids)))
        window = Window(citizen_id, viewer, decision, purpose)
        try:
            self._parts.log.append(look_event(window, Action.ACCESS_STARTED, self._parts.now()))
        except LogUnavailable:
            self._parts.access.give_back(session, act)
            raise
        self._parts.tell_opened(session)
        return session

    def _log_refusal(
        self, viewer: Viewer, citizen_id: str, purpose: str, refusal: ReadRefused, action: Action
    ) -> None:
        window = Window(citizen_id, viewer, refusal.decision, purpose)
        self._parts.log.append(look_event(window, action, self._parts.now()))
