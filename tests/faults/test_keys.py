"""F10: keys that are absent, foreign or vanish. Better no service than one with other keys."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults.figures import note
from tests.faults.plant import Plant, patiently, planted
from tests.world import World, bundle, condition
from wallet_api.infra.crypto import citizen_keys, keystore
from wallet_api.infra.mongo import open_database

FIVE_MINUTES = 300


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with planted(tmp_path_factory.mktemp("plant"), api=False) as made:
        yield made


def refusal(plant: Plant, workers: int = 2, **env: str) -> str:
    """What a start that must be refused says, without tracebacks, though all workers refuse at once."""
    plant.log("api").write_bytes(b"")
    api = plant.start_api(**env, WEB_CONCURRENCY=str(workers))
    assert api.wait(90) == 3
    said = plant.log("api").read_text()
    assert "Traceback" not in said, said
    return next(line for line in said.splitlines() if line.startswith("The wallet does not start: "))


def test_a_start_in_production_without_keys_is_refused_in_one_sentence(plant: Plant) -> None:
    outside = "https://wallet.example.vn"
    env = {
        "WALLET_ENV": "prod",
        "WALLET_CLOCK_FILE": "",
        "WALLET_LIMITS": "",
        "WALLET_MONGO_URI": plant.database.uri,
        "WALLET_REDIS_URL": "redis://127.0.0.1:9",
        "WALLET_BROKER_URL": "redis://127.0.0.1:9",
        "WALLET_KEYS_DIR": str(plant.folder / "no-keys"),
        "WALLET_PUBLIC_URL": outside,
        "WALLET_VNEID_ISSUER": outside,
        "WALLET_OPS_ISSUER": outside,
    }
    said = refusal(plant, **env)
    assert "absent from the key store" in said
    assert not (plant.folder / "no-keys").exists(), "keys were made in production"
    note("F10 no keys at start", 1, more=said)


def test_a_start_with_other_keys_is_refused_in_one_sentence(plant: Plant) -> None:
    said = refusal(plant, WALLET_KEYS_DIR=str(plant.folder / "foreign"))
    assert "is not the one this database was written with" in said
    note("F10 foreign keys at start", 1, more=said)


def test_another_kek_of_the_same_month_is_refused_too(plant: Plant) -> None:
    mixed = plant.folder / "mixed"
    shutil.copytree(plant.world.settings.keys_dir, mixed)
    mixed.chmod(0o700)
    (kek,) = mixed.glob("kek-2026-11.key")
    kek.write_bytes(b"\1" * 32)
    assert "kek-2026-11 is not the one" in refusal(plant, workers=1, WALLET_KEYS_DIR=str(mixed))


def test_keys_that_vanish_are_used_for_five_minutes_at_most_and_nothing_is_kept_in_clear(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0.0
    shifted = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead, sleep=time.sleep)
    monkeypatch.setattr(keystore, "time", shifted)
    monkeypatch.setattr(citizen_keys, "time", shifted)
    world = World(open_database(plant.database.uri, "vanishing"), tmp_path)
    person, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(person, condition()))
    tokens = person.token, doctor.token
    monkeypatch.setattr(world.services.keys, "_create", False)  # as in production
    assert world.get("/citizens/me/records", tokens[0]).status_code == 200
    away = world.settings.keys_dir.rename(tmp_path / "away")

    def statuses() -> tuple[int, int]:
        marked = condition("marked", note=[{"text": "PLAINTEXT-MARK"}])
        read = world.get("/citizens/me/records", tokens[0])
        write = world.post(
            "/provider/intake/fhir-bundles", tokens[1], bundle(person, marked), kind="application/fhir+json"
        )
        return read.status_code, write.status_code

    served = statuses()
    ahead = FIVE_MINUTES + 1.0
    refused = statuses()
    away.rename(world.settings.keys_dir)
    back = statuses()
    with patiently(world.db):
        clear = [
            name
            for name in world.db.list_collection_names()
            for each in world.db[name].find()
            if "PLAINTEXT-MARK" in str(each)
        ]
    note("F10 keys vanish", 1, lost=0, more=f"at once {served}, after 5 min {refused}, back {back}")
    world.services.log.close()
    world.db.client.close()
    assert served == (200, 202) and refused == (503, 503) and back == (200, 202)
    assert clear == []
