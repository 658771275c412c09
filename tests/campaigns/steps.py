"""Steps of the tests of campaigns: families in a commune, ops at work, a channel that takes everything."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from notifications.delivery import Delivery
from notifications.outgoing import Answer, Device, Envelope, Outcome
from tests.world import Json, Official, Person, World, code_in, found_in
from wallet_api.infra.ids import new_id
from wallet_api.stores.brakes import MongoBrakes

_COMMUNES = itertools.count(10_000)


def commune() -> str:
    """A commune where nobody lives yet: the wallet is shared by tests."""
    return f"{next(_COMMUNES)}"


@dataclass(frozen=True)
class FamilyOf:
    """A child and one guardian with a phone."""

    child: Person
    guardian: Person


def phone_of(world: World, who: Person) -> None:
    """Register an app of somebody."""
    name = new_id()
    world.services.reminding.devices.register(
        Device(f"app-{name}", who.id, "token", f"token-{name}", "android", world.now())
    )


def families(world: World, count: int, where: str, **more: Any) -> list[FamilyOf]:
    """Guardians, each with a child in the commune."""
    places = {"province": "01", "commune": where} | more
    made = []
    for _ in range(count):
        guardian = world.person()
        child = world.child_of(guardian, date(2024, 2, 1), **places)
        phone_of(world, guardian)
        made.append(FamilyOf(child, guardian))
    follow(world)
    return made


def follow(world: World) -> None:
    """Let audiences and coverage follow the plans, as the worker does every few seconds."""
    while world.services.reminding.follow():
        pass


class Ops:
    """Two people of ops and what they do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.maker, self.second = world.ops("operator"), world.ops("reviewer")

    def draft(self, kind: str, audience: Json, **more: Any) -> Json:
        template = "outbreak_vaccination.v1" if kind == "outbreak" else "catch_up.v1"
        form = {"name": "measles-2026", "kind": kind, "template": template, "audience": audience} | more
        answer = self.world.post("/ops/campaigns", self.maker, form)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        assert answer.headers["ETag"] == '"1"'
        return found_in(answer)

    def read(self, campaign: Json) -> Json:
        return found_in(self.world.get(f"/ops/campaigns/{campaign['id']}", self.second))

    def preview(self, campaign: Json) -> Json:
        answer = self.world.post(f"/ops/campaigns/{campaign['id']}/preview", self.maker)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return found_in(answer)

    def post(self, act: str, campaign: Json, who: Official | None = None) -> Any:
        headers = {"If-Match": f'"{campaign["version"]}"'}
        return self.world.post(f"/ops/campaigns/{campaign['id']}/{act}", who or self.maker, headers=headers)

    def act(self, act: str, campaign: Json, who: Official | None = None) -> Json:
        answer = self.post(act, campaign, who)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return found_in(answer)

    def refused(self, act: str, campaign: Json, who: Official | None = None) -> tuple[int, str]:
        answer = self.post(act, campaign, who)
        return answer.status_code, code_in(answer)

    def launched(self, campaign: Json) -> Json:
        return self.act("launch", self.act("approve", campaign, self.second))

    def send_list(self, campaign: Json, raw: bytes) -> Any:
        headers = {"If-Match": f'"{campaign["version"]}"'}
        path = f"/ops/campaigns/{campaign['id']}/list"
        return self.world.call("PUT", path, self.maker, headers=headers, raw=raw, kind="text/csv")

    def turn(self, campaign: Json) -> None:
        """What the worker does for a campaign in one task."""
        follow(self.world)
        while self.world.services.reminding.runner.turn(campaign["id"]).again:
            pass


class Phones:
    """A channel that takes everything and remembers it."""

    name, template = "phones", "push.v1"

    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        self.sent += envelopes
        return [Outcome(each.address, Answer.ACCEPTED) for each in envelopes]


def send_everything(world: World) -> list[Envelope]:
    """Deliver whatever is due; what was pushed."""
    reminding, phones = world.services.reminding, Phones()
    delivery = Delivery(
        reminding.planning,
        replace(reminding.dispatch._read, reminders=reminding.reading._reminders),
        reminding.dispatch._write,
        channel=phones,
        brakes=MongoBrakes(world.db),
        alert=lambda *told: None,
        now=world.now,
        random=lambda: 0.5,
    )
    for shard in sorted(reminding.outbox.ready(world.now())):
        while delivery.deliver(shard) is not None:
            pass
    return phones.sent


__all__ = ["FamilyOf", "Ops", "Phones", "commune", "families", "follow", "phone_of", "send_everything"]
