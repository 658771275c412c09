"""Keys by command: rotated under running processes, rewrapped through a kill, checked, never shown."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from tests.environment import world_here
from tests.world import World, bundle, condition
from wallet_api.cli import main
from wallet_api.infra.crypto.citizen_keys import CitizenKeys
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.stores.citizen_keys import MongoCitizenKeys

Db = Database[dict[str, Any]]
ROOT = Path(__file__).parents[2]
VERIFIER = """
import sys, time
from pathlib import Path
from wallet_api.infra.crypto.keystore import FileKeyStore
store = FileKeyStore(Path(sys.argv[1]))
for line in sys.stdin:
    kid = line.strip()
    known = store.public_key("token", kid) is not None
    published = [jwk["kid"] for jwk in store.jwks("token")["keys"]]
    print("known" if known else "refused", store.signer("token").kid, *published, flush=True)
"""


@pytest.fixture
def mine(embedded_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A wallet of its own, and this process's environment told of it."""
    yield from _with_backup_key(world_here(embedded_uri, tmp_path, monkeypatch))


@pytest.fixture(scope="module")
def ours(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One such wallet for the tests that are refused and change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        yield from _with_backup_key(world_here(embedded_uri, tmp_path_factory.mktemp("ours"), patch))


def _with_backup_key(wallets: Iterator[World]) -> Iterator[World]:
    for world in wallets:
        world.services.keys.signer("backup")
        yield world


def aged(world: World, name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(world.settings.keys_dir / f"{name}.key", (then, then))


def test_a_running_process_refuses_nothing_while_a_key_is_rotated(mine: World, capsys: Any) -> None:
    an, folder = mine.person(), mine.settings.keys_dir
    token, old = an.token, mine.services.keys.signer("token").kid
    other = subprocess.Popen(
        [sys.executable, "-c", VERIFIER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None and other.stdout is not None

    def asks(kid: str) -> list[str]:
        other.stdin.write(f"{kid}\n")
        other.stdin.flush()
        return other.stdout.readline().split()

    assert asks(old) == ["known", old, old]
    assert main(["keys", "rotate", "token"]) == 0
    new = next(iter(FileKeyStore(folder).jwks("token")["keys"]))["kid"]
    assert asks("unknown-flood")[0] == "refused", "a flood of unknown kids just before"
    time.sleep(1.1)
    # It signs two minutes later; by then every process has listed the key, which this one does when asked.
    assert asks(new)[0] == "known" and asks(old) == ["known", old, new, old]
    assert mine.get("/citizens/me", token).status_code == 200
    aged(mine, "token-1", 7200)
    aged(mine, "token-2", 130)
    assert FileKeyStore(folder).signer("token").kid == new
    assert mine.get("/citizens/me", token).status_code == 200, "older tokens verify until they run out"
    assert main(["keys", "prune", "token"]) == 0 and "No key is old enough" in capsys.readouterr().out
    aged(mine, "token-2", 4000)
    assert main(["keys", "prune", "token"]) == 0 and "token-1" in capsys.readouterr().out
    other.stdin.close()
    assert other.wait(30) == 0
    other.stdout.close()


@pytest.mark.parametrize("kind", ["index", "label", "reference", "cursor", "etag"])
def test_what_cannot_be_rotated_says_so(ours: World, capsys: Any, kind: str) -> None:
    assert main(["keys", "rotate", kind]) == 1
    assert "cannot be rotated" in capsys.readouterr().err


REWRAP = "import sys; from wallet_api.cli import main; sys.exit(main(['keys', 'rewrap']))"


def test_rewrapping_is_resumed_after_a_kill(mine: World, capsys: Any, record_property: Any) -> None:
    keys = CitizenKeys(MongoCitizenKeys(mine.db), mine.services.keys, mine.services.now)
    an = mine.person()
    mine.send(mine.doctor(), bundle(an, condition()))
    rows = list(mine.db["citizen_keys"].find({"citizen_id": an.id}))
    kek = mine.services.keys.kek_for(mine.now())
    from wallet_api.infra.crypto.citizen_keys import _aad
    from wallet_api.infra.crypto.wrapped_keys import WrappedKey

    def row(number: int) -> dict[str, Any]:
        bare = WrappedKey(f"owner-{number:05d}", "clinical", 1, kek.id, b"")
        wrapped = kek.wrap(os.urandom(32), _aad(bare, kek.id))
        named = {
            "citizen_id": bare.citizen_id,
            "retention_class": "clinical",
            "version": 1,
            "format": "gcm-1",
        }
        return {"_id": f"{bare.citizen_id}|clinical", **named, "kek_id": kek.id, "wrapped": wrapped}

    with pymongo.timeout(60):
        mine.db["citizen_keys"].insert_many([row(number) for number in range(300)])
    total = mine.db["citizen_keys"].count_documents({})
    assert main(["keys", "rotate", "master"]) == 0
    process = subprocess.Popen(
        [sys.executable, "-c", REWRAP], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    limit = time.monotonic() + 90
    while not (moved := mine.db["citizen_keys"].count_documents({"kek_id": f"{kek.id}.2"})):
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait(30)
    moved = mine.db["citizen_keys"].count_documents({"kek_id": f"{kek.id}.2"})
    assert 0 < moved < total
    assert keys.existing(an.id, rows[0]["retention_class"]), "both are read meanwhile"
    capsys.readouterr()
    assert main(["keys", "rewrap"]) == 0
    told = capsys.readouterr().out
    # The one update that the killed process had on its way may have been done after we counted.
    rest = [f"{total - each} citizen keys wrapped anew by {kek.id}.2; 0 are" for each in (moved, moved + 1)]
    assert any(each in told for each in rest), told
    aged(mine, f"kek-{kek.id}.2", 3700)
    assert main(["keys", "retire", kek.id]) == 0
    fresh = CitizenKeys(MongoCitizenKeys(mine.db), FileKeyStore(mine.settings.keys_dir), mine.services.now)
    assert fresh.existing("owner-00250", "clinical") and fresh.existing(an.id, rows[0]["retention_class"])
    record_property("moved before the kill", moved)
    print(f"{moved} of {total} rewrapped before kill -9, the rest after")


def test_check_opens_everything_and_names_what_fails(mine: World, capsys: Any) -> None:
    an, binh = mine.person(), mine.person()
    doctor = mine.doctor()
    for who in (an, binh):
        mine.send(doctor, bundle(who, condition()))
    assert main(["keys", "check"]) == 0 and "sealed values open" in capsys.readouterr().out
    spoiled = mine.db["records"].find_one({"citizen_id": an.id})
    assert spoiled is not None
    content = bytearray(spoiled["content"])
    content[-1] ^= 1
    mine.db["records"].update_one({"_id": spoiled["_id"]}, {"$set": {"content": bytes(content)}})
    mine.db["citizen_keys"].delete_many({"citizen_id": binh.id})
    assert main(["keys", "check"]) == 1
    told = capsys.readouterr().err
    assert f"records/{spoiled['_id']}" in told and binh.id in told and f"  {an.id}" not in told


def test_listing_tells_ids_and_ages_and_no_key(mine: World, capsys: Any) -> None:
    mine.services.keys.prepare(mine.now())  # type: ignore[attr-defined]  # a file key store in development
    aged(mine, "receipt-1", 86400 * 40)
    assert main(["keys", "rotate", "receipt"]) == 0 and main(["keys", "list"]) == 0
    told = capsys.readouterr().out
    assert (
        "40 days old" in told and "published, not in use yet" in told and "key-encryption   2026-11" in told
    )
    kept = [path.read_bytes() for path in mine.settings.keys_dir.glob("*.key")]
    assert len(kept) > 10
    assert not [raw for raw in kept if raw.hex() in told or raw.decode("latin-1").strip()[:40] in told]
