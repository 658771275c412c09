"""F6: the clock of a machine that serves is set forward and back. What had ended stays ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.figures import note
from tests.faults.plant import Plant, children_of, eventually, planted
from tests.world import bundle, condition
from wallet_api.audit.verify import verify_all
from wallet_api.infra.clock import FileClock
from wallet_api.stores.audit_log import MongoAuditLog

JUMP = timedelta(hours=2)


class Machine:
    """The clock of the machine that the API runs on, and of the test's own wallet, set together."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._clock = FileClock(plant.folder / "machine")
        self.set(timedelta(0))

    def set(self, offset: timedelta) -> None:
        for clock in (self._clock, self._plant.world.clock):
            clock.set_to(datetime.now(UTC) + offset)

    def start_api(self) -> None:
        moved = {"MOVED_CLOCK": str(self._plant.folder / "machine"), "WALLET_CLOCK_FILE": ""}
        self._plant.start_api("tests.faults.moved_wsgi:app", **moved)
        self._plant.await_ready()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with planted(tmp_path, api=False) as made:
        yield made


def test_nothing_that_ended_lives_again_when_the_clock_goes_back(plant: Plant) -> None:
    world, machine = plant.world, Machine(plant)
    machine.start_api()
    person, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(person, condition()))
    ends = (world.now() + timedelta(hours=1)).isoformat()
    made = world.grant(doctor, person, expires_at=ends)
    early = person.token, doctor.token

    def opens(token: str) -> tuple[int, str]:
        body = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}
        answer = plant.call("POST", "/provider/access-sessions", token, body)
        return answer.status_code, str(answer.json().get("code"))

    def reads(token: str) -> int:
        return plant.call("GET", "/citizens/me/records", token).status_code

    assert (reads(early[0]), opens(early[1])[0]) == (200, 201)
    machine.set(JUMP)
    late = world.signed_in(person).token, doctor.token
    assert reads(early[0]) == 401 and opens(early[1])[0] == 401, "a token outlived its end"
    assert reads(late[0]) == 200
    assert opens(late[1]) == (403, "consent_ended")
    time.sleep(1.2)  # the latest instant is noted once a second
    revived = []
    for restart in (False, True):
        machine.set(timedelta(0))
        if restart:
            _replace_workers(plant)
        revived += [status for status in (reads(early[0]), opens(early[1])[0]) if status != 401]
        revived += [told for told in [opens(late[1])] if told != (403, "consent_ended")]
        assert reads(late[0]) == 200, "who signed in after the jump must not be thrown out by the way back"
    report = verify_all(MongoAuditLog(world.db))
    more = f"2 h forward, 2 h back, workers replaced; {report.rows} log rows in order"
    note("F6 clock jumps", 4, lost=len(report.faults), more=f"revived {len(revived)}, {more}")
    assert revived == [] and report.ok


def _replace_workers(plant: Plant) -> None:
    before = set(plant.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert plant.api is not None
    server = plant.api.pid
    assert eventually(lambda: len(set(children_of(server)) - before) == len(before))
    plant.await_ready()
