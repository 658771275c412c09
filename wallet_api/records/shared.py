"""What a share link shows: the records as they are now, as a FHIR R4 Bundle that tells no more than it must.

The patient and the records have names of this share's own, so that two links do not tell that they are of
one book; whose it is stands in the Patient, by name, birth date and sex.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from consent.decision import Decision, decide_shared
from consent.model import Period
from consent.predicate import Clause
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action
from wallet_api.infra.crypto.framing import framed
from wallet_api.records.joined import OthersOf, joined
from wallet_api.records.model import Filter, Record
from wallet_api.records.ports import Records
from wallet_api.records.types import type_of
from wallet_api.records.windows import Viewer, Window, log_look

Json = dict[str, Any]
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


@dataclass(frozen=True)
class Selection:
    """What a link is to show: `record_ids`, or `categories` and a period; never neither."""

    record_ids: frozenset[str] | None
    categories: frozenset[str] | None
    first: date | None
    last: date | None
    by_guardian: bool

    @property
    def decision(self) -> Decision:
        """What may be seen of it now. Restricted labels are only in what is named record by record."""
        named = self.record_ids is not None
        if not named and self.categories is None:
            return Decision()
        labels = None if named else frozenset[str]()
        wanted = Clause(self.categories, Period(self.first, self.last), labels, None, self.record_ids)
        return decide_shared(wanted, by_guardian=self.by_guardian)


@dataclass(frozen=True)
class Whose:
    """The person as the Patient of a shared bundle."""

    name: str
    birth_date: date
    sex: str


class SharedReader:
    """The window of whoever holds a link. Whatever it returns is already in the access log."""

    def __init__(
        self,
        records: Records,
        log: AccessLog,
        now: Callable[[], datetime],
        most: int,
        books_with: OthersOf = lambda _: (),
    ) -> None:
        """`most`: how many records one view shows, the newest. `books_with`: what continues in a book."""
        self._records = records
        self._books_with = books_with
        self._log = log
        self._now = now
        self._most = most

    def look(
        self, viewer: Viewer, citizen_id: str, chosen: Selection, detail: dict[str, Any]
    ) -> list[Record]:
        """The records, newest first, and one more than may be shown if there are more.

        Raises:
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        found = self._found(citizen_id, chosen)
        others = tuple(sorted({each.citizen_id for each in found} - {citizen_id}))
        window = Window(citizen_id, viewer, chosen.decision, None, others)
        log_look(self._log, window, Action.SHARE_VIEWED, self._now(), found[: self._most], detail)
        return found

    def unchanged(self, citizen_id: str, chosen: Selection, shown: Sequence[Record]) -> bool:
        """Whether the same would be shown once more: nothing was hidden, corrected or erased meanwhile."""
        return _versions(self._found(citizen_id, chosen)) == _versions(shown)

    def admits_all(self, citizen_id: str, chosen: Selection) -> bool:
        """Whether every record named is there for whoever shares it. Shows nothing, so it is no look."""
        named = chosen.record_ids or frozenset()
        return len(self._found(citizen_id, chosen, len(named))) == len(named)

    def bundle(self, share_id: str, whose: Whose, found: Sequence[Record], made_at: datetime) -> Json:
        """What is shown, as a Bundle of type collection; marked when it is not all there is."""
        patient = _urn(share_id, "patient")
        entries = [{"fullUrl": patient, "resource": _patient(whose)}]
        entries += [
            {"fullUrl": _urn(share_id, each.id), "resource": _resource(each, patient)}
            for each in found[: self._most]
        ]
        made: Json = {"resourceType": "Bundle", "type": "collection", "timestamp": made_at.isoformat()}
        if len(found) > self._most:
            made["meta"] = {"tag": [_SUBSETTED]}
        return made | {"entry": entries}

    def _found(self, citizen_id: str, chosen: Selection, most: int | None = None) -> list[Record]:
        limit = self._most + 1 if most is None else most
        # A guardian shares the book that the guardianship is for; the person shares all that is theirs.
        others = () if chosen.by_guardian else self._books_with(citizen_id)
        return joined(self._records, others).page(
            citizen_id, chosen.decision.predicate, Filter(), None, limit
        )


def _versions(found: Sequence[Record]) -> list[tuple[str, int]]:
    return [(each.id, each.version) for each in found]


def _patient(whose: Whose) -> Json:
    sex = whose.sex if whose.sex in ("male", "female") else "unknown"
    return {
        "resourceType": "Patient",
        "name": [{"text": whose.name}],
        "gender": sex,
        "birthDate": whose.birth_date.isoformat(),
    }


def _resource(record: Record, patient: str) -> Json:
    """The resource about this bundle's patient, without the sender's own name for it."""
    kind = type_of(record.resource)
    if kind is None:
        raise KeyError(record.resource.get("resourceType"))
    kept = {name: value for name, value in record.resource.items() if name != "id"}
    return kept | {kind.subject: {"reference": patient}}


def _urn(share_id: str, name: str) -> str:
    digest = hashlib.sha256(framed("share entry", share_id, name)).digest()
    return uuid.UUID(bytes=digest[:16], version=4).urn
