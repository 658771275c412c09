from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.sandbox.conftest import ROOT, end, ready_line, sandbox_env
from wallet_api.infra.embedded import EmbeddedServer
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database
from wallet_api.sandbox import push, vneid
from wallet_api.sandbox.conditions import put_demo_marker

MAIN = {"vneid": vneid.main, "push": push.main}


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    """Run a program in this process, which saves its start; what it said when it ended with exit code 2."""

    def run(module: str, port: int, *options: str, marked: bool = True, **more: str) -> tuple[str, str]:
        env = sandbox_env(tmp_path, port, **more)
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
            patch.setattr(os, "environ", env)
            MAIN[module](["--port", str(port), *options], has_marker=lambda _: marked)
        assert end.value.code == 2
        said = capsys.readouterr()
        return said.out, said.err

    return run


@pytest.mark.parametrize(("module", "label"), [("vneid", "sandbox VNeID"), ("push", "sandbox push receiver")])
def test_a_process_says_where_it_is_ends_cleanly_and_finds_its_keys_again(
    launch, tmp_path: Path, module, label
) -> None:
    port = free_port()
    process = launch(module, port)
    assert ready_line(process) == f"{label} on http://127.0.0.1:{port}"
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=30).status_code == 200
    assert end(process) == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "sandbox").iterdir()}
    again = launch(module, port)
    ready_line(again)
    assert end(again) == 0
    assert kept == {path.name: path.read_bytes() for path in (tmp_path / "sandbox").iterdir()}


@pytest.mark.parametrize("module", ["vneid", "push"])
def test_a_taken_port_is_told_in_one_sentence(refused, module: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert refused(module, port) == ("", f"port {port} is taken\n")


@pytest.mark.parametrize("module", ["vneid", "push"])
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"marked": False}, "demo people"),
        ({"WALLET_FCM_ENDPOINT": "https://fcm.googleapis.com"}, "WALLET_FCM_ENDPOINT"),
        ({"WALLET_MONGO_URI": "mongodb://127.0.0.1:1"}, "embedded"),
        ({"WALLET_ENV": "prod"}, "WALLET_"),
    ],
)
def test_a_process_does_not_start_where_it_must_not(
    refused, tmp_path: Path, module: str, wrong, word: str
) -> None:
    out, err = refused(module, free_port(), **wrong)
    assert word in err
    assert err.count("\n") == 1
    assert out == ""
    assert not (tmp_path / "sandbox").exists()


def test_an_issuer_elsewhere_is_refused(refused) -> None:
    assert "issuer" in refused("vneid", free_port(), "--issuer", "http://vneid.example")[1]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "db")
    server.start()
    yield server
    server.stop()


def test_the_real_command_starts_only_once_the_real_database_carries_the_marker(
    database: EmbeddedServer, tmp_path: Path
) -> None:
    port = free_port()

    def command() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "wallet_api.sandbox.vneid", "--port", str(port)],
            cwd=ROOT,
            env=sandbox_env(tmp_path, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    out, err = (refused := command()).communicate(timeout=60)
    assert (refused.returncode, out) == (2, "")
    assert "demo people" in err
    with (opened := open_database(database.uri, "wallet")).client:
        put_demo_marker(opened)
    process = command()
    assert ready_line(process) == f"sandbox VNeID on http://127.0.0.1:{port}"
    assert end(process) == 0
