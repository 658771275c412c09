"""The key store: made once, kept private, agreed on by processes that start at once, gone when destroyed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallet_api.infra.crypto.errors import KekInUse, KeyUnavailable, SealBroken
from wallet_api.infra.crypto.keystore import ALGORITHMS, SECRETS, FileKeyStore, MemoryKeyStore

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path) -> FileKeyStore:
    return FileKeyStore(folder, create=True)


def test_every_key_survives_a_restart(folder: Path, store: FileKeyStore):
    store.prepare(NOW)
    wrapped = store.kek_for(NOW).wrap(b"k" * 32, b"place")
    again = FileKeyStore(folder)
    assert again.kek("2026-11").unwrap(wrapped, b"place") == b"k" * 32
    assert [again.secret(name) for name in SECRETS] == [store.secret(name) for name in SECRETS]
    assert [again.signer(use).kid for use in ALGORITHMS] == [store.signer(use).kid for use in ALGORITHMS]
    assert again.kek_ids() == ("2026-11", "2026-12")


def test_no_two_keys_are_the_same(store: FileKeyStore):
    assert len({store.secret(name) for name in SECRETS}) == len(SECRETS)
    assert len({store.signer(use).kid for use in ALGORITHMS}) == len(ALGORITHMS)


def test_keys_are_readable_by_their_owner_alone(folder: Path, store: FileKeyStore):
    old = os.umask(0)
    try:
        store.prepare(NOW)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("opened", ["folder", "file"])
def test_keys_others_can_read_are_refused(folder: Path, store: FileKeyStore, opened: str):
    store.prepare(NOW)
    (folder if opened == "folder" else folder / "cursor-1.key").chmod(0o750 if opened == "folder" else 0o640)
    with pytest.raises(KeyUnavailable, match="open to other users"):
        FileKeyStore(folder).secret("cursor")


def test_an_absent_key_is_never_made_silently(folder: Path):
    store = FileKeyStore(folder)
    for ask in (
        lambda: store.kek_for(NOW),
        lambda: store.kek("2026-11"),
        lambda: store.secret("index"),
        lambda: store.signer("token"),
        lambda: store.prepare(NOW),
    ):
        with pytest.raises(KeyUnavailable, match="absent"):
            ask()
    assert not folder.exists()


def test_asking_for_an_old_month_makes_no_key(store: FileKeyStore):
    with pytest.raises(KeyUnavailable):
        store.kek("2020-01")
    with pytest.raises(KeyUnavailable, match="YYYY-MM"):
        store.kek("../../etc/passwd")


def test_a_lost_older_secret_is_not_made_again(folder: Path, store: FileKeyStore):
    store.secret("index")
    (folder / "index-1.key").rename(folder / "index-2.key")
    with pytest.raises(KeyUnavailable):
        FileKeyStore(folder, create=True).secret("index", 1)


@pytest.mark.parametrize("spoiled", [b"", b"short", b"k" * 33])
def test_a_key_of_another_length_is_refused(folder: Path, store: FileKeyStore, spoiled: bytes):
    store.secret("index")
    (folder / "index-1.key").write_bytes(spoiled)
    with pytest.raises(KeyUnavailable, match="32 bytes"):
        FileKeyStore(folder).secret("index")


def test_a_signing_key_that_is_no_key_is_refused(folder: Path, store: FileKeyStore):
    store.signer("token")
    (folder / "token-1.key").write_bytes(b"k" * 32)
    with pytest.raises(KeyUnavailable, match="PEM"):
        FileKeyStore(folder).signer("token")


def test_what_a_dead_writer_left_stops_nobody(folder: Path, store: FileKeyStore):
    store.secret("index")
    (folder / ".unfinished").write_bytes(b"half")
    assert len(FileKeyStore(folder, create=True).secret("cursor")) == 32


_PREPARE = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from wallet_api.infra.crypto.keystore import ALGORITHMS, SECRETS, FileKeyStore
store = FileKeyStore(Path(sys.argv[1]), create=True)
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
store.prepare(datetime(2026, 11, 21, tzinfo=UTC))
held = [store.secret(n).hex() for n in SECRETS] + [store.signer(u).kid for u in ALGORITHMS]
print(held, store.kek_for(datetime(2026, 11, 21, tzinfo=UTC)).wrap(bytes(32), b"").hex())
"""


def test_processes_that_start_at_once_hold_the_same_keys(folder: Path):
    start = f"{__import__('time').time() + 1.5}"
    command = [sys.executable, "-c", _PREPARE, str(folder), start]
    root = Path(__file__).parents[2]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(4)]
    said = [child.communicate(timeout=30)[0].strip().rsplit(" ", 1) for child in children]
    assert len({held for held, _ in said}) == 1
    kek = FileKeyStore(folder).kek("2026-11")
    assert [kek.unwrap(bytes.fromhex(wrapped), b"") for _, wrapped in said] == [bytes(32)] * 4


def test_a_wrapped_key_opens_with_its_own_kek_and_aad_only():
    store = MemoryKeyStore()
    wrapped = store.kek_for(NOW).wrap(b"k" * 32, b"here")
    for kek, aad, blob in [
        (store.kek_for(NOW), b"there", wrapped),
        (store.kek_for(LATER), b"here", wrapped),
        (store.kek_for(NOW), b"here", bytes([wrapped[0] ^ 1]) + wrapped[1:]),
        (store.kek_for(NOW), b"here", wrapped[:-1]),
        (store.kek_for(NOW), b"here", b""),
    ]:
        with pytest.raises(SealBroken):
            kek.unwrap(blob, aad)


def test_a_destroyed_kek_is_gone_and_never_comes_back(folder: Path, store: FileKeyStore):
    store.kek_for(NOW)
    store.destroy_kek("2026-11", LATER)
    for again in (store, FileKeyStore(folder, create=True)):
        with pytest.raises(KeyUnavailable):
            again.kek("2026-11")
        with pytest.raises(KeyUnavailable, match="destroyed"):
            again.kek_for(NOW)
    assert not (folder / "kek-2026-11.key").exists()


@pytest.mark.parametrize("now", [NOW, datetime(2026, 12, 1, 0, 59, tzinfo=UTC)])
def test_a_kek_is_not_destroyed_while_a_slow_writer_may_use_it(store: FileKeyStore, now: datetime):
    store.kek_for(NOW)
    with pytest.raises(KekInUse):
        store.destroy_kek("2026-11", now)


def test_rotation_signs_with_the_new_key_and_still_publishes_the_old(folder: Path, store: FileKeyStore):
    old = store.signer("token").kid
    new = store.rotate("token")
    assert [jwk["kid"] for jwk in store.jwks("token")["keys"]] == [new, old]
    assert FileKeyStore(folder).signer("token").kid == old, "published before it signs"
    aged(folder, "token-1", 300)
    aged(folder, "token-2", 121)
    assert FileKeyStore(folder).signer("token").kid == new != old


def aged(folder: Path, name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder / f"{name}.key", (then, then))


def test_an_older_key_is_destroyed_only_when_nothing_it_signed_lives(folder: Path, store: FileKeyStore):
    old = store.signer("token").kid
    new = store.rotate("token")
    assert store.prune("token") == ()
    aged(folder, "token-2", 3600 + 120)
    assert store.prune("token") == (), "a minute is added for what others hold"
    aged(folder, "token-2", 3600 + 181)
    assert store.prune("token") == ("token-1",)
    assert [jwk["kid"] for jwk in store.jwks("token")["keys"]] == [new] and old != new
    for use in ("receipt", "checkpoint", "backup"):
        with pytest.raises(KekInUse, match="for years"):
            store.prune(use)
        with pytest.raises(KekInUse, match="for years"):
            store.replace_at_once(use)


def test_a_key_somebody_else_holds_is_refused_at_once(folder: Path, store: FileKeyStore):
    old = store.signer("token").kid
    new = store.replace_at_once("token")
    assert FileKeyStore(folder).signer("token").kid == new
    assert FileKeyStore(folder).public_key("token", old) is None


def test_a_key_encryption_key_is_replaced_within_its_month(folder: Path, store: FileKeyStore):
    before = store.kek_for(NOW)
    wrapped = before.wrap(b"k" * 32, b"here")
    assert store.replace_kek(NOW) == "2026-11.2"
    assert (store.kek_for(NOW).id, FileKeyStore(folder).kek_for(NOW).id) == ("2026-11.2", "2026-11.2")
    assert FileKeyStore(folder).kek("2026-11").unwrap(wrapped, b"here") == b"k" * 32
    with pytest.raises(KekInUse):
        store.destroy_kek("2026-11", NOW)
    aged(folder, "kek-2026-11.2", 3601)
    with pytest.raises(KekInUse):
        store.destroy_kek("2026-11.2", NOW)
    store.destroy_kek("2026-11", NOW)
    assert FileKeyStore(folder).kek_ids() == ("2026-11.2",)


def test_a_folder_open_to_others_stops_the_start(folder: Path, store: FileKeyStore):
    store.prepare(NOW)
    store.check_private()
    (folder / "etag-1.key").chmod(0o604)
    with pytest.raises(KeyUnavailable, match="open to other users"):
        FileKeyStore(folder).check_private()


def test_a_key_rotated_elsewhere_is_known_at_once(folder: Path, store: FileKeyStore, monkeypatch):
    monkeypatch.setattr("wallet_api.infra.crypto.keystore.RELIST_SECONDS", 0.0)
    assert store.public_key("token", "unknown") is None
    kid = FileKeyStore(folder, create=True).rotate("token")
    assert store.public_key("token", kid) is not None


def test_a_kid_of_another_use_is_unknown(store: FileKeyStore):
    receipt = store.signer("receipt").kid
    store.signer("token")
    assert store.public_key("token", receipt) is None
    assert store.public_key("receipt", receipt) is not None


def test_published_keys_hold_nothing_private(store: FileKeyStore):
    for use, alg in ALGORITHMS.items():
        [jwk] = [*store.jwks(use)["keys"]] if store.signer(use) else []
        curve = {"x", "y"} if alg == "ES256" else {"x"}
        assert jwk.keys() == {"kty", "crv", "alg", "use", "kid"} | curve
        assert (jwk["alg"], jwk["use"]) == (alg, "sig")
        assert store.jwk(jwk["kid"]) == jwk
    with pytest.raises(KeyUnavailable):
        store.jwk("unknown")
