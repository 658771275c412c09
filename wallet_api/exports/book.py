"""Making the files: reads a book as whoever asked may see it now, and writes it as print or as FHIR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Protocol

from consent.predicate import Predicate
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind
from wallet_api.exports.bundle import head_of, piece_of, tail_of
from wallet_api.exports.desk import Out
from wallet_api.exports.entries import entry_of
from wallet_api.exports.errors import ExportEnded
from wallet_api.exports.model import Export, Locale
from wallet_api.exports.seal import Sealed, sealed
from wallet_api.infra.crypto.jws import Signer
from wallet_api.records.model import Filter, Position, Record
from wallet_api.records.visits import is_visit, visit_of
from wallet_api.records.windows import Viewer, Window, look_event, window_of_person

_PAGE: Final = 500
_READ: Final = 70
"""Per cent of the way that reading is, by our own measurements; printing is the rest."""


class Book(Protocol):
    """What of `records.ports.Records` a file is made from."""

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """Admitted records, newest first."""

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One admitted record."""

    def written_for(self, citizen_id: str, organisation_id: str, predicate: Predicate) -> list[Record]:
        """What one organisation wrote."""

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many of each category are admitted."""

    def admitted_ids(self, citizen_id: str, predicate: Predicate) -> frozenset[str]:
        """The ids of all admitted records."""


@dataclass(frozen=True)
class Holder:
    """Whose book it is."""

    name: str
    birth_date: date
    sex: str


@dataclass(frozen=True)
class MakerParts:
    """What files are made of. `holder` of somebody who is no more is None.

    `book` is one book, for a guardian; `whole` is for the person: with those that continue in it.
    """

    book: Book
    whole: Book
    log: AccessLog
    signer: Callable[[], Signer]
    holder: Callable[[str], Holder | None]
    organisation: Callable[[str, Locale], str | None]
    issuer: str
    now: Callable[[], datetime]


class BookMaker:
    """`desk.Maker` over the health book."""

    def __init__(self, parts: MakerParts) -> None:
        self._parts = parts

    def make(self, export: Export, out: Out) -> tuple[str, ...]:
        """Write the file; the ids of what stands in it. In the access log when this returns.

        Raises:
            ExportEnded: the person or the visit is no more, or is not for whoever asked.
            LogUnavailable: it could not be logged.
        """
        holder = self._parts.holder(export.citizen_id)
        if holder is None:
            raise ExportEnded("ended")
        window = _window(export)
        write = self._write_fhir if export.format == "fhir" else self._write_pdf
        seen = write(export, holder, self._read(export, window, out), out)
        event = look_event(window, Action.RECORD_EXPORTED, self._parts.now())
        categories = tuple(sorted(set(seen.values())))
        said = replace(event, record_count=len(seen), categories=categories, detail=export.log_detail())
        self._parts.log.append(said)
        return tuple(seen)

    def still_shown(self, export: Export, record_ids: frozenset[str]) -> bool:
        """Whether whoever asked may still see all these records."""
        admitted = self._book_for(export).admitted_ids(export.citizen_id, _window(export).predicate)
        return record_ids <= admitted

    def _book_for(self, export: Export) -> Book:
        return self._parts.whole if export.relation == "self" else self._parts.book

    def _write_fhir(
        self, export: Export, holder: Holder, records: Iterator[Record], out: Out
    ) -> dict[str, str]:
        seen: dict[str, str] = {}
        out.write(head_of(export, holder.name, holder.birth_date, holder.sex, self._parts.now()))
        for each in records:
            seen[each.id] = each.category
            out.write(piece_of(export, each))
        out.write(tail_of())
        return seen

    def _write_pdf(
        self, export: Export, holder: Holder, records: Iterator[Record], out: Out
    ) -> dict[str, str]:
        # Only whoever prints pays for loading what prints: few processes ever do.
        from wallet_api.exports.printing import Cover, printed

        now, names = self._parts.now(), _Names(self._parts.organisation, export.locale)
        entries = [entry_of(each, names.of(each), export.locale) for each in records]
        cover = Cover(holder.name, holder.birth_date, holder.sex, self._parts.issuer, now)
        made = printed(export, cover, entries, lambda done: out.step(_READ + (99 - _READ) * done // 100))
        told = Sealed(self._parts.issuer, holder.name, holder.birth_date.year, len(entries), now)
        out.write(sealed(made, export, told, self._parts.signer()))
        return {each.record_id: each.category for each in entries}

    def _read(self, export: Export, window: Window, out: Out) -> Iterator[Record]:
        if export.encounter_id is not None:
            yield from self._visit(export, export.encounter_id, window)
            return
        whose, predicate, book = window.citizen_id, window.predicate, self._book_for(export)
        total, read, after = sum(book.count(whose, predicate).values()), 0, None
        while True:
            page = book.page(whose, predicate, Filter(), after, _PAGE)
            yield from page
            read += len(page)
            out.step(_READ * read // max(total, read, 1))
            if len(page) < _PAGE:
                return
            after = Position(page[-1].occurred_on.first_day.isoformat(), page[-1].id)

    def _visit(self, export: Export, record_id: str, window: Window) -> Sequence[Record]:
        book, whose, predicate = self._book_for(export), window.citizen_id, window.predicate
        found = book.get(whose, record_id, predicate)
        if found is None or not is_visit(found):
            raise ExportEnded("ended")
        wrote = found.source.organisation_id or ""
        return visit_of(found, book.written_for(whose, wrote, predicate), together=True).records


class _Names:
    """The names of organisations, each asked for once."""

    def __init__(self, name: Callable[[str, Locale], str | None], locale: Locale) -> None:
        self._name = name
        self._locale = locale
        self._known: dict[str, str | None] = {}

    def of(self, record: Record) -> str | None:
        whose = record.source.organisation_id
        if whose is not None and whose not in self._known:
            self._known[whose] = self._name(whose, self._locale)
        return None if whose is None else self._known[whose]


def _window(export: Export) -> Window:
    """What whoever asked may see, as the log is to name them: the request is the export's own."""
    viewer = Viewer(ActorKind.CITIZEN, export.made_by, export.id, export.client_id)
    return window_of_person(viewer, export.citizen_id, export.relation)
