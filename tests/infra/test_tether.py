"""A child ends with its parent, and with nothing less."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from wallet_api.infra.machine import command_of
from wallet_api.infra.tether import spawn

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from wallet_api.infra.tether import spawn
print(spawn(["sleep", "60"], Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""


def eventually(question: Callable[[], bool], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < limit:
        time.sleep(0.02)
    return answer


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert eventually(lambda: command_of(child) == "sleep 60")
    parent.kill()
    parent.communicate()
    assert eventually(lambda: not command_of(child))


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def ask() -> None:
        started.append(spawn(["sleep", "60"], tmp_path / "log"))
        assert eventually(lambda: command_of(started[0].pid) == "sleep 60")

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    child = started[0]
    time.sleep(0.3)
    assert child.poll() is None
    assert os.getpgid(child.pid) == child.pid  # a Ctrl-C at our terminal does not reach it
    child.kill()
    child.wait()


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    witness = tmp_path / "started"
    done = subprocess.run(
        [sys.executable, "-m", "wallet_api.infra.tether", "999999999", "--", "touch", str(witness)],
        check=False,
        cwd=ROOT,
    )
    if sys.platform == "linux":
        assert done.returncode == 128 + signal.SIGTERM
        assert not witness.exists()


def test_an_unknown_command_and_a_wrong_call_are_told() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wallet_api.infra.tether", *words]
        return subprocess.run(command, check=False, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    missing = run(str(os.getpid()), "--", "no-such-program")
    assert missing.returncode == 127
    assert "no-such-program" in missing.stderr
    for words in ((), ("1",), ("x", "--", "true"), ("1:x", "--", "true"), ("1", "true", "x")):
        assert run(*words).returncode == 2


def test_a_child_writes_to_its_log_and_gets_its_environment(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    child = spawn(["sh", "-c", "echo $WORD; echo $WORD >&2"], log, {**os.environ, "WORD": "heard"})
    assert child.wait() == 0
    assert log.read_text() == "heard\nheard\n"
