"""A book as FHIR resources, for one viewer: each look is decided, read and logged like any other.

What a search asks about sealed contents is judged in this process, over what the viewer may see. So much of
a book is looked at for one page that the answer may hold fewer than were asked for and still lead on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from operator import gt, lt
from typing import Final

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.fhir_search import Search
from wallet_api.records.model import Position, Record
from wallet_api.records.ports import Records
from wallet_api.records.windows import Window, log_look, look_event

SCANNED: Final = 1000
"""How many records one page looks at, at the most."""
COUNTED: Final = 5000
"""How many records are looked at to count; where there are more, nobody is told how many."""
_STEP: Final = 200


@dataclass(frozen=True)
class Found:
    """A page of a search, and where the next begins if there may be one."""

    records: list[Record]
    rest: Position | None


class BookResources:
    """One viewer's resources of one book. Whatever it returns is already in the access log."""

    def __init__(self, window: Window, records: Records, log: AccessLog, now: Callable[[], datetime]) -> None:
        self._window = window
        self._records = records
        self._access_log = log
        self._now = now

    def search(self, wanted: Search, after: Position | None, limit: int) -> Found:
        """At most `limit` records that fit, after a position.

        Raises:
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        look = self._scanned if wanted.record_ids is None else self._named
        found = look(wanted, after, limit)
        self._log(Action.RECORD_SEARCHED, found.records)
        return found

    def count(self, wanted: Search) -> int | None:
        """How many records fit; None: the book is too large to count them. It is a look, and logged as one.

        Raises:
            LogUnavailable: it could not be logged; nothing is told.
        """
        number, whole, categories = 0, True, set[str]()
        for seen, each in enumerate(self._all(wanted, None, _STEP)):
            if seen == COUNTED:
                whole = False
                break
            if wanted.fits(each):
                number += 1
                categories.add(each.category)
        event = look_event(self._window, Action.RECORD_SEARCHED, self._now())
        told = replace(event, record_count=number, categories=tuple(sorted(categories)))
        self._access_log.append(told)
        return number if whole else None

    def one(self, kind: str, record_id: str) -> Record:
        """The newest version of one resource.

        Raises:
            RecordNotFound: absent, another book's, hidden from this viewer or of another type: all the same.
        """
        return self._logged(self._of(kind, record_id), record_id)[0]

    def versions(self, kind: str, record_id: str) -> list[Record]:
        """All versions of one resource, newest first.

        Raises:
            RecordNotFound: as for `one`.
        """
        found = self._of(kind, record_id)
        if found:
            found = self._records.versions(self._window.citizen_id, record_id, self._window.predicate)
        return self._logged(found, record_id)

    def version(self, kind: str, record_id: str, number: str) -> Record:
        """One version of one resource.

        Raises:
            RecordNotFound: as for `one`; or there is no such version for this viewer.
        """
        found = self._of(kind, record_id)
        if found:
            found = self._records.versions(self._window.citizen_id, record_id, self._window.predicate)
        wanted = [each for each in found if str(each.version) == number]
        return self._logged(wanted, record_id)[0]

    def look(self) -> None:
        """Write into the log that the viewer looked whose book it is, and at none of its records."""
        self._log(Action.RECORD_SEARCHED, [])

    def _of(self, kind: str, record_id: str) -> list[Record]:
        found = self._records.get(self._window.citizen_id, record_id, self._window.predicate)
        return [found] if found is not None and found.resource.get("resourceType") == kind else []

    def _named(self, wanted: Search, after: Position | None, limit: int) -> Found:
        """Of records that are named, each is found by its id."""
        whose, predicate = self._window.citizen_id, self._window.predicate
        named = [self._records.get(whose, each, predicate) for each in sorted(wanted.record_ids or ())]
        fitting = [each for each in named if each is not None and wanted.fits(each)]
        fitting.sort(key=_place, reverse=not wanted.oldest_first)
        if after is not None:
            comes_later = gt if wanted.oldest_first else lt
            last = after.occurred, after.record_id
            fitting = [each for each in fitting if comes_later(_place(each), last)]
        shown = fitting[:limit]
        return Found(shown, _position(shown[-1]) if len(fitting) > limit else None)

    def _scanned(self, wanted: Search, after: Position | None, limit: int) -> Found:
        shown: list[Record] = []
        place = after
        for seen, each in enumerate(self._all(wanted, after, limit + 1)):
            fits = wanted.fits(each)
            if seen == SCANNED or (fits and len(shown) == limit):
                return Found(shown, place)
            place = _position(each)
            shown += [each] if fits else []
        return Found(shown, None)

    def _all(self, wanted: Search, after: Position | None, step: int) -> Iterator[Record]:
        """What the viewer may see of what could fit, a step at a time."""
        whose, predicate, place = self._window.citizen_id, self._window.predicate, after
        while batch := self._records.page(whose, predicate, wanted.filter, place, step):
            yield from batch
            if len(batch) < step:
                return
            place, step = _position(batch[-1]), _STEP

    def _logged(self, found: list[Record], record_id: str) -> list[Record]:
        self._log(Action.RECORD_READ, found[:1])
        if not found:
            raise RecordNotFound(record_id)
        return found

    def _log(self, action: Action, shown: list[Record]) -> None:
        log_look(self._access_log, self._window, action, self._now(), shown)


def _place(record: Record) -> tuple[str, str]:
    return record.occurred_on.first_day.isoformat(), record.id


def _position(record: Record) -> Position:
    return Position(*_place(record))
