"""Migrations: old and new code side by side, killed in the middle, two at once, and who may start."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.database import Database
from pymongo.errors import WriteError

from tests.operations.old_keys import OldKeys, old_row
from wallet_api.infra.crypto.wrapped_keys import WrappedKey
from wallet_api.infra.migrations import (
    LEDGER,
    Applied,
    Migration,
    MigrationChanged,
    MigrationError,
    MigrationTaken,
    Part,
    Runner,
    SchemaTooNew,
    SchemaTooOld,
    Stage,
    applied,
    check_schema,
)
from wallet_api.infra.mongo import Index, IndexConflict, ensure_indexes, open_database
from wallet_api.migrations import MIGRATIONS, NEEDS, load_migrations
from wallet_api.settings import Settings
from wallet_api.stores.citizen_keys import INDEXES, MongoCitizenKeys
from wallet_api.wiring import build_services
from wallet_api.wiring.schema import ready_schema

Db = Database[dict[str, Any]]
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
STORED = 600
RUNNER = """
import sys, time
from datetime import UTC, datetime
from wallet_api.infra.migrations import Runner
from wallet_api.infra.mongo import open_database
from wallet_api.migrations import MIGRATIONS
uri, name, pause, lease = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
def tell(line):
    print(line, flush=True)
    time.sleep(pause)
Runner(open_database(uri, name), MIGRATIONS, lambda: datetime.now(UTC), tell, lease_seconds=lease).run()
"""


def runner_process(uri: str, name: str, pause: float, lease: float = 2.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, uri, name, str(pause), str(lease)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


class Writer(threading.Thread):
    """Adds, rewraps and reads keys through one release's store; remembers what it was told is stored."""

    def __init__(self, keys: Any, name: str, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.keys, self.stop_now = keys, stop
        self.mine: dict[str, WrappedKey] = {}
        self.reads, self.wrong = 0, []
        self.random = random.Random(name)

    def run(self) -> None:
        number = 0
        while not self.stop_now.is_set():
            number += 1
            key = WrappedKey(f"{self.name}-{number:06d}", "clinical", 1, "2026-11", os.urandom(60))
            if self.keys.add(key):
                self.mine[key.citizen_id] = key
            known = self.mine[self.random.choice(sorted(self.mine))]
            wrapped = os.urandom(60)
            if self.keys.rewrap(known, wrapped, "2026-12"):
                self.mine[known.citizen_id] = replace(known, wrapped=wrapped, kek_id="2026-12")
            elsewhere = f"kept-{self.random.randrange(STORED):06d}"
            self.reads += 1
            time.sleep(0.01)
            if self.keys.find(elsewhere, "clinical") != kept(elsewhere):
                self.wrong.append(elsewhere)


def kept(citizen_id: str) -> WrappedKey:
    return WrappedKey(citizen_id, "clinical", 1, "2026-11", citizen_id.encode().ljust(60, b"."))


def until(what: Any, seconds: float = 90.0) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)


def test_old_and_new_code_serve_while_a_killed_backfill_is_resumed(
    embedded_uri: str, embedded_db: Db, record_property: Any
) -> None:
    ensure_indexes(embedded_db, INDEXES)
    names = [f"kept-{number:06d}" for number in range(STORED)]
    with pymongo.timeout(60):
        embedded_db["citizen_keys"].insert_many([old_row(kept(each)) for each in names])
    stop = threading.Event()
    old = Writer(OldKeys(embedded_db), "old", stop)
    new = Writer(MongoCitizenKeys(embedded_db), "new", stop)
    for each in (old, new):
        each.start()
    first = runner_process(embedded_uri, embedded_db.name, pause=0.4)
    try:
        until(lambda: getattr(applied(embedded_db).get(2), "done", 0) >= STORED // 3)
    finally:
        first.kill()  # SIGKILL
        first.communicate(timeout=30)
    stopped_at = applied(embedded_db)[2]
    lacking = embedded_db["citizen_keys"].count_documents({"format": {"$exists": False}})
    assert stopped_at.stage is Stage.EXPANDED and STORED // 3 <= stopped_at.done < STORED and lacking > 0
    second = runner_process(embedded_uri, embedded_db.name, pause=0.0)
    said = second.communicate(timeout=120)[0]
    stop.set()
    for each in (old, new):
        each.join(60)
    assert second.returncode == 0, said
    assert f"going on after {stopped_at.done}" in said and "Another runner is at work" in said
    assert applied(embedded_db)[2].stage is Stage.BACKFILLED

    assert len(old.mine) > 10 and len(new.mine) > 10 and old.wrong == new.wrong == []
    expected = {each: kept(each) for each in names} | old.mine | new.mine
    stores = (OldKeys(embedded_db), MongoCitizenKeys(embedded_db))
    sample = [*old.mine, *new.mine, *random.sample(names, STORED // 6)]
    lost = [each for each in sample for keys in stores if keys.find(each, "clinical") != expected[each]]
    rows = {row["citizen_id"]: row for row in embedded_db["citizen_keys"].find({})}
    assert lost == [] and rows.keys() == expected.keys()
    assert all(bytes(rows[each]["wrapped"]) == expected[each].wrapped for each in rows)
    assert all(rows[each].get("format") == "gcm-1" for each in names)
    record_property("keys", len(rows))
    record_property("read while moving", old.reads + new.reads)
    print(f"{len(rows)} keys, {old.reads + new.reads} reads by both releases meanwhile, 0 lost, 0 wrong")


def run(db: Db, *known: Migration, **more: Any) -> list[str]:
    said: list[str] = []
    Runner(db, known or MIGRATIONS, lambda: NOW, said.append, lease_seconds=1.0).run(**more)
    return said


def test_contract_names_what_old_code_added_late_and_then_refuses_it(embedded_db: Db) -> None:
    ensure_indexes(embedded_db, INDEXES)
    run(embedded_db)
    assert OldKeys(embedded_db).add(kept("late"))
    run(embedded_db, contract=True)
    run(embedded_db, contract=True)
    assert applied(embedded_db)[2].stage is Stage.CONTRACTED
    row = embedded_db["citizen_keys"].find_one({"citizen_id": "late"})
    assert row is not None and row["format"] == "gcm-1"
    with pytest.raises(WriteError):
        OldKeys(embedded_db).add(kept("later"))
    new = MongoCitizenKeys(embedded_db)
    assert new.add(kept("later")) and new.find("late", "clinical") == kept("late")


def made_up(number: int = 1, steps: int = 5, pause: float = 0.0, ran: list[str] | None = None) -> Migration:
    def backfill(_: Db, after: str | None) -> Iterator[Part]:
        for step in range(int(after or 0), steps):
            time.sleep(pause)
            if ran is not None:
                ran.append(str(step))
            yield Part(1, str(step + 1))

    return Migration(
        number, "made up", f"sum{number}", lambda _: None, backfill, lambda _: None, lambda _: steps
    )


def test_two_runners_at_once_do_the_work_once(embedded_uri: str, embedded_db: Db) -> None:
    embedded_db["records"].insert_one({"_id": 1})
    ran: list[str] = []
    said: list[str] = []
    databases = [open_database(embedded_uri, embedded_db.name) for _ in range(2)]

    def work(db: Db) -> None:
        Runner(db, [made_up(pause=0.15, ran=ran)], lambda: NOW, said.append, lease_seconds=3.0).run()

    threads = [threading.Thread(target=work, args=(db,)) for db in databases]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    for db in databases:
        db.client.close()
    assert ran == ["0", "1", "2", "3", "4"]
    assert len([line for line in said if "Another runner is at work" in line]) == 1


def test_a_runner_that_was_overtaken_writes_nothing_more(embedded_db: Db) -> None:
    embedded_db["records"].insert_one({"_id": 1})

    def overtaken(db: Db, after: str | None) -> Iterator[Part]:
        yield Part(1, "1")
        db[LEDGER].update_one({"_id": "lease"}, {"$inc": {"version": 5}, "$set": {"holder": "another"}})
        yield Part(1, "2")

    with pytest.raises(MigrationTaken):
        run(embedded_db, replace(made_up(), backfill=overtaken))
    assert applied(embedded_db)[1].done == 1


def test_an_empty_database_begins_in_the_newest_shape(embedded_db: Db) -> None:
    run(embedded_db)
    assert [each.stage for each in applied(embedded_db).values()] == [Stage.BACKFILLED] * len(MIGRATIONS)
    assert {"citizen_keys", "records", "breaches", "brakes"} <= set(embedded_db.list_collection_names())
    assert run(embedded_db) == [], "there is nothing left to do"


def test_it_stops_where_it_is_told(embedded_db: Db) -> None:
    embedded_db["records"].insert_one({"_id": 1})
    run(embedded_db, to=1)
    assert sorted(applied(embedded_db)) == [1]
    run(embedded_db)
    assert sorted(applied(embedded_db)) == sorted(NEEDS)


def entry(number: int, stage: Stage, *, ending: bool = False, checksum: str | None = None) -> Applied:
    known = {each.number: each.checksum for each in MIGRATIONS}
    return Applied(number, checksum or known.get(number, "x"), stage, ending, 0, None)


ALL = {number: entry(number, Stage.BACKFILLED) for number in NEEDS}


@pytest.mark.parametrize(
    ("ledger", "refused"),
    [
        (ALL, None),
        (ALL | {99: entry(99, Stage.EXPANDED)}, None),
        (ALL | {99: entry(99, Stage.BACKFILLED)}, None),
        (ALL | {99: entry(99, Stage.BACKFILLED, ending=True)}, SchemaTooNew),
        (ALL | {99: entry(99, Stage.CONTRACTED, ending=True)}, SchemaTooNew),
        ({1: ALL[1]}, SchemaTooOld),
        ({}, SchemaTooOld),
        (ALL | {2: entry(2, Stage.BACKFILLED, checksum="edited")}, MigrationChanged),
        (ALL | {2: entry(2, Stage.CONTRACTED, ending=True)}, None),
    ],
)
def test_who_may_start_on_which_database(ledger: dict[int, Applied], refused: type[Exception] | None) -> None:
    if refused is None:
        check_schema(ledger, MIGRATIONS, NEEDS)
        return
    with pytest.raises(refused) as why:
        check_schema(ledger, MIGRATIONS, NEEDS)
    assert str(why.value).count(".") <= 2 and "migration" in str(why.value).lower()


def settings(folder: Path, env: str) -> Settings:
    made = Settings.from_env({"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder)})
    return replace(made, env=env)  # type: ignore[arg-type]  # dev or prod


def test_production_waits_to_be_migrated_and_development_does_not(embedded_db: Db, tmp_path: Path) -> None:
    with pytest.raises(SchemaTooOld, match="python -m wallet_api migrate"):
        ready_schema(settings(tmp_path, "prod"), embedded_db, lambda: NOW)
    assert embedded_db.list_collection_names() == [], "a start that is refused changes nothing"
    build_services(settings(tmp_path, "dev"), embedded_db).log.close()
    ready_schema(settings(tmp_path, "prod"), embedded_db, lambda: NOW)
    embedded_db["citizen_keys"].drop_index("kek_id_1")
    with pytest.raises(SchemaTooOld, match=r"citizen_keys\.kek_id_1"):
        ready_schema(settings(tmp_path, "prod"), embedded_db, lambda: NOW)
    embedded_db[LEDGER].insert_one({"_id": "0099", "number": 99, "checksum": "x", "stage": 2, "ending": True})
    for env in ("dev", "prod"):
        with pytest.raises(SchemaTooNew):
            build_services(settings(tmp_path, env), embedded_db)


def test_an_index_that_changes_is_a_migrations_work(embedded_db: Db) -> None:
    before = Index("things", ("state",))
    ensure_indexes(embedded_db, [before])
    embedded_db["things"].insert_one({"_id": 1, "state": "open"})
    with pytest.raises(IndexConflict):
        ensure_indexes(embedded_db, [Index("things", ("state",), unique=True)])
    after = Index("things", ("state", "_id"))
    moved = replace(
        made_up(steps=0),
        expand=lambda db: ensure_indexes(db, [after]),
        contract=lambda db: db["things"].drop_index("state_1"),
    )
    run(embedded_db, moved)
    ensure_indexes(embedded_db, [before])  # what old code does when it starts beside the new
    assert {"state_1", "state_1__id_1"} <= set(embedded_db["things"].index_information())
    run(embedded_db, moved, contract=True)
    assert "state_1" not in embedded_db["things"].index_information()


def test_a_folder_with_a_gap_or_a_half_written_migration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0002_second.py").write_text("")
    with pytest.raises(MigrationError, match="no gaps"):
        load_migrations(tmp_path)
    assert [each.number for each in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    assert set(NEEDS) == {each.number for each in MIGRATIONS}
