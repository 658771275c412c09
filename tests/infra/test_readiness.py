"""Readiness: room on the disk, a read, and now and then a write that is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pymongo.errors import AutoReconnect

from tests.world import World, bundle, condition, found_in
from wallet_api.infra.readiness import MEBIBYTE, CannotServe, Readiness
from wallet_api.routes.room import ENDS

NOW = datetime(2026, 11, 3, tzinfo=UTC)


class Probe:
    """A database that counts, and fails when told to."""

    def __init__(self) -> None:
        self.reads = self.writes = 0
        self.keeps = self.answers = True

    def read(self) -> None:
        self.reads += 1
        if not self.answers:
            raise AutoReconnect("planted")

    def write(self, at: datetime) -> None:
        self.writes += 1
        if not self.keeps:
            raise AutoReconnect("planted")


class Disk:
    """How much `statvfs` says is free."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 1000
        monkeypatch.setattr("wallet_api.infra.readiness.os.statvfs", self._told)

    def _told(self, _: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free * 256, f_frsize=4096)


def test_a_write_is_tried_every_five_seconds_however_often_one_asks() -> None:
    probe, second = Probe(), [0.0]
    readiness = Readiness(probe, None, 100, lambda: NOW, lambda: second[0])
    for second[0] in (0.0, 0.1, 4.9, 5.0, 5.1):
        readiness.ready()
    assert (probe.reads, probe.writes) == (5, 2)


def test_what_is_not_kept_is_told_to_everybody_until_one_is() -> None:
    probe, second = Probe(), [0.0]
    readiness = Readiness(probe, None, 100, lambda: NOW, lambda: second[0])
    probe.keeps = False
    for second[0] in (0.0, 0.5):
        with pytest.raises(CannotServe):
            readiness.ready()
    assert probe.writes == 1
    probe.keeps, second[0] = True, 1.0
    readiness.ready()
    assert probe.writes == 2


def test_a_database_that_does_not_read_is_not_asked_to_write() -> None:
    probe = Probe()
    probe.answers = False
    with pytest.raises(AutoReconnect):
        Readiness(probe, None, 100, lambda: NOW).ready()
    assert probe.writes == 0


def test_room_is_what_must_stay_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, probe = Disk(monkeypatch), Probe()
    readiness = Readiness(probe, tmp_path, 100, lambda: NOW)
    disk.free = 100
    readiness.room()
    disk.free = 99
    for ask in (readiness.room, readiness.ready):
        with pytest.raises(CannotServe):
            ask()
    assert probe.reads == 0
    disk.free = 100
    readiness.ready()


def test_without_a_folder_or_a_reserve_the_disk_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch).free = 0
    Readiness(Probe(), None, 100, lambda: NOW).room()
    Readiness(Probe(), tmp_path, 0, lambda: NOW).room()


def test_a_folder_that_is_not_there_is_the_databases_matter(tmp_path: Path) -> None:
    Readiness(Probe(), tmp_path / "absent", 100, lambda: NOW).room()


def test_the_disk_of_this_machine_is_read_in_bytes(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize // MEBIBYTE
    Readiness(Probe(), tmp_path, max(1, free // 2), lambda: NOW).room()
    with pytest.raises(CannotServe):
        Readiness(Probe(), tmp_path, free * 2 + 1, lambda: NOW).room()


def test_without_room_nothing_is_begun_and_access_can_still_be_taken_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, person = world.doctor(), world.person()
    world.send(doctor, bundle(person, condition()))
    made = world.grant(doctor, person)
    world.settings.embedded_path.mkdir(parents=True, exist_ok=True)
    disk = Disk(monkeypatch)
    disk.free = 1
    assert world.get("/readyz").status_code == 503 and world.get("/healthz").status_code == 200
    sent = world.post("/provider/intake/fhir-bundles", doctor, bundle(person, condition("c2")))
    asked = world.post("/provider/consent-requests", doctor, world.proposal(person))
    for answer in (sent, asked):
        assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
    assert world.get("/citizens/me/records", person).status_code == 200
    assert world.post(f"/citizens/me/grants/{made.grant['id']}/withdrawal", person, {}).status_code == 200
    assert world.call("DELETE", "/citizens/me/sessions", person).status_code == 204
    disk.free = 1000
    assert world.get("/readyz").status_code == 200
    assert world.post("/provider/consent-requests", doctor, world.proposal(person)).status_code == 202


def test_who_takes_access_away_is_named_as_the_routes_are(world: World) -> None:
    there = {(method, rule.rule) for rule in world.app.url_map.iter_rules() for method in rule.methods}
    assert there >= ENDS
