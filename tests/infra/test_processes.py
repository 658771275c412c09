"""The supervisor: order, readiness, restarts, and nothing left behind however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wallet_api.infra import machine
from wallet_api.infra.machine import FolderLock, command_of, write_private
from wallet_api.infra.processes import (
    AlreadyRunning,
    Child,
    ChildFailed,
    Supervisor,
    answers,
    disk_space_fault,
    free_port,
    port_fault,
    port_taken,
)

ROOT = Path(__file__).parents[2]

# Writes its id, starts a child of its own, and says when it was told to end.
CHILD = """
import os, signal, subprocess, sys, time
from pathlib import Path
place, name = Path(sys.argv[1]), sys.argv[2]
grandchild = subprocess.Popen(["sleep", "60"])
def end(*_):
    with (place / "ends").open("a") as file: file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end if "deaf" not in name else signal.SIG_IGN)
(place / "pids").open("a").write(f"{os.getpid()} {grandchild.pid}\\n")
(place / name).write_text(str(os.getpid()))
while True: time.sleep(0.05)
"""
RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_processes import children
from wallet_api.infra.processes import Supervisor
place = Path(sys.argv[1])
with Supervisor(children(place, "first", "second"), place) as supervisor:
    supervisor.start()
    print("up", flush=True)
    supervisor.watch()
print("down", flush=True)
"""


def child(place: Path, name: str) -> Child:
    argv = (sys.executable, "-c", CHILD, str(place), name)
    return Child(name, argv, ready=(place / name).exists, patience=60)


def children(place: Path, *names: str) -> list[Child]:
    return [child(place, name) for name in names]


def all_pids(place: Path) -> list[int]:
    return [int(word) for word in (place / "pids").read_text().split()]


def eventually(question: Callable[[], bool], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if question():
            return True
        time.sleep(0.05)
    return question()


def nobody(pids: list[int]) -> bool:
    return not any(command_of(pid) for pid in pids)


def run(place: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(place), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_children_start_in_order_and_stop_in_reverse_with_their_own_children(tmp_path: Path) -> None:
    with Supervisor(children(tmp_path, "first", "second"), tmp_path) as supervisor:
        supervisor.start()
        pids = all_pids(tmp_path)
        assert pids[0] == int((tmp_path / "first").read_text())
        assert not nobody(pids)
    assert (tmp_path / "ends").read_text() == "second\nfirst\n"
    assert nobody(pids)
    assert not (tmp_path / "run.json").exists()


def test_a_child_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    with Supervisor(children(tmp_path, "deaf"), tmp_path, grace=0.3) as supervisor:
        supervisor.start()
        begun = time.monotonic()
    assert 0.3 <= time.monotonic() - begun < 20
    assert nobody(all_pids(tmp_path))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_exits_cleanly(tmp_path: Path, signum: signal.Signals) -> None:
    process = run(tmp_path)
    pids = all_pids(tmp_path)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "down\n", "")
    assert nobody(pids)
    assert (tmp_path / "ends").read_text() == "second\nfirst\n"


def test_a_killed_supervisor_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    process = run(tmp_path)
    first = all_pids(tmp_path)
    process.kill()
    process.communicate()
    assert eventually(lambda: nobody(first[::2]))  # its children ended with it
    for name in ("first", "second"):
        (tmp_path / name).unlink()
    process = run(tmp_path)
    assert nobody(first)  # and what those had started, by the next run
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert nobody(all_pids(tmp_path))


def test_leftovers_are_ended_only_when_they_are_ours(tmp_path: Path) -> None:
    ours = subprocess.Popen(["sleep", "60"], env={**os.environ, "WALLET_RUN": "mark"})
    foreign = subprocess.Popen(["sleep", "60"])
    record = f'{{"mark": "mark", "commands": {{"{ours.pid}": "sleep 60", "{foreign.pid}": "gunicorn"}}}}'
    (tmp_path / "run.json").write_text(record)
    with Supervisor([], tmp_path):
        assert eventually(lambda: ours.poll() is not None)
        assert foreign.poll() is None
    foreign.kill()
    foreign.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mark": 1}', '{"mark": "x", "commands": [1]}'])
def test_a_damaged_record_blocks_no_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with Supervisor([], tmp_path) as supervisor:
        supervisor.start()


def test_a_second_run_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    with (
        Supervisor([], tmp_path),
        pytest.raises(AlreadyRunning, match=f"process {os.getpid()}.*WALLET_DATA_DIR"),
        Supervisor([], tmp_path),
    ):
        pass
    with Supervisor([], tmp_path):
        pass


def test_a_child_that_ends_while_starting_is_named_with_its_log(tmp_path: Path) -> None:
    broken = Child("broken", ("sh", "-c", "echo no luck; exit 3"), ready=lambda: False)
    with (
        pytest.raises(ChildFailed, match=r"broken ended while starting \(code 3\): see .*broken\.log"),
        Supervisor([child(tmp_path, "first"), broken], tmp_path) as supervisor,
    ):
        supervisor.start()
    assert (tmp_path / "logs" / "broken.log").read_text() == "no luck\n"
    assert nobody(all_pids(tmp_path))


def test_a_child_that_is_never_ready_is_named_with_its_log(tmp_path: Path) -> None:
    slow = Child("slow", ("sleep", "60"), ready=f"http://127.0.0.1:{free_port()}/", patience=0.3)
    with (
        pytest.raises(ChildFailed, match=r"slow was not ready within 0\.3 seconds: see .*slow\.log"),
        Supervisor([slow], tmp_path) as supervisor,
    ):
        supervisor.start()


def test_a_crashed_child_comes_back_and_a_person_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    with Supervisor(children(tmp_path, "first"), tmp_path, tell=told.append) as supervisor:
        supervisor.start()
        before = all_pids(tmp_path)

        def crash() -> None:
            os.kill(before[0], signal.SIGKILL)
            eventually(lambda: len(all_pids(tmp_path)) > len(before))
            os.kill(os.getpid(), signal.SIGINT)

        killer = threading.Thread(target=crash)
        killer.start()
        supervisor.watch()
        killer.join()
        after = all_pids(tmp_path)[2:]
        assert len(after) == 2
        assert eventually(lambda: nobody(before))  # with what it had started
    assert eventually(lambda: nobody(after))
    assert len(told) == 1
    assert "first ended (code -9), starting it again in 0.5 s" in told[0]


def test_a_signal_while_starting_ends_quietly(tmp_path: Path) -> None:
    never = Child("never", ("sleep", "60"), ready=lambda: False)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with Supervisor([never], tmp_path) as supervisor:
        supervisor.start()
        pytest.fail("it must not come this far")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_readiness_is_an_answer_below_500(tmp_path: Path) -> None:
    port = free_port()
    assert not answers(f"http://127.0.0.1:{port}/")
    serve = Child(
        "web",
        (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)),
        ready=f"http://127.0.0.1:{port}/absent",
    )
    with Supervisor([serve], tmp_path) as supervisor:
        supervisor.start()
        assert port_taken(port)
    assert not port_taken(port)


def test_a_taken_port_is_told_in_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        fault = port_fault(port)
    assert fault is not None
    assert str(port) in fault
    assert "PORT=" in fault
    assert port_fault(port) is None


def test_a_full_or_closed_disk_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk_space_fault(tmp_path / "new") is None
    assert list((tmp_path / "new").iterdir()) == []
    usage = shutil.disk_usage(tmp_path)._replace(free=12 * 1024**2)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    full = disk_space_fault(tmp_path)
    assert full is not None
    assert "12 MB free" in full
    (tmp_path / "file").write_text("")
    closed = disk_space_fault(tmp_path / "file")
    assert closed is not None
    assert "cannot be written" in closed


def test_a_forked_child_does_not_keep_its_parents_hold(tmp_path: Path) -> None:
    lock, other = FolderLock(tmp_path / "lock"), FolderLock(tmp_path / "lock")
    assert lock.take()
    assert not other.take()
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    assert not other.take()
    assert lock._file is not None
    lock._file.close()  # what the kernel does when the parent is killed
    assert eventually(other.take, 30)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    other.release()


def test_a_private_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
