"""`run`: everything up by one command, nothing left by Ctrl-C, nothing broken by kill -9."""

from __future__ import annotations

import json
import runpy
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.cli import runs
from wallet_api.cli.local import LocalWallet, Ports

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")


@dataclass(frozen=True)
class Seen:
    """What a run showed until it was killed, what the next one found, and what its Ctrl-C left."""

    folder: Path
    said: str
    answers: list[str]
    server_header: str | None
    citizen: str
    beside: subprocess.CompletedProcess[str]
    said_next: str
    citizen_next: str
    code: int
    left: list[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder, port = tmp_path_factory.mktemp("runs") / "data", runs.free_ports()
    run = runs.start(folder, port)
    try:
        run.await_ready()
        lines = [line.strip() for line in run.said.splitlines() if line.strip().startswith("curl ")]
        answers = [_pasted(line) for line in lines]
        header = requests.get(f"{run.url}/readyz", timeout=30).headers.get("Server")
        citizen = _citizen(run)
        beside = runs.command(folder, "run", PORT=str(runs.free_ports()))
    finally:
        run.end(signal.SIGKILL)
    again = runs.start(folder, port)  # at once: what was left must not be in the way
    try:
        citizen_next = _citizen(again.await_ready())
    finally:
        code = again.end(signal.SIGINT)
    left = runs.living(folder)
    yield Seen(folder, run.said, answers, header, citizen, beside, again.said, citizen_next, code, left)


def test_the_three_printed_lines_work_as_they_are(seen: Seen) -> None:
    ready, purposes, book = map(json.loads, seen.answers)
    assert ready == {"status": "ready"}
    assert "TREAT" in {each["code"] for each in purposes["items"]}
    assert len(book["items"]) == 3 and book["items"][0]["resource"]["resourceType"]


def test_the_server_does_not_tell_what_it_is(seen: Seen) -> None:
    assert seen.server_header is None


def test_ctrl_c_ends_every_process_and_is_no_failure(seen: Seen) -> None:
    assert (seen.code, seen.left) == (0, [])


def test_no_password_or_key_is_printed_or_handed_to_children(seen: Seen) -> None:
    password = (seen.folder / "db" / "password").read_text()
    assert password not in seen.said + seen.said_next
    for log in (seen.folder / "logs").iterdir():
        assert password not in log.read_text(errors="replace"), log.name


def test_a_second_wallet_on_the_same_folder_is_told_in_one_sentence(seen: Seen) -> None:
    assert seen.beside.returncode == 1
    assert len(seen.beside.stderr.splitlines()) == 1
    assert "is running on" in seen.beside.stderr


def test_a_later_run_finds_its_data_even_after_kill_9(seen: Seen) -> None:
    assert "(once)" in seen.said and "(once)" not in seen.said_next, "a second run must not seed again"
    assert seen.citizen_next == seen.citizen


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = runs.command_here(tmp_path / "data", "run", PORT=str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {port} on 127.0.0.1 is taken") and len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = runs.command_here(tmp_path / "file" / "data", "run", PORT=str(runs.free_ports()))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and len(done.stderr.splitlines()) == 1


def test_run_is_refused_outside_development(tmp_path: Path) -> None:
    done = runs.command_here(tmp_path, "run", WALLET_ENV="prod")
    assert done.returncode == 1 and "WALLET_ENV=dev" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_port_without_room_for_the_sandbox_is_refused(tmp_path: Path) -> None:
    done = runs.command_here(tmp_path / "data", "run", PORT="65534")
    assert done.returncode == 1 and "65533" in done.stderr


def test_an_old_python_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    Version = namedtuple("Version", "major minor")
    monkeypatch.setattr(sys, "version_info", Version(3, 10))
    with pytest.raises(SystemExit) as why:
        runpy.run_path(str(runs.ROOT / "wallet_api" / "__main__.py"))
    assert str(why.value).startswith("The wallet needs Python 3.11 or newer")


def test_with_a_provider_of_ones_own_nothing_is_pretended(tmp_path: Path) -> None:
    env = {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(tmp_path), "PATH": ""}
    pretended = LocalWallet.described(env, Ports(1, 2, 3))
    assert [child.name for child in pretended.servers()] == ["vneid", "push", "api"]
    own = LocalWallet.described(env | {"WALLET_VNEID_ISSUER": "http://127.0.0.1:9"}, Ports(1, 2, 3))
    assert [child.name for child in own.servers()] == ["api"]
    assert own.settings.fcm_credentials is None
    mongo = LocalWallet.described(env | {"WALLET_MONGO_URI": "mongodb://127.0.0.1/"}, Ports(1, 2, 3))
    assert [child.name for child in mongo.servers()] == ["api"]
    assert not any("mongodb" in value for value in mongo.env.values()), "addresses with passwords stay out"


def _pasted(line: str) -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=runs.ROOT,
        env=runs.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def _citizen(run: runs.Run) -> str:
    token = runs.command_here(run.folder, "token", "an", "--url", run.url).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    return str(requests.get(f"{run.url}/api/v1/citizens/me", headers=headers, timeout=30).json()["id"])
