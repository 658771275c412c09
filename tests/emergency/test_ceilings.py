"""How many emergencies a day: for a practitioner, an organisation, a person; failures count."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.emergency.glass import broken, hospital, log_of, need
from tests.limits.conftest import base, new_world  # noqa: F401 - the fixtures of limited wallets
from tests.world import World, found_in
from wallet_api.infra.budgets import BUDGETS
from wallet_api.infra.counters import CountersUnavailable

NewWorld = Callable[..., World]


def test_c21_the_fourth_of_a_practitioner_in_a_day_is_refused_whoever_was_meant(new_world: NewWorld) -> None:  # noqa: F811 - the fixture
    world = new_world()
    doctor, blocker, an = hospital(world), world.person(), world.person()
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, blocker).status_code == 204
    assert broken(world, doctor, "001190777781").status_code == 201, "nobody"
    assert broken(world, doctor, blocker).status_code == 201, "who blocks"
    bad = need(an, citizen={"visit_code": "ABCDEFGHJK"})
    assert world.post("/provider/emergency-access", doctor, bad).status_code == 422, "a code of nobody's"
    answer = broken(world, doctor, an)
    assert (answer.status_code, found_in(answer)["code"]) == (429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
    assert broken(world, world.colleague(doctor), an).status_code == 201
    assert [each["action"] for each in log_of(world, blocker)].count("emergency:opened") == 1


def test_the_unlicensed_and_the_suspended_are_counted_too(new_world: NewWorld) -> None:  # noqa: F811 - the fixture
    world = new_world()
    doctor = world.doctor()
    found = [broken(world, doctor, world.person()).status_code for _ in range(4)]
    assert found == [403, 403, 403, 429]


def test_an_organisation_and_a_person_have_ceilings_of_their_own(new_world: NewWorld) -> None:  # noqa: F811 - the fixture
    world = new_world(WALLET_LIMITS='{"emergency_organisation": "4/day", "emergency_person": "2/day"}')
    doctor, an = hospital(world), world.person()
    colleagues = [world.colleague(doctor) for _ in range(5)]
    assert [broken(world, each, an).status_code for each in colleagues[:3]] == [201, 201, 429]
    assert broken(world, colleagues[3], "001190777782").status_code == 201
    assert broken(world, colleagues[4], "001190777783").status_code == 429
    assert broken(world, hospital(world), an).status_code == 201, "another hospital is not held up by it"


def test_a_retry_with_its_key_is_not_counted_again(new_world: NewWorld) -> None:  # noqa: F811 - the fixture
    world = new_world()
    doctor, an = hospital(world), world.person()
    key = {"Idempotency-Key": "hurry"}
    path = "/provider/emergency-access"
    assert {world.post(path, doctor, need(an), headers=key).status_code for _ in range(5)} == {201}


def test_without_counters_no_glass_is_broken(new_world: NewWorld, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811 - the fixture
    world = new_world()
    doctor, an = hospital(world), world.person()

    def away(*_: object) -> int:
        raise CountersUnavailable("planted")

    monkeypatch.setattr(world.services.limits._counters, "add", away)
    assert broken(world, doctor, an).status_code == 503
    assert all(BUDGETS[name].closed for name in BUDGETS if name.startswith("emergency"))
