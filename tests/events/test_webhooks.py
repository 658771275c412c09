"""Webhooks: registered by ops, signed, pushed by the worker, retried, given up; the feed stays the truth."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from jwt import PyJWTError

from tests.events import receivers
from tests.events.holding import Copy, whole_feed
from tests.events.receivers import receiver, says
from tests.world import Doctor, Granted, Json, World, found_in
from wallet_api.events.outbound import Poster, Rules
from wallet_api.events.webhooks import MAX_REFUSALS, MAX_TRIES, Turn, backoff
from wallet_api.infra.ids import new_id


def add(world: World, doctor: Doctor, url: str, **more: Any) -> str:
    """Register a webhook as a registrar does; its id."""
    path = f"/ops/organisations/{doctor.organisation_id}/webhooks"
    answer = world.post(path, world.ops("registrar"), {"url": url} | more)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(found_in(answer)["id"])


def shown(world: World, doctor: Doctor) -> Json:
    """The one webhook of an organisation as ops see it."""
    path = f"/ops/organisations/{doctor.organisation_id}/webhooks"
    (one,) = found_in(world.get(path, world.ops("registrar")))["items"]
    return dict(one)


def push(world: World, webhook_id: str) -> Turn | None:
    """One turn of the worker for one webhook, when it is due."""
    sender = world.services.telling.sender
    for each in sender.due(10_000):
        if each.id == webhook_id:
            return sender.turn(each)
    return None


def opened(world: World, body: bytes, url: str) -> Json:
    """A pushed event, verified as docs/clients.md tells receivers to."""
    keys = found_in(world.get("/.well-known/event-jwks.json"))
    found = jwt.decode(body.decode(), jwk.KeySet.import_key_set(keys), algorithms=["ES256"])
    assert found.header["typ"] == "secevent+jwt"
    assert found.claims["iss"] == world.settings.public_url and found.claims["aud"] == url
    assert abs(found.claims["iat"] - world.now().timestamp()) <= 300
    return dict(found.claims)


def snippet() -> dict[str, Any]:
    """The program that docs/clients.md gives to receivers, as it is printed there."""
    page = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
    found: dict[str, Any] = {}
    exec(page.split("```python\n", 1)[1].split("```", 1)[0], found)
    return found


def test_the_program_on_the_page_takes_an_event_once_and_nothing_else(world: World, made: Granted) -> None:
    take, wallet = snippet()["opened"], world.settings.public_url
    with receiver(says(202)) as it:
        push(world, add(world, made.doctor, it.url))
    body, seen = it.bodies[0].decode(), set[str]()
    keys = found_in(world.get("/.well-known/event-jwks.json"))
    now = lambda: world.now().timestamp()  # noqa: E731 - handed over as the page has it
    head, claims, signature = body.split(".")
    wrong = (
        (f"{head}.{claims}.{signature[::-1]}", it.url, wallet, keys, now),
        (body, "https://another.example/", wallet, keys, now),
        (body, it.url, "https://another.example", keys, now),
        (body, it.url, wallet, found_in(world.get("/.well-known/jwks.json")), now),
        (body, it.url, wallet, keys, lambda: now() + 301),
        (made.doctor.token, it.url, wallet, keys, now),
    )
    for text, url, issuer, known, clock in wrong:
        with pytest.raises((PyJWTError, KeyError)):
            take(text, url, issuer, known, seen, clock)
    assert take(body, it.url, wallet, keys, seen, now)["jti"] == whole_feed(world, made.doctor)[0]["id"]
    assert take(body, it.url, wallet, keys, seen, now) is None, "a replay"


@pytest.fixture
def made(world: World) -> Granted:
    return world.grant(world.doctor(), world.person())


def test_events_arrive_signed_and_say_ids_and_a_word(world: World, made: Granted) -> None:
    with receiver(says(202)) as it:
        webhook = add(world, made.doctor, it.url)
        assert push(world, webhook) == Turn(webhook, 1, 0, 0, "202")
        made.withdraw()
        assert push(world, webhook).sent == 1
        assert push(world, webhook) is None, "nothing is left"
    heads = {each.split(b"Content-Type: ")[1].split(b"\r\n")[0] for each in it.heads}
    assert heads == {b"application/secevent+jwt"}
    first, second = (opened(world, each, it.url) for each in it.bodies)
    told = whole_feed(world, made.doctor)
    assert [first["jti"], second["jti"]] == [each["id"] for each in told]
    (name, ids), *_ = second["events"].items()
    assert name == "urn:wallet:event:consent_ended"
    assert ids == {
        "grant_id": made.outcome["grant_id"],
        "citizen_ref": made.citizen_ref,
        "version": 2,
        "position": 2,
    }
    assert set(first) == {"iss", "aud", "iat", "jti", "events"}
    assert shown(world, made.doctor)["position"] == 2


def test_a_changed_event_or_another_key_does_not_verify(world: World, made: Granted) -> None:
    with receiver(says(202)) as it:
        push(world, add(world, made.doctor, it.url))
    text = it.bodies[0].decode()
    keys = jwk.KeySet.import_key_set(found_in(world.get("/.well-known/event-jwks.json")))
    jws.deserialize_compact(text, keys, algorithms=["ES256"])
    head, body, signature = text.split(".")
    receipts = jwk.KeySet.import_key_set(found_in(world.get("/.well-known/receipt-jwks.json")))
    for forged, known in (
        (f"{head}.{body[:-2]}AA.{signature}", keys),
        (f"{head}.{body}.{signature[::-1]}", keys),
        (text, receipts),
    ):
        with pytest.raises((JoseError, ValueError)):
            jws.deserialize_compact(forged, known, algorithms=["ES256"])


def test_a_grant_that_ended_before_it_was_pushed_is_only_told_to_have_ended(
    world: World, made: Granted
) -> None:
    """The last look: what leaves never says `granted` of a grant that has ended."""
    with receiver(says(202)) as it:
        webhook = add(world, made.doctor, it.url)
        made.withdraw()
        assert push(world, webhook) == Turn(webhook, 1, 1, 0, "202")
    assert [list(opened(world, each, it.url)["events"]) for each in it.bodies] == [
        ["urn:wallet:event:consent_ended"]
    ]


@pytest.mark.parametrize("outcome", ["500", "307", "closed"])
def test_what_fails_is_tried_again_later_and_then_goes_on(world: World, made: Granted, outcome: str) -> None:
    answer = (
        receivers.closes
        if outcome == "closed"
        else says(int(outcome), "Location: http://127.0.0.1:9/elsewhere")
    )
    with receiver(answer, says(202)) as it:
        webhook = add(world, made.doctor, it.url)
        made.withdraw()
        turn = push(world, webhook)
        assert turn is not None and turn.sent == 0 and turn.last == outcome
        assert push(world, webhook) is None, "not before its time"
        view = shown(world, made.doctor)
        assert view["tries"] == 1 and view["last_outcome"] == outcome and view["dead"] == 0
        world.forward(minutes=1)
        assert push(world, webhook).sent == 1
        assert shown(world, made.doctor)["tries"] == 0


def test_a_receiver_that_hangs_costs_one_turn_its_time(world: World, made: Granted, monkeypatch: Any) -> None:
    monkeypatch.setattr(world.services.telling.sender, "_post", Poster(Rules(dev=True), seconds=0.3).post)
    with receiver(receivers.hangs) as it:
        webhook = add(world, made.doctor, it.url)
        made.withdraw()
        began = time.monotonic()
        assert push(world, webhook).last == "timeout"
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(("status", "tries"), [(500, MAX_TRIES), (400, MAX_REFUSALS)])
def test_after_so_many_tries_an_event_is_a_dead_letter_and_the_next_has_its_turn(
    world: World, made: Granted, status: int, tries: int
) -> None:
    sent: list[str] = []

    def post(url: str, body: bytes, kind: str) -> int:
        sent.append(url)
        return status if len(sent) <= tries else 202

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.services.telling.sender, "_post", post)
        webhook = add(world, made.doctor, "http://localhost:9/x")
        world.grant(made.doctor, made.person)
        for _ in range(tries):
            push(world, webhook)
            world.forward(hours=1, seconds=1)
        view = shown(world, made.doctor)
        assert view["dead"] == 1 and view["tries"] == 0 and view["position"] == 1
        (letter,) = view["dead_letters"]
        assert letter["outcome"] == str(status)
        assert letter["event_id"] == whole_feed(world, made.doctor)[0]["id"]
        assert push(world, webhook).sent == 1
        path = f"/ops/organisations/{made.doctor.organisation_id}/webhooks/{webhook}/rewind"
        assert world.post(path, world.ops("registrar"), {"since": 0}).status_code == 200
        assert push(world, webhook).sent == 2, "pushed again, the dead letter among them"


def test_waiting_grows_with_each_failure_is_scattered_and_never_longer_than_an_hour() -> None:
    for tries in range(1, 40):
        dice = random.Random(tries)
        waits = [backoff(tries, dice.random) for _ in range(50)]
        most = min(3600, 10 * 2**tries)
        assert all(10 <= each.total_seconds() <= most for each in waits)
        assert max(waits) > min(waits)


def test_two_workers_send_each_event_once(world: World, made: Granted) -> None:
    for _ in range(3):
        world.grant(made.doctor, made.person)
    with receiver(says(202)) as it:
        webhook = add(world, made.doctor, it.url)
        sender = world.services.telling.sender
        (due,) = [each for each in sender.due(10_000) if each.id == webhook]
        with ThreadPoolExecutor(4) as pool:
            turns = [each for each in pool.map(sender.turn, [due] * 4) if each is not None]
    assert len(turns) == 1 and len(it.bodies) == 4


def test_a_worker_that_died_is_followed_by_another_when_its_lease_is_over(
    world: World, made: Granted
) -> None:
    with receiver(says(202)) as it:
        webhook = add(world, made.doctor, it.url)

        class Died(BaseException):
            pass

        def die(*_: Any) -> int:
            raise Died

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(world.services.telling.sender, "_post", die)
            with pytest.raises(Died):
                push(world, webhook)
        assert push(world, webhook) is None
        world.forward(minutes=3)
        assert push(world, webhook).sent == 1 and len(it.bodies) == 1


def test_a_worker_that_was_too_slow_settles_nothing(world: World, made: Granted) -> None:
    """Its lease ran out and another took over: what the first one says then is not kept."""
    other: list[Turn | None] = []

    def post(url: str, body: bytes, kind: str) -> int:
        if not other:
            other.append(None)
            world.forward(minutes=3)
            other[0] = push(world, webhook)
        return 202

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.services.telling.sender, "_post", post)
        webhook = add(world, made.doctor, "http://localhost:9/x")
        assert push(world, webhook) is None
        assert other[0] is not None and other[0].sent == 1


def test_removed_and_suspended_are_sent_nothing(world: World, made: Granted) -> None:
    with receiver(says(202)) as it:
        webhook = add(world, made.doctor, it.url)
        organisations = world.services.identity.organisations
        organisations.set_status(made.doctor.organisation_id, "suspended")
        assert push(world, webhook) is None
        organisations.set_status(made.doctor.organisation_id, "active")
        path = f"/ops/organisations/{made.doctor.organisation_id}/webhooks/{webhook}"
        assert world.call("DELETE", path, world.ops("registrar")).status_code == 204
        assert push(world, webhook) is None and not it.bodies
        assert world.call("DELETE", path, world.ops("registrar")).status_code == 404


def test_an_address_off_the_list_is_refused_and_only_three_are_taken(world: World) -> None:
    doctor = world.doctor()
    path = f"/ops/organisations/{doctor.organisation_id}/webhooks"
    registrar = world.ops("registrar")
    for url in (
        "https://his.example.vn/x",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "ftp://localhost/",
    ):
        answer = world.post(path, registrar, {"url": url})
        assert (answer.status_code, found_in(answer)["code"]) == (422, "webhook_refused"), url
    for number in range(3):
        add(world, doctor, f"http://localhost:9/{number}")
    answer = world.post(path, registrar, {"url": "http://localhost:9/4"})
    assert (answer.status_code, found_in(answer)["code"]) == (409, "too_many_webhooks")
    answer = world.post(f"/ops/organisations/{new_id()}/webhooks", registrar, {"url": "http://localhost:9/"})
    assert answer.status_code == 404


def test_the_same_key_adds_one_webhook(world: World) -> None:
    doctor, registrar = world.doctor(), world.ops("registrar")
    path, key = f"/ops/organisations/{doctor.organisation_id}/webhooks", {"Idempotency-Key": new_id()}
    answers = [world.post(path, registrar, {"url": "http://localhost:9/"}, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert found_in(answers[0])["id"] == found_in(answers[1])["id"] == shown(world, doctor)["id"]


def test_c19_lost_and_doubled_pushes_and_then_the_feed(world: World) -> None:
    """A receiver that loses and doubles converges to what the wallet says, by versions and one look."""
    doctor, an, dice = world.doctor(), world.person(), random.Random(19)
    grants = [world.grant(doctor, an) for _ in range(4)]
    for each in grants[:2]:
        each.withdraw()
    copy = Copy()
    with receiver(says(202)) as it:
        push(world, add(world, doctor, it.url))
    words = {"consent_granted": "granted", "consent_ended": "ended"}
    arrived: list[Json] = []
    for body in it.bodies * 2:
        if dice.random() < 0.6:
            (name, ids), *_ = opened(world, body, it.url)["events"].items()
            arrived.append(ids | {"state": words[name.rsplit(":", 1)[1]]})
    dice.shuffle(arrived)
    copy.take(arrived).take(whole_feed(world, doctor))
    assert copy.working == {each.outcome["grant_id"] for each in grants[2:]}
