"""Checkpoints leave the database in time, survive what happens to places, and find what was rewritten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.events import NOW, an_event
from wallet_api.audit.chain import chained
from wallet_api.audit.checkpoint import Checkpoint, CheckpointSigner
from wallet_api.audit.errors import ProofPending
from wallet_api.audit.export import CheckpointExporter, CheckpointFolder, kept_in, notes_in
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.audit.verify import verify_all
from wallet_api.infra.crypto.keystore import MemoryKeyStore

SIGNER = CheckpointSigner(MemoryKeyStore())


class Log:
    """A log that grows by hand, and a place that writes down what it was given."""

    def __init__(self, failing: int = 0, **options: float) -> None:
        self.size, self.kept, self.failing = 0, list[int](), failing
        self.exporter = CheckpointExporter(self.signed, [self], **options)  # type: ignore[arg-type]  # as given

    def signed(self) -> tuple[Checkpoint, str] | None:
        return Checkpoint("log1", self.size, bytes(32)), "text"

    def keep(self, checkpoint: Checkpoint, text: str) -> None:
        if self.failing:
            self.failing -= 1
            raise OSError("full")
        self.kept.append(checkpoint.size)

    def grow(self, size: int) -> None:
        self.size = size
        self.exporter.grown(size)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_checkpoint_leaves_when_its_time_has_come() -> None:
    log = Log(seconds=0.1)
    log.grow(3)
    until(lambda: log.kept)
    time.sleep(0.25)
    assert log.kept == [3], "nothing new, nothing to keep"
    log.grow(4)
    until(lambda: log.kept == [3, 4])
    log.exporter.close(30)


def test_a_checkpoint_leaves_when_there_are_enough_rows() -> None:
    log = Log(seconds=60, rows=10)
    log.grow(9)
    time.sleep(0.1)
    assert log.kept == []
    log.grow(10)
    until(lambda: log.kept == [10])
    log.exporter.close(30)


def test_closing_keeps_what_is_new() -> None:
    log = Log(seconds=60)
    log.grow(1)
    log.exporter.close(30)
    assert log.kept == [1]
    log.grow(2)
    assert log.kept == [1]


def test_a_place_that_fails_is_tried_again() -> None:
    log = Log(failing=2, seconds=0.05)
    log.grow(1)
    until(lambda: log.kept == [1])
    log.exporter.close(30)


def test_a_place_that_hangs_holds_up_no_row(tmp_path: Path) -> None:
    gate, store = threading.Event(), MemoryAuditStore()

    class Hanging(CheckpointFolder):
        def keep(self, checkpoint: Checkpoint, text: str) -> None:
            gate.wait(30)
            super().keep(checkpoint, text)

    log = AccessLog(store, lambda: NOW, SIGNER, [Hanging(tmp_path)])
    log._exporter._rows = 1
    began = time.monotonic()
    for number in range(20):
        log.append(an_event(number))
    assert time.monotonic() - began < 20
    gate.set()
    log.close()
    assert SIGNER.open(CheckpointFolder(tmp_path).all()[-1]).size == 20


def test_without_a_place_there_is_no_thread() -> None:
    log = AccessLog(MemoryAuditStore(), lambda: NOW, SIGNER)
    log.append(an_event(0))
    assert log._exporter._thread is None
    log.close()


def test_a_folder_keeps_every_checkpoint_and_outlives_a_torn_write(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "far" / "away")
    texts = [SIGNER.sign(Checkpoint("log1", size, bytes(32)), NOW) for size in (1, 2, 3)]
    assert folder.newest("log1") is None and folder.all() == []
    folder.keep(Checkpoint("log1", 1, bytes(32)), texts[0])
    path = tmp_path / "far" / "away" / "log1.checkpoints"
    for cut in (10, 40, 120, len(texts[1]) - 1):
        with path.open("a") as file:
            file.write(texts[1][:cut])
    assert CheckpointFolder(path.parent).newest("log1") == texts[0]
    folder.keep(Checkpoint("log1", 3, bytes(32)), texts[2])
    assert folder.newest("log1") == texts[2]
    assert folder.all() == kept_in([path]) == [texts[0], texts[2]]
    assert kept_in([path.parent, path]) == 2 * folder.all()
    assert notes_in("nothing\n\n— of the kind\n") == []


@pytest.mark.parametrize("log_id", ["../log1", "a/b", "", "x" * 65, ".."])
def test_an_id_that_is_no_file_name_reaches_no_file(tmp_path: Path, log_id: str) -> None:
    folder = CheckpointFolder(tmp_path / "in")
    with pytest.raises(ValueError):
        folder.keep(Checkpoint(log_id, 1, bytes(32)), "text")
    assert folder.newest(log_id) is None and list(tmp_path.iterdir()) == []


def test_another_process_proves_from_the_kept_checkpoint(tmp_path: Path) -> None:
    store, folder = MemoryAuditStore(), CheckpointFolder(tmp_path)
    first = AccessLog(store, lambda: NOW, SIGNER, [folder])
    for number in range(5):
        first.append(an_event(number))
    other = AccessLog(store, lambda: NOW, SIGNER, [CheckpointFolder(tmp_path / "empty"), folder])
    entry = other.entries("an")[0]
    with pytest.raises(ProofPending):
        other.prove(entry.log_id, entry.seq)
    assert first.prove(entry.log_id, entry.seq).tree_size == 5, "its own it signs at once"
    first.close()
    assert other.prove(entry.log_id, entry.seq, since=2).tree_size == 5
    stranger = CheckpointSigner(MemoryKeyStore()).sign(Checkpoint(entry.log_id, 9, bytes(32)), NOW)
    folder.keep(Checkpoint(entry.log_id, 9, bytes(32)), stranger)
    with pytest.raises(ProofPending):
        other.prove(entry.log_id, entry.seq)
    other.close()


def test_a_chain_that_was_rebuilt_behind_the_writers_back_is_found_by_what_was_kept(tmp_path: Path) -> None:
    store, folder = MemoryAuditStore(), CheckpointFolder(tmp_path)
    log = AccessLog(store, lambda: NOW, SIGNER, [folder])
    for number in range(6):
        log.append(an_event(number))
    log.close()
    ((log_id, _),) = store.logs().items()
    rebuilt = MemoryAuditStore()
    rebuilt.append(chained(log_id, [an_event(number, reason="mine").to_json() for number in range(6)]))
    assert verify_all(rebuilt).ok
    (fault,) = verify_all(rebuilt, [SIGNER.open(text) for text in folder.all()]).faults
    assert (fault.log_id, fault.seq) == (log_id, 0)
