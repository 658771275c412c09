"""book: the first page, the front page and the patient summary of a book of 5,000 records, against those of
one of 50.

Both lie in the same collection of the embedded database and are read in turn, small, large, small, large; the
ratio is that of the medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import Options
from bench.figure import Figure, at_most
from consent.predicate import own_eyes
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, ensure_indexes, open_database
from wallet_api.records.front_rules import SUMMARY
from wallet_api.records.ips.document import Making, document_of
from wallet_api.records.model import Filter, PartialDate, Record, Source
from wallet_api.stores import book_fronts, records
from wallet_api.stores.records import MongoRecords

SMALL, LARGE = 50, 5_000
PAGE = 21
PAIRS = 40
GOAL = 1.5
_TODAY = date(2026, 11, 23)
_YEARS = 20
_KINDS = (
    ("condition", "Condition", "code"),
    ("medication", "MedicationRequest", "medicationCodeableConcept"),
    ("visit", "Encounter", "code"),
    ("lab_result", "Observation", "code"),
    ("immunization", "Immunization", "vaccineCode"),
    ("allergy", "AllergyIntolerance", "code"),
    ("vital_sign", "Observation", "code"),
    ("procedure", "Procedure", "code"),
)


def figures(_: Options) -> Iterator[Figure]:
    """The three ratios, and milliseconds for the small book."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            yield from _measured(open_database(server.uri, "bench"))
        finally:
            server.stop(grace=0)


def _measured(db: Db) -> Iterator[Figure]:
    ensure_indexes(db, (*records.INDEXES, *book_fronts.INDEXES))
    keys = MemoryKeyStore()
    book = MongoRecords(db, CitizenCipher(MemoryWrappedKeys(), keys, system_now), BlindIndex(keys))
    small, large = new_id(), new_id()
    for whose, size in ((small, SMALL), (large, LARGE)):
        book.load([_record(whose, number, size) for number in range(size)])
    looks: dict[str, Callable[[str], Any]] = {
        "book_first_page": lambda whose: book.page(whose, own_eyes(), Filter(), None, PAGE),
        "book_front_page": lambda whose: book.front(whose, own_eyes(), _TODAY),
        "book_patient_summary": lambda whose: _summary(book, whose),
    }
    for name, look in looks.items():
        took = [[_seconds(look, whose) for whose in (small, large)] for _ in range(PAIRS)]
        floor, mine = (statistics.median(each) for each in zip(*took, strict=True))
        yield at_most(name, mine / floor, f"of that of a book of {SMALL}, for one of {LARGE}", GOAL)
        yield Figure(f"{name}_floor", 1000 * floor, "milliseconds")


def _summary(book: MongoRecords, whose: str) -> Any:
    """The whole document, but for the names of people and organisations."""
    lines = book.front(whose, own_eyes(), _TODAY, SUMMARY)
    return document_of(lines, Making(str(uuid.uuid4()), system_now(), "vi", None, {}))


def _seconds(look: Callable[[str], Any], whose: str) -> float:
    began = time.perf_counter()
    if not look(whose):
        raise AssertionError("there must be something to look at")
    return time.perf_counter() - began


def _record(citizen_id: str, number: int, size: int) -> Record:
    """A record of a book that grew evenly over twenty years, of all kinds, about a hundred things."""
    day = _TODAY - timedelta(days=number * _YEARS * 365 // size)
    category, kind, member = _KINDS[number % len(_KINDS)]
    at = datetime.combine(day, datetime.min.time(), UTC)
    concept = {"coding": [{"system": "urn:bench", "code": str(number % 100)}], "text": f"Mục {number % 100}"}
    return Record(
        id=new_id(),
        citizen_id=citizen_id,
        version=1,
        category=category,
        occurred_on=PartialDate(day.isoformat()),
        recorded_at=at,
        source=Source("org", "bs", "fhir-bundle", at),
        resource={"resourceType": kind, member: concept, "status": "final"},
        fingerprint=new_id(),
    )
