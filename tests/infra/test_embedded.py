"""The embedded database: joined, killed, silent, refused; and no acknowledged write ever lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymongo
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.halting import halt
from wallet_api.infra import daemon
from wallet_api.infra.embedded import EmbeddedError, EmbeddedMissing, EmbeddedServer
from wallet_api.infra.machine import command_of, free_port
from wallet_api.infra.mongo import open_database

pytestmark = pytest.mark.usefixtures("impatient")
OWNER = """
import sys, time
from pathlib import Path
from wallet_api.infra.embedded import server_at
server = server_at(Path(sys.argv[1]))
print("owned" if server.owned else "joined", server.pid, flush=True)
time.sleep(60)
"""


KILLS = 2
"""How often the daemon is killed under load before its last kill; `tests/soak` has the full number."""


def eventually(question: Callable[[], bool], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if question():
            return True
        time.sleep(0.05)
    return question()


def owner(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose first start, which launches the daemon twice, is behind it."""
    folder = tmp_path_factory.mktemp("begun") / "db"
    server = EmbeddedServer(folder)
    server.start()
    server.stop()
    (folder / "state.json").unlink()  # each copy of it finds a port of its own
    return folder


@pytest.fixture
def place(begun: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(begun, tmp_path / "db"))


@pytest.fixture
def server(place: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(place)
    server.start()
    yield server
    server.stop(grace=0)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One daemon for the tests that leave it as it is, on a folder of its own first start."""
    server = EmbeddedServer(tmp_path_factory.mktemp("lasting") / "db")
    server.start()
    yield server
    server.stop(grace=0)


def test_data_survive_a_stop_and_the_daemon_does_not(server: EmbeddedServer) -> None:
    db = open_database(server.uri, "wallet")
    db.things.insert_one({"_id": 1})
    db.client.close()
    pid = server.pid
    server.stop()
    assert not command_of(pid)
    server.start()
    again = open_database(server.uri, "wallet")
    assert again.things.find_one() == {"_id": 1}
    again.client.close()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_it_writes_a_checkpoint_every_few_seconds_unless_it_is_told_otherwise(
    lasting: EmbeddedServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert b"SECANTUS_CHECKPOINT_SECONDS=5\0" in Path(f"/proc/{lasting.pid}/environ").read_bytes()
    monkeypatch.setenv("SECANTUS_CHECKPOINT_SECONDS", "30")
    other = EmbeddedServer(place)
    other.start()
    try:
        assert b"SECANTUS_CHECKPOINT_SECONDS=30\0" in Path(f"/proc/{other.pid}/environ").read_bytes()
    finally:
        other.stop(grace=0)


def test_what_is_deleted_is_kept_in_no_second_place(lasting: EmbeddedServer) -> None:
    with MongoClient[dict[str, object]](lasting.uri) as client:
        client.wallet.keys.insert_one({"_id": "gone", "wrapped": b"a key"})
        client.wallet.keys.delete_one({"_id": "gone"})
        assert client.local["oplog.rs"].find_one({}) is None


def test_a_stranger_without_the_password_is_refused_and_the_password_is_private(
    lasting: EmbeddedServer,
) -> None:
    secret = lasting._path / "password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(lasting._path.stat().st_mode) == 0o700
    assert secret.read_text() not in command_of(lasting.pid)
    without = "mongodb://" + lasting.uri.split("@")[1].split("?")[0]
    wrong = lasting.uri.replace(secret.read_text(), "wrong")
    for uri in (without, wrong):
        with MongoClient(uri, timeoutMS=20_000) as client, pytest.raises(OperationFailure):
            client.wallet.things.find_one()


def test_a_second_process_joins_the_running_daemon(lasting: EmbeddedServer) -> None:
    process = owner(lasting._path)
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["joined", str(lasting.pid)]
    process.terminate()
    process.communicate()
    assert command_of(lasting.pid)


def test_a_joiner_with_the_wrong_password_is_told(lasting: EmbeddedServer) -> None:
    secret = lasting._path / "password"
    password = secret.read_text()
    secret.write_text("wrong")
    try:
        with pytest.raises(EmbeddedError, match="refuses the password"):
            EmbeddedServer(lasting._path).start()
    finally:
        secret.write_text(password)
    assert command_of(lasting.pid)


def test_an_owner_with_the_wrong_password_is_told_and_leaves_no_daemon(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    server.stop(grace=0)
    (tmp_path / "db" / "password").write_text("wrong")
    with pytest.raises(EmbeddedError, match="refused"):
        server.start()
    assert not server.owned
    assert server.pid == 0


def test_an_absent_program_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_PROGRAM", "no-such-program")
    server = EmbeddedServer(tmp_path / "db")
    with pytest.raises(EmbeddedMissing, match="requirements-embedded"):
        server.start()
    monkeypatch.undo()
    server.start()  # and the failure holds nothing
    server.stop(grace=0)


def test_a_folder_that_cannot_be_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot be used \(Not a directory\): choose .*WALLET_DATA_DIR"):
        EmbeddedServer(tmp_path / "file" / "db").start()


def test_a_killed_owner_leaves_no_daemon_and_blocks_nobody(tmp_path: Path) -> None:
    process = owner(tmp_path / "db")
    assert process.stdout is not None
    said, pid = process.stdout.readline().split()
    assert said == "owned"
    process.kill()
    process.communicate()
    assert eventually(lambda: not command_of(int(pid)), 30)
    server = EmbeddedServer(tmp_path / "db")
    server.start()
    assert server.owned
    server.stop(grace=0)


def test_a_daemon_that_outlived_its_owner_is_ended_by_the_next(place: Path, tmp_path: Path) -> None:
    server = EmbeddedServer(place)
    server.start()
    pid, state = server.pid, (tmp_path / "db" / "state.json").read_text()
    server._lock.release()  # what the kernel does when an owner is killed
    heir = EmbeddedServer(tmp_path / "db")
    heir.start()
    assert not command_of(pid)
    assert heir.owned
    assert heir.pid != pid
    heir.stop(grace=0)
    server._daemon.end(0)

    foreign = subprocess.Popen(["sleep", "60"])  # a recorded id that now belongs to someone else
    (tmp_path / "db" / "state.json").write_text(state.replace(str(pid), str(foreign.pid)))
    heir.start()
    assert foreign.poll() is None
    heir.stop(grace=0)
    foreign.kill()
    foreign.wait()


def test_a_half_done_first_start_is_simply_done_again(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "db")
    server.start()
    server.stop(grace=0)
    (tmp_path / "db" / "password").unlink()
    server.start()
    with MongoClient(server.uri, timeoutMS=20_000) as client:
        assert client.admin.command("ping")["ok"]
    server.stop(grace=0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_watchdog_brings_it_back_on_the_same_port_for_the_same_client(
    server: EmbeddedServer, how: signal.Signals
) -> None:
    server.supervise(patience=1.0, every=0.1)
    db = open_database(server.uri, "wallet")
    db.things.insert_one({"_id": 1})
    pid = server.pid
    os.kill(pid, how)

    def answers() -> bool:
        try:
            return server.pid != pid and db.things.find_one() == {"_id": 1}
        except PyMongoError:
            return False

    assert eventually(answers)
    assert not command_of(pid)
    db.client.close()


def test_a_client_gets_its_error_in_time_when_the_daemon_is_silent(server: EmbeddedServer) -> None:
    db = open_database(server.uri, "wallet")
    db.things.insert_one({"_id": 1})
    halt(server.pid)
    begun = time.monotonic()
    with pytest.raises(PyMongoError):
        db.things.find_one()
    assert time.monotonic() - begun < 20  # 3 s, and what a busy machine adds
    os.kill(server.pid, signal.SIGCONT)
    begun = time.monotonic()
    with pymongo.timeout(30):
        assert db.things.find_one() == {"_id": 1}
    assert time.monotonic() - begun < 20
    db.client.close()


def test_a_fork_of_the_owner_neither_owns_nor_ends_the_daemon(lasting: EmbeddedServer) -> None:
    pid = lasting.pid
    child = os.fork()
    if child == 0:
        lasting.stop()
        os._exit(1 if lasting.owned else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lasting.owned
    assert lasting.pid == pid
    with MongoClient(lasting.uri, timeoutMS=20_000) as client:
        assert client.admin.command("ping")["ok"]


def test_no_acknowledged_write_is_lost_when_the_daemon_is_killed_under_load(server: EmbeddedServer) -> None:
    server.supervise(every=0.1)
    acknowledged: list[list[tuple[int, int]]] = [[] for _ in range(4)]
    over = threading.Event()

    def write(worker: int) -> None:
        db = open_database(server.uri, "wallet")
        number = 0
        while not over.is_set():
            number += 1
            try:
                db.writes.insert_one({"_id": f"{worker}-{number}"})
                db.counters.update_one({"_id": worker}, {"$set": {"last": number}}, upsert=True)
            except PyMongoError:
                continue
            acknowledged[worker].append((worker, number))
        db.client.close()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        before, done = server.pid, sum(map(len, acknowledged))
        assert eventually(lambda done=done: sum(map(len, acknowledged)) > done + 200)
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda before=before: server.pid != before)
    done = sum(map(len, acknowledged))
    assert eventually(lambda: sum(map(len, acknowledged)) > done + 200)
    os.kill(server.pid, signal.SIGKILL)
    over.set()
    for thread in threads:
        thread.join()

    with pymongo.timeout(60):
        db = open_database(server.uri, "wallet")
        found = {document["_id"] for document in db.writes.find()}
        last = {document["_id"]: document["last"] for document in db.counters.find()}
    db.client.close()
    lost = [pair for pairs in acknowledged for pair in pairs if "{}-{}".format(*pair) not in found]
    assert not lost
    assert all(last[worker] >= acknowledged[worker][-1][1] for worker in range(4))
    print(f"{sum(map(len, acknowledged))} writes acknowledged over {KILLS + 1} kills, 0 lost")


def test_the_recorded_port_is_kept_when_it_is_free_and_left_when_it_is_not(
    place: Path, tmp_path: Path
) -> None:
    server = EmbeddedServer(place)
    server.start()
    first = server.uri
    server.stop(grace=0)
    server.start()
    assert server.uri == first
    server.stop(grace=0)
    port = free_port()
    (tmp_path / "db" / "state.json").write_text(f'{{"port": {port}, "pid": 0}}')
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        server.start()
        assert f":{port}/" not in server.uri
    server.stop(grace=0)
