"""What a process that was killed within a transaction held on to is free as soon as the next one starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.errors import PyMongoError

from wallet_api.infra import mongo
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, end_left_transactions, open_database, transaction
from wallet_api.infra.unfinished import OpenTransactions, left_in

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from wallet_api.infra.mongo import end_left_transactions, open_database, transaction
db = open_database(sys.argv[1], sys.argv[2])
end_left_transactions(db, Path(sys.argv[3]))

def work(session):
    db.things.update_one({"_id": 1}, {"$set": {"by": "holder"}}, session=session)
    print("within", flush=True)
    time.sleep(600)

transaction(db, work)
"""


@pytest.fixture
def db(embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Db]:
    monkeypatch.setattr(mongo, "_OPEN", None)
    made = open_database(embedded_uri, f"unfinished_{new_id()}")
    made.things.insert_one({"_id": 1, "by": "nobody"})
    yield made
    if mongo._OPEN is not None:
        mongo._OPEN.close()
    made.client.close()


@pytest.fixture
def hold(db: Db, embedded_uri: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    held: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, embedded_uri, db.name, str(tmp_path / "open")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        held.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "within\n"
        return process

    yield start
    for each in held:
        each.kill()
        each.communicate()


def writes(db: Db) -> bool:
    try:
        with pymongo.timeout(1.0):
            db.things.update_one({"_id": 1}, {"$set": {"by": "me"}})
    except PyMongoError:
        return False
    return True


def test_what_a_killed_process_held_is_free_when_the_next_starts(
    db: Db, hold: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    holder = hold()
    holder.kill()
    holder.wait()
    assert not writes(db), "nothing was held: the test sees nothing"
    begun = time.monotonic()
    assert end_left_transactions(db, tmp_path / "open") == 1
    assert writes(db) and time.monotonic() - begun < 30
    assert end_left_transactions(db, tmp_path / "open") == 0, "what was ended is forgotten"


def test_a_living_process_keeps_what_it_holds(
    db: Db, hold: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    hold()
    assert end_left_transactions(db, tmp_path / "open") == 0
    assert not writes(db)


def test_what_could_not_be_ended_is_left_for_the_next(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with OpenTransactions(tmp_path).noted(b"s" * 16):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    for sessions in left_in(tmp_path):
        assert sessions == [b"s" * 16]
        break
    assert list(left_in(tmp_path)) == [[b"s" * 16]]
    assert list(left_in(tmp_path)) == []


def test_what_has_ended_is_not_noted_and_a_fork_notes_its_own(db: Db, tmp_path: Path) -> None:
    assert end_left_transactions(db, tmp_path) == 0

    def work(session: Any) -> None:
        db.things.update_one({"_id": 1}, {"$set": {"by": "me"}}, session=session)

    transaction(db, work)
    (own,) = tmp_path.glob("[0-9]*")
    assert own.read_bytes() == bytes(own.stat().st_size)
    assert mongo._OPEN is not None
    with mongo._OPEN.noted(b"p" * 16):
        child = os.fork()
        if child == 0:
            free = list(left_in(tmp_path)) == [] and mongo._OPEN._handle is None
            os._exit(0 if free else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert own.read_bytes()[-16:] == b"p" * 16


def test_a_folder_that_cannot_be_written_keeps_nobody_from_working(db: Db, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert end_left_transactions(db, tmp_path / "file" / "open") == 0
    transaction(db, lambda session: db.things.update_one({"_id": 1}, {"$set": {"by": "me"}}, session=session))
