"""The desk of exports: takes orders, has them made one by one, hands over. Each change is a compare-and-set.

A worker holds an export for a minute and asks for more at every step; one that dies leaves it to the next. A
file taken away while it is made ends the making, and what was made of it is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol

from wallet_api.exports.errors import (
    ExportEnded,
    ExportNotFound,
    ExportNotReady,
    ExportRestricted,
    StaleExport,
    TooManyExports,
)
from wallet_api.exports.model import MOST_TRIES, Export, Relation

MOST_KEPT: Final = 5
"""How many files of one book one person may have waiting or ready: our own choice."""
LARGEST: Final = 64 * 2**20
"""Bytes of the largest file that is made: our own choice, over a hundred times the PDF of 2,000 records."""
PART: Final = 2**20
"""Bytes sealed together: a document of the database holds sixteen times as many."""


class Exports(Protocol):
    """Exports and their parts, durable when a call returns."""

    def add(self, export: Export) -> None:
        """Keep a new one; one that is there already under this id is left as it is."""

    def get(self, export_id: str) -> Export | None:
        """One export; None as well when its owner's key is gone."""

    def save(self, export: Export, *, expected: int) -> None:
        """Put a new version in the place of `expected`, or raise StaleExport."""

    def due(self, now: datetime) -> Export | None:
        """The one that has waited longest for a worker."""

    def kept_by(self, citizen_id: str, made_by: str, now: datetime) -> int:
        """How many files of a book one person has waiting or ready, their time not over."""

    def put_part(self, export: Export, number: int, content: bytes) -> None:
        """Keep one part of the file as this try makes it."""

    def part(self, export: Export, number: int) -> bytes:
        """One part of a file that is ready; ExportNotFound when it is gone."""

    def drop_parts(self, export: Export, tries: int) -> None:
        """Delete what the first so many tries have made."""

    def remove(self, export: Export) -> None:
        """Delete the export and all its parts."""


class Standing(Protocol):
    """Facts of this moment, not of the moment the file was asked for."""

    def may_have(self, citizen_id: str, by: str, relation: Relation) -> bool:
        """Whether this person may read the book today: it is their own, or they act for its owner."""

    def restricted(self, citizen_id: str) -> bool:
        """Whether processing is restricted."""


class Out(Protocol):
    """Where a file goes while it is made."""

    def write(self, piece: bytes) -> None:
        """Keep the next bytes. Raises ExportEnded when the file grows too large."""

    def step(self, percent: int) -> None:
        """Tell how far it is. Raises StaleExport: somebody took the file away."""


class Maker(Protocol):
    """Makes files."""

    def make(self, export: Export, out: Out) -> tuple[str, ...]:
        """Write what may be seen now; the ids of the records in it. In the access log when this returns.

        Raises:
            ExportEnded: there is nothing to make.
        """

    def still_shown(self, export: Export, record_ids: frozenset[str]) -> bool:
        """Whether whoever asked may still see all these records."""


class ExportDesk:
    """Exports of one wallet."""

    def __init__(
        self, exports: Exports, maker: Maker, standing: Standing, now: Callable[[], datetime]
    ) -> None:
        self._exports = exports
        self._maker = maker
        self._standing = standing
        self._now = now

    def ask(self, wish: Export) -> Export:
        """Take an order; asked again with the same id it is the order that is there.

        Raises:
            TooManyExports: too many lie ready. ExportRestricted: nothing would be handed over.
        """
        found = self._exports.get(wish.id)
        if found is not None:
            return found
        if self._standing.restricted(wish.citizen_id):
            raise ExportRestricted(wish.id)
        if self._exports.kept_by(wish.citizen_id, wish.made_by, self._now()) >= MOST_KEPT:
            raise TooManyExports(wish.id)
        self._exports.add(wish)
        return wish

    def of_person(self, citizen_id: str, export_id: str, by: str) -> Export:
        """One export, for whoever asked for it alone.

        Raises:
            ExportNotFound: there is none, it is another's or of another's book, or its time is over.
        """
        found = self._exports.get(export_id)
        if found is None or (found.citizen_id, found.made_by) != (citizen_id, by):
            raise ExportNotFound(export_id)
        if found.over_at(self._now()):
            raise ExportNotFound(export_id)
        return found

    def file(self, export: Export) -> bytes:
        """The whole file. Not yet to be handed over: `still_handed` is asked right before.

        Raises:
            ExportNotReady: it is not made. ExportRestricted: processing is restricted now.
        """
        if export.state != "ready":
            raise ExportNotReady(export.id)
        if self._standing.restricted(export.citizen_id):
            raise ExportRestricted(export.id)
        return b"".join(self._exports.part(export, number) for number in range(1, export.parts + 1))

    def still_handed(self, export: Export) -> bool:
        """Whether the file may go to whoever asked for it, at this moment; one that may not is deleted.

        It may while it is kept, its owner's data is not restricted, whoever asked may still read the book,
        and nothing that stands in it was hidden from them, moved or erased since.
        """
        kept = self._exports.get(export.id)
        if kept is None or kept.over_at(self._now()) or self._standing.restricted(export.citizen_id):
            return False
        whose, by = export.citizen_id, export.made_by
        with suppress(ExportNotFound):
            if self._standing.may_have(whose, by, export.relation):
                ids = frozenset(self._exports.part(kept, 0).decode().split())
                if self._maker.still_shown(export, ids):
                    return True
        self._exports.remove(kept)
        return False

    def remove(self, export: Export) -> None:
        """Delete a file, whatever has become of it; a worker that makes it stops."""
        self._exports.remove(export)

    def make_next(self) -> Export | None:
        """Make the file that has waited longest; None when none waits, or another worker was faster.

        What goes wrong comes out, and the file is tried again when the lease is over, at most three times.
        """
        now = self._now()
        found = self._exports.due(now)
        if found is None:
            return None
        if found.over_at(now) or found.tries >= MOST_TRIES:
            return self._give_up(found, "tries")
        with suppress(StaleExport):
            taken = found.taken(now)
            self._exports.save(taken, expected=found.version)
            return self._made(taken)
        return None

    def _made(self, taken: Export) -> Export | None:
        making = _Making(self._exports, taken, self._now)
        try:
            self._check(taken)
            making.close(self._maker.make(taken, making))
            self._check(taken)
            done = making.export.done(making.parts, making.size)
            self._exports.save(done, expected=making.export.version)
        except ExportEnded as why:
            return self._give_up(making.export, why.reason)
        except StaleExport:
            # It was taken away, or another worker has it by now: of this try nothing may stay.
            self._exports.drop_parts(taken, taken.tries)
            return None
        self._exports.drop_parts(done, done.tries - 1)
        return done

    def _check(self, export: Export) -> None:
        """Whether the file may still be made; what was read before it ended is never kept."""
        if self._standing.restricted(export.citizen_id):
            raise ExportEnded("restricted")
        if not self._standing.may_have(export.citizen_id, export.made_by, export.relation):
            raise ExportEnded("ended")

    def _give_up(self, export: Export, reason: str) -> Export | None:
        failed = export.failed(reason)
        try:
            self._exports.save(failed, expected=export.version)
        except StaleExport:
            return None
        finally:
            self._exports.drop_parts(export, export.tries)
        return failed


class _Making:
    """One try at one file: keeps the lease, and the parts as they come."""

    def __init__(self, exports: Exports, export: Export, now: Callable[[], datetime]) -> None:
        self._exports = exports
        self._now = now
        self._held = bytearray()
        self.export = export
        self.size = self.parts = 0

    def step(self, percent: int) -> None:
        """Tell how far it is, which holds the lease. Raises StaleExport: somebody took the file away."""
        moved = self.export.moved(percent, self._now())
        self._exports.save(moved, expected=self.export.version)
        self.export = moved

    def write(self, piece: bytes) -> None:
        """Keep the next bytes, a part as soon as it is full."""
        self._held += piece
        self.size += len(piece)
        if self.size > LARGEST:
            raise ExportEnded("too_large")
        while len(self._held) >= PART:
            self._put(PART)

    def close(self, record_ids: tuple[str, ...]) -> None:
        """Keep what is left, and what stands in the file: asked once more before it is handed over."""
        if self._held:
            self._put(len(self._held))
        self._exports.put_part(self.export, 0, " ".join(record_ids).encode())
        self.step(99)

    def _put(self, length: int) -> None:
        self.parts += 1
        self._exports.put_part(self.export, self.parts, bytes(self._held[:length]))
        del self._held[:length]
