"""Limits as callers meet them: who is counted, what is said, and what happens when nobody can count."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event
from typing import Any

import pytest

from tests.limits.conftest import OwnRedis
from tests.world import Granted, World, bundle, condition, found_in
from wallet_api.infra.budgets import BUDGETS
from wallet_api.routes import BLUEPRINTS
from wallet_api.routes.guarded import GuardedBlueprint, anybody
from wallet_api.routes.limits import counting
from wallet_api.settings import Settings, SettingsError

NewWorld = Callable[..., World]
PROD = {
    "WALLET_MONGO_URI": "mongodb://db.example",
    "WALLET_PUBLIC_URL": "https://wallet.example",
    "WALLET_BROKER_URL": "amqps://broker.example",
    "WALLET_VNEID_ISSUER": "https://id.example",
    "WALLET_OPS_ISSUER": "https://ops.example",
    "WALLET_REDIS_URL": "rediss://limits.example",
}


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, found_in(answer).get("code", "")


def rates(**over: str) -> str:
    return json.dumps({name: text.replace("_", " ") for name, text in over.items()})


def test_every_blueprint_names_its_budget(new_world: NewWorld) -> None:
    world = new_world()
    found = counting(world.app)
    assert len(found) >= 14
    assert {name for name, counted in found.items() if len(counted) != 1} == set()
    families = {one.family for each in found.values() for one in each}
    for family in families - {"oauth"}:
        assert family in BUDGETS or {f"{family}_read", f"{family}_act"} <= BUDGETS.keys(), family
    assert all(rule.endpoint.split(".")[0] in found for rule in world.app.url_map.iter_rules())


def test_a_blueprint_cannot_be_made_without_a_budget() -> None:
    with pytest.raises(TypeError):
        GuardedBlueprint("unlimited", __name__, guard=anybody)  # type: ignore[call-arg]  # the point of the test
    assert len(BLUEPRINTS) > 10


def test_the_caller_is_counted_and_told_what_is_left(new_world: NewWorld) -> None:
    world = new_world(WALLET_LIMITS=rates(citizen_read="3/hour"))
    an, binh = world.person(), world.person()
    answers = [world.get("/citizens/me/grants", an) for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    assert [each.headers["RateLimit-Remaining"] for each in answers] == ["2", "1", "0", "0", "0"]
    refused = answers[-1]
    assert told(refused) == (429, "too_many_requests") and refused.mimetype == "application/problem+json"
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]
    assert 0 < int(refused.headers["Retry-After"]) <= 3600 and refused.headers["RateLimit-Limit"] == "3"
    assert world.get("/citizens/me/grants", binh).status_code == 200, "same address, another person"
    assert world.get("/citizens/me/grants", world.signed_in(an)).status_code == 429, (
        "another session is no way out"
    )
    assert world.get("/healthz").status_code == 200


def test_keys_hold_no_personal_data(new_world: NewWorld) -> None:
    world = new_world()
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    world.get("/citizens/me/grants", an)
    kept = str(list(world.db["limits"].find()))
    assert "count" in kept
    for secret in (an.id, an.number, doctor.organisation_id, str(doctor.practitioner_id), "127.0.0.1"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("trusted", "sent", "same"),
    [
        ("0", ("1.2.3.4", "5.6.7.8"), True),
        ("1", ("1.2.3.4", "5.6.7.8"), False),
        ("1", ("9.9.9.9, 1.2.3.4", "8.8.8.8, 1.2.3.4"), True),
        ("2", ("9.9.9.9, 1.2.3.4", "8.8.8.8, 1.2.3.4"), False),
        ("1", ("2001:db8::1", "2001:db8::2"), True),
        ("1", ("2001:db8:0:1::1", "2001:db8:0:2::1"), False),
    ],
)
def test_an_address_is_believed_from_trusted_proxies_alone(
    new_world: NewWorld, trusted: str, sent: tuple[str, str], same: bool
) -> None:
    world = new_world(WALLET_LIMITS=rates(public_read="1/hour"), WALLET_TRUSTED_PROXIES=trusted)
    path = "/api/v1/code-systems/purposes"
    seen = [world.get(path, headers={"X-Forwarded-For": each}).status_code for each in sent]
    assert seen == [200, 429 if same else 200]


def test_forged_tokens_are_counted_by_address(new_world: NewWorld) -> None:
    world = new_world(WALLET_LIMITS=rates(stranger="3/hour"))
    an = world.person()
    seen = [world.get("/citizens/me/grants", an.token[:-3] + "abc").status_code for _ in range(5)]
    assert seen == [401, 401, 401, 429, 429]
    assert world.get("/citizens/me/grants", an).status_code == 200, "who has a good token is not held up"


def test_tokens_are_counted_for_each_practitioner_and_each_address(new_world: NewWorld) -> None:
    world = new_world(WALLET_LIMITS=rates(token="2/hour", token_address="7/hour", refresh="1/hour"))
    client = world.app.test_client()

    def ask(**form: str) -> int:
        return client.post("/oauth/token", data=form).status_code

    grant = {"grant_type": "client_credentials"}
    assert [ask(**grant, client_id="a") for _ in range(3)] == [401, 401, 429]
    assert ask(**grant, client_id="b") == 401
    refresh = {"grant_type": "refresh_token", "client_id": "app"}
    assert [ask(**refresh, refresh_token="x") for _ in range(2)] == [400, 429]
    assert ask(**refresh, refresh_token="y") == 400
    assert ask(**refresh, refresh_token="z") == 429, "the address has spent its budget"


def test_look_ups_wrong_guesses_and_new_people_are_counted(new_world: NewWorld) -> None:
    world = new_world(
        WALLET_LIMITS=rates(lookup="4/hour", visit_guess="3/hour", new_subject="1/hour", visit_try="9/hour")
    )
    doctor, people = world.doctor(), [world.person() for _ in range(2)]
    made = [world.grant(doctor, each) for each in people]
    first, second = made
    assert first.open().status_code == 201 and first.open().status_code == 201, "the same person counts once"
    assert second.open().status_code == 429
    assert second.open(world.colleague(doctor)).status_code == 201, "a colleague has a budget too"

    path = "/provider/consent-requests"

    def ask(**citizen: str) -> int:
        return world.post(path, doctor, world.proposal(people[0], citizen=citizen)).status_code

    assert [ask(national_id="x") for _ in range(3)] == [422, 422, 429], "refused look-ups count"
    code = found_in(world.post("/citizens/me/visit-codes", people[0]))["visit_code"]
    assert [ask(visit_code="AAAAA-AAAAA") for _ in range(2)] == [422, 422]
    assert ask(visit_code=code) == 202
    assert [ask(visit_code="AAAAA-AAAAA"), ask(visit_code="BBBBB-BBBBB")] == [422, 429]
    fresh = found_in(world.post("/citizens/me/visit-codes", people[0]))["visit_code"]
    assert ask(visit_code=fresh) == 429, "even the right one, once the guesses are spent"
    unused = {"citizen_id": people[0].id, "taken": False}
    assert world.db["visit_codes"].count_documents(unused) == 1, "and it is not used up"


@pytest.mark.parametrize("known", [True, False])
def test_asking_one_person_again_and_again_is_capped_absent_or_not(new_world: NewWorld, known: bool) -> None:
    world = new_world(WALLET_LIMITS=rates(lookup="1000/minute"))
    doctor, an = world.doctor(), world.person()
    number = an.number if known else "001190000001"
    body = world.proposal(an, citizen={"national_id": number})
    seen = Counter(world.post("/provider/consent-requests", doctor, body).status_code for _ in range(30))
    assert seen == {202: 5, 429: 25}
    assert world.post("/provider/consent-requests", world.doctor(), body).status_code == 202


def test_step_up_acts_and_new_devices_are_counted(new_world: NewWorld) -> None:
    world = new_world(WALLET_LIMITS=rates(step_up="2/15_minutes", device="1/day"))
    an = world.person()
    form = {"address": "a" * 40, "address_kind": "token", "platform": "android"}
    seen = [
        world.call("PUT", f"/citizens/me/devices/phone-{n}-abcdef", an, form).status_code for n in range(3)
    ]
    assert seen == [200, 429, 429]
    again = world.call("PUT", "/citizens/me/devices/phone-0-abcdef", an, form)
    assert again.status_code == 200, "an app that is known starts as often as it likes"


@contextmanager
def redis_world(new_world: NewWorld, own_redis: OwnRedis) -> Iterator[tuple[World, Granted]]:
    world = new_world(WALLET_REDIS_URL=own_redis.url)
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    try:
        yield world, made
    finally:
        if own_redis.process is None:
            own_redis.start()


def test_redis_dies_reads_go_on_and_what_guards_is_closed(new_world: NewWorld, own_redis: OwnRedis) -> None:
    with redis_world(new_world, own_redis) as (world, made):
        session, an = made.session(), made.person
        assert world.db["limits"].count_documents({}) == 0, "counted in Redis alone"
        client = world.app.test_client()
        own_redis.kill()
        closed = {
            "sign-in": lambda: client.get("/oauth/authorize"),
            "token": lambda: client.post("/oauth/token", data={"grant_type": "client_credentials"}),
            "refresh": lambda: client.post("/oauth/token", data={"grant_type": "refresh_token"}),
            "look-up": lambda: world.post("/provider/consent-requests", made.doctor, world.proposal(an)),
            "step-up": lambda: world.call(
                "DELETE", f"/citizens/me/blocked-organisations/{made.doctor.organisation_id}", an
            ),
        }
        for name, call in closed.items():
            began = time.monotonic()
            answer = call()
            assert told(answer) == (503, "unavailable") and answer.headers["Retry-After"], name
            assert time.monotonic() - began < 2, name
        began = time.monotonic()
        for _ in range(20):
            assert made.read(session).status_code == 200
            assert world.get("/citizens/me/records", an).status_code == 200
        print(f"40 reads without Redis in {time.monotonic() - began:.2f} s")
        assert made.withdraw().status_code == 200, "withdrawing never waits for anything"
        own_redis.start()
        began = time.monotonic()
        while client.get("/oauth/authorize").status_code == 503:
            assert time.monotonic() - began < 3
            time.sleep(0.05)
        print(f"open again {time.monotonic() - began:.2f} s after Redis")


def test_without_redis_reads_are_still_limited_by_each_worker(new_world: NewWorld) -> None:
    limits = rates(citizen_read="3/hour")
    world = new_world(WALLET_REDIS_URL="redis://127.0.0.1:1/0", WALLET_LIMITS=limits)
    an = world.person()
    assert [world.get("/citizens/me/grants", an).status_code for _ in range(5)] == [200] * 3 + [429] * 2


def test_a_busy_worker_says_so_at_once(new_world: NewWorld) -> None:
    world = new_world(WALLET_CONCURRENT="3")
    an, inside, leave = world.person(), Barrier(4), Event()
    real = world.services.consent.grants

    def slow(*args: Any, **more: Any) -> Any:
        inside.wait(10)
        leave.wait(10)
        return real(*args, **more)

    token = an.token
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(type(world.services.consent), "grants", lambda _, *args: slow(*args))
        busy = [pool.submit(world.get, "/citizens/me/grants", token) for _ in range(3)]
        inside.wait(10)
        began = time.monotonic()
        refused, alive = world.get("/citizens/me/consent-requests", token), world.get("/healthz")
        assert time.monotonic() - began < 2
        leave.set()
        assert told(refused) == (503, "unavailable") and int(refused.headers["Retry-After"]) > 0
        assert alive.status_code == 200
        assert {each.result().status_code for each in busy} == {200}
    for _ in range(5):
        assert world.get("/citizens/me/consent-requests", token).status_code == 200, (
            "every place was given back"
        )


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"WALLET_REDIS_URL": ""}, "WALLET_REDIS_URL"),
        ({"WALLET_REDIS_URL": "mongodb://x"}, "WALLET_REDIS_URL"),
        ({"WALLET_LIMITS": "off"}, "WALLET_LIMITS"),
        ({"WALLET_LIMITS": "[1]"}, "WALLET_LIMITS"),
        ({"WALLET_LIMITS": '{"a": 1}'}, "WALLET_LIMITS"),
        ({"WALLET_TRUSTED_PROXIES": "-1"}, "WALLET_TRUSTED_PROXIES"),
        ({"WALLET_CONCURRENT": "0"}, "WALLET_CONCURRENT"),
    ],
)
def test_production_refuses_settings_that_leave_it_open(over: dict[str, str], fault: str) -> None:
    assert Settings.from_env(PROD).limits == {}
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(PROD | over)
    assert any(each.startswith(fault) for each in refused.value.faults)
    assert "limits.example" not in repr(Settings.from_env(PROD))


def test_a_misspelt_budget_stops_the_start(new_world: NewWorld) -> None:
    with pytest.raises(SettingsError, match="lookups"):
        new_world(WALLET_LIMITS=rates(lookups="1/day"))
