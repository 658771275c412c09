"""The register of breaches in MongoDB. Free text is sealed: it may say more than its writer meant to.

In clear: state, times, codes, counts and which organisation's reads were counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pymongo
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from wallet_api.audit.model import Action, instant_text
from wallet_api.breaches.errors import CountTooLong, StaleBreach
from wallet_api.breaches.model import Assessment, Breach, Concerned, Reads, State, Step, Window
from wallet_api.infra.clock import VIETNAM
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.audit_log import MongoAuditLog

Document = dict[str, Any]
_COLLECTION: Final = "breaches"
_OWNER: Final = "breach-register"
_COUNT_SECONDS: Final = 20.0
_PART: Final = 500  # writes of the log in one part of an answer; each holds one row, and at most 200
_READS: Final = frozenset({Action.RECORD_READ, Action.RECORD_SEARCHED, Action.RECORD_EXPORTED})

INDEXES = (
    Index(_COLLECTION, (("detected_at", -1),)),
    Index(_COLLECTION, (("state", 1), ("detected_at", -1))),
)


class MongoBreaches:
    """`breaches.register.Breaches` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._breaches = db[_COLLECTION]
        self._log = MongoAuditLog(db)
        self._cipher = cipher

    def add(self, breach: Breach) -> None:
        """Keep a new entry; a second run of the same act finds it there."""
        try:
            self._breaches.insert_one(self._document(breach))
        except DuplicateKeyError:
            return

    def get(self, breach_id: str) -> Breach | None:
        """One entry."""
        found = self._breaches.find_one({"_id": breach_id})
        return None if found is None else self._breach(found)

    def save(self, breach: Breach, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": breach.id, "version": expected}
        if self._breaches.replace_one(unchanged, self._document(breach)).matched_count != 1:
            raise StaleBreach(breach.id)

    def newest(self, state: State | None, limit: int) -> list[Breach]:
        """The entries detected last."""
        asked = {} if state is None else {"state": state}
        found = self._breaches.find(asked).sort("detected_at", -1).limit(limit)
        return [self._breach(each) for each in found]

    def affected(self, reads: Reads) -> int:
        """Count the people whose records were read.

        Reads the access log without an index: one more would slow every read of every record down, for a
        question that is hardly ever asked. It has 20 seconds.
        """
        first, past = _start(reads.first), _start(reads.last + timedelta(days=1))
        people = set()
        try:
            with pymongo.timeout(_COUNT_SECONDS):
                for event in self._log.of_organisation(reads.organisation_id, first, past):
                    theirs = reads.practitioner_id in (None, event.get("practitioner_id"))
                    if theirs and event["decision"] == "permit" and event["action"] in _READS:
                        people.add(event.get("citizen_id"))
        except PyMongoError as why:
            if why.timeout:
                raise CountTooLong("affected") from why
            raise
        return len(people - {None})

    def concerned(self, window: Window, after: str | None) -> tuple[list[Concerned], str | None]:
        """Whose records were read so, in one part of the log: by an index over time, so in bounded time."""
        first, past = _start(window.first), _start(window.last + timedelta(days=1))
        try:
            with pymongo.timeout(_COUNT_SECONDS):
                rows, more = self._log.window(first, past, after, _PART)
        except PyMongoError as why:
            if why.timeout:
                raise CountTooLong("concerned") from why
            raise
        times: dict[str, list[datetime]] = {}
        for event in (row.event for row in rows):
            if _is_read(event, window):
                at = datetime.fromisoformat(str(event["at"]))
                times.setdefault(str(event["citizen_id"]), []).append(at)
        found = (Concerned(who, len(at), min(at), max(at)) for who, at in times.items())
        return sorted(found, key=lambda each: (each.first_at, each.citizen_id)), more

    def _document(self, breach: Breach) -> Document:
        found = breach.assessment
        sealed = {"what": breach.what, "reasons": [step.reason for step in breach.history]}
        return {
            "_id": breach.id,
            "version": breach.version,
            "state": breach.state,
            "detected_at": breach.detected_at,
            "kind": breach.kind,
            "cause": breach.cause,
            "data": sorted(breach.data),
            "assessment": None if found is None else _assessment_document(found),
            "told": [{"to": to, "at": at} for to, at in breach.told],
            "history": [{"event": each.event, "by": each.by, "at": each.at} for each in breach.history],
            "content": self._cipher.seal_json(_place(breach.id, breach.version), sealed),
        }

    def _breach(self, found: Mapping[str, Any]) -> Breach:
        content = self._cipher.open_json(_place(found["_id"], found["version"]), found["content"])
        steps = zip(found["history"], content["reasons"], strict=True)
        return Breach(
            id=found["_id"],
            version=found["version"],
            state=found["state"],
            detected_at=found["detected_at"].astimezone(UTC),
            kind=found["kind"],
            cause=found["cause"],
            data=frozenset(found["data"]),
            what=content["what"],
            history=tuple(
                Step(each["event"], each["by"], each["at"].astimezone(UTC), reason) for each, reason in steps
            ),
            assessment=None if found["assessment"] is None else _assessment(found["assessment"]),
            told=tuple((each["to"], each["at"].astimezone(UTC)) for each in found["told"]),
        )


def _assessment_document(found: Assessment) -> Document:
    counted = found.counted
    return {
        "risk": found.risk,
        "must_notify": found.must_notify,
        "affected": found.affected,
        "counted": None
        if counted is None
        else {
            "organisation_id": counted.organisation_id,
            "practitioner_id": counted.practitioner_id,
            "first": counted.first.isoformat(),
            "last": counted.last.isoformat(),
        },
    }


def _assessment(found: Mapping[str, Any]) -> Assessment:
    told = found["counted"]
    counted = None
    if told is not None:
        days = date.fromisoformat(told["first"]), date.fromisoformat(told["last"])
        counted = Reads(told["organisation_id"], told["practitioner_id"], *days)
    return Assessment(found["risk"], found["must_notify"], found["affected"], counted)


def _is_read(event: Mapping[str, object], window: Window) -> bool:
    """Whether an entry is a permitted look at somebody's records, by whom the window names."""
    if event.get("decision") != "permit" or event.get("action") not in _READS or not event.get("citizen_id"):
        return False
    asked = (
        (window.organisation_id, "organisation_id"),
        (window.practitioner_id, "practitioner_id"),
        (window.client_id, "client_id"),
    )
    return all(wanted is None or event.get(name) == wanted for wanted, name in asked)


def _start(day: date) -> str:
    """Where a Vietnamese day begins among entry ids, which begin with their time in UTC."""
    return instant_text(datetime.combine(day, time(), VIETNAM))


def _place(breach_id: str, version: int) -> Place:
    return Place(_OWNER, "breaches", _COLLECTION, breach_id, "content", version)
