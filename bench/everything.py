"""everything: how much memory a process needs more while a book of 20,000 records goes out page by page.

The pages are those of `Patient/$everything` with 100 resources each: decided, read, opened, logged and
written as JSON by the services of the wallet, in this process, over the embedded database beside it.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from bench import Options
from bench.figure import Figure, at_most
from bench.ground import environment
from wallet_api.audit.model import ActorKind
from wallet_api.context import Services
from wallet_api.identity.model import Profile
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import connect
from wallet_api.records.fhir_search import Search
from wallet_api.records.model import PartialDate, Record, Source
from wallet_api.records.windows import Viewer
from wallet_api.routes.fhir_resources import resource_of
from wallet_api.settings import Settings
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.records import MongoRecords
from wallet_api.wiring import build_services, open_keys

SIZE = 20_000
PAGE = 100
MOST = 50.0
_SELF = Path("/proc/self")
_FIRST = date(2000, 1, 1)


def figures(_: Options) -> Iterator[Figure]:
    """Megabytes at the peak beyond what stood before, the records that went out, and the seconds it took."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        database = server_at(Path(folder) / "db")
        env = environment(Path(folder), free_port())
        settings = Settings.from_env(env)
        db = connect(settings)
        services = build_services(settings, db)
        try:
            whose = services.identity.people.register(Profile("Lê Thị Đo", date(1990, 5, 4), "female"))
            # By a process of its own: what filling took is not to be found free afterwards.
            filling = get_context("spawn").Process(target=_fill, args=(env, whose))
            filling.start()
            filling.join()
            if filling.exitcode != 0:
                raise AssertionError("the book could not be filled")
            yield from _measured(services, whose)
        finally:
            services.log.close()
            db.client.close()
            database.stop(grace=0)


def _fill(env: dict[str, str], whose: str) -> None:
    settings = Settings.from_env(env)
    db, keys = connect(settings), open_keys(settings)
    cipher = CitizenCipher(MongoCitizenKeys(db), keys, system_now)
    MongoRecords(db, cipher, BlindIndex(keys)).load([_record(whose, each) for each in range(SIZE)])
    db.client.close()


def _measured(services: Services, whose: str) -> Iterator[Figure]:
    _page_through(services, whose, 2)  # whatever is loaded by the first use stands before
    before = _status("VmRSS")
    (_SELF / "clear_refs").write_text("5")  # the peak begins anew
    began = time.perf_counter()
    seen = _page_through(services, whose, SIZE)
    took = time.perf_counter() - began
    if seen != SIZE:
        raise AssertionError(f"{seen} of {SIZE} went out")
    yield at_most("everything_peak", (_status("VmHWM") - before) / 1024, "MB more for 20,000 records", MOST)
    yield Figure("everything_seconds", took, f"seconds for {SIZE // PAGE} pages")


def _page_through(services: Services, whose: str, pages: int) -> int:
    viewer, seen, after = Viewer(ActorKind.CITIZEN, whose, new_id(), "bench"), 0, None
    for _ in range(pages):
        resources = services.book.readers.of_person(viewer, whose, "self").resources
        found = resources.search(Search(), after, PAGE)
        json.dumps([resource_of(each, whose, str) for each in found.records], ensure_ascii=False)
        seen, after = seen + len(found.records), found.rest
        if after is None:
            break
    return seen


def _record(whose: str, number: int) -> Record:
    now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    resource = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Huyết sắc tố"},
        "valueQuantity": {
            "value": number,
            "unit": "g/L",
            "system": "http://unitsofmeasure.org",
            "code": "g/L",
        },
    }
    return Record(
        id=new_id(),
        citizen_id=whose,
        version=1,
        category="lab_result",
        occurred_on=PartialDate((_FIRST + timedelta(days=number % 9000)).isoformat()),
        recorded_at=now,
        source=Source("organisation", "bs", "fhir-bundle", now),
        resource=resource,
        fingerprint=f"f{number}",
    )


def _status(name: str) -> int:
    """Kilobytes, as this process's status says."""
    match = re.search(rf"{name}:\s+(\d+) kB", (_SELF / "status").read_text(encoding="ascii"))
    if match is None:
        raise AssertionError(f"{name} is not told here")
    return int(match.group(1))
