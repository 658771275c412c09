"""The pages of a book for one viewer: each is decided, read and logged like any other look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind
from wallet_api.infra.clock import vn_day
from wallet_api.records.emergency_card import card_records
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.front import Line, Lines, Sections
from wallet_api.records.front_rules import SECTIONS, SUMMARY
from wallet_api.records.model import Filter, Record
from wallet_api.records.pages import PageCursors, bound
from wallet_api.records.ports import Records
from wallet_api.records.series import Point, measured_categories, points_of
from wallet_api.records.visits import Visit, is_visit, visit_of
from wallet_api.records.windows import Window, log_look


@dataclass(frozen=True)
class Asked:
    """Which series, of which days, from where on."""

    system: str
    code: str
    period: Filter
    cursor: str | None
    limit: int


@dataclass(frozen=True)
class Series:
    """A page of a series and the cursor to the next, if there is one."""

    points: list[Point]
    next_cursor: str | None


class BookPages:
    """One viewer's pages of one book. Whatever they return is already in the access log."""

    def __init__(
        self,
        window: Window,
        records: Records,
        cursors: PageCursors,
        log: AccessLog,
        now: Callable[[], datetime],
    ) -> None:
        self._window = window
        self._records = records
        self._cursors = cursors
        self._access_log = log
        self._now = now

    def front(self) -> dict[str, Lines]:
        """The front page over what this viewer may see, section by section."""
        found = self._front()
        shown = {line.record.id: line.record for section in found.values() for line in section.lines}
        self._log(Action.RECORD_SEARCHED, list(shown.values()))
        return found

    def summary(self) -> dict[str, Lines]:
        """What a patient summary tells, section by section. The person's own leaves the book, and the log
        says so."""
        found = self._front(SUMMARY)
        shown = {line.record.id: line.record for section in found.values() for line in section.lines}
        own = self._window.viewer.kind is ActorKind.CITIZEN
        self._log(Action.RECORD_EXPORTED if own else Action.RECORD_SEARCHED, list(shown.values()))
        return found

    def card(self, labels: frozenset[str]) -> dict[str, list[Line]]:
        """The lines of an emergency card. They leave the book, and the log says so."""
        found = card_records(self._front(), labels)
        self._log(Action.RECORD_EXPORTED, [line.record for lines in found.values() for line in lines])
        return found

    def visit(self, record_id: str, *, together: bool) -> Visit:
        """A visit with everything recorded in it that this viewer may see.

        Raises:
            RecordNotFound: absent, another book's, hidden from this viewer, or no visit: all the same.
        """
        whose, predicate = self._window.citizen_id, self._window.predicate
        found = self._records.get(whose, record_id, predicate)
        if found is None or not is_visit(found):
            self._log(Action.RECORD_READ, [])
            raise RecordNotFound(record_id)
        wrote = found.source.organisation_id or ""
        seen = visit_of(found, self._records.written_for(whose, wrote, predicate), together=together)
        self._log(Action.RECORD_SEARCHED, seen.records)
        return seen

    def series(self, asked: Asked) -> Series:
        """The values of one code that this viewer may see, newest first.

        Raises:
            BadCursor: the cursor was not given to this viewer for this series.
        """
        binding = self._binding(asked)
        after = self._cursors.after(asked.cursor, binding)
        points = sorted(self._points(asked), key=lambda point: point.place, reverse=True)
        left = [each for each in points if after is None or each.place < (after["on"], after["id"])]
        shown = left[: asked.limit]
        self._log(Action.RECORD_SEARCHED, [each.record for each in shown])
        if len(left) <= asked.limit:
            return Series(shown, None)
        on, record_id = shown[-1].place
        return Series(shown, self._cursors.next({"on": on, "id": record_id}, binding))

    def _points(self, asked: Asked) -> Sequence[Point]:
        whose, predicate = self._window.citizen_id, self._window.predicate
        found = self._records.of_categories(whose, measured_categories(), predicate)
        first, last = asked.period.first, asked.period.last
        return [
            point
            for each in found
            if (first is None or each.occurred_on.first_day >= first)
            and (last is None or each.occurred_on.last_day <= last)
            for point in points_of(each, asked.system, asked.code)
        ]

    def _front(self, sections: Sections = SECTIONS) -> dict[str, Lines]:
        today = vn_day(self._now())
        return self._records.front(self._window.citizen_id, self._window.predicate, today, sections)

    def _binding(self, asked: Asked) -> tuple[str, ...]:
        days = str(asked.period.first), str(asked.period.last)
        viewer, whose = self._window.viewer, self._window.citizen_id
        books = ",".join((whose, *self._window.others))
        return bound("series", viewer, books, asked.system, asked.code, *days)

    def _log(self, action: Action, shown: list[Record]) -> None:
        log_look(self._access_log, self._window, action, self._now(), shown)
