"""campaigns: a list of 100,000 numbers read row by row, and messages made for an audience.

The list goes through the desk into the embedded database; how much memory it takes is measured once more in
a run of its own, because watching memory slows everything down.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from bench import Options
from bench.figure import Figure, at_least, at_most
from bench.ground import environment
from notifications.campaigns.audience import Audience
from notifications.campaigns.desk import CampaignDesk
from notifications.campaigns.memory import MemoryLists
from notifications.campaigns.model import Campaign, CampaignState
from notifications.outgoing import Device
from wallet_api.context import Services
from wallet_api.identity.model import Identifier, Profile
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import connect
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

ROWS, PEOPLE = 100_000, 300
_COMMUNE = "00070"


def figures(_: Options) -> Iterator[Figure]:
    """Rows and messages a second, and the memory of a long list."""
    with _wallet() as services:
        desk = services.reminding.campaigns
        seconds, campaign = _read(desk, services)
        assert campaign.listed is not None
        found = (campaign.listed.good, campaign.listed.bad, campaign.listed.duplicates)
        assert sum(found) == ROWS and min(found) > 0, found
        forgetting = replace(desk, lists=_Forgetting())
        small, large = _peak(forgetting, services, ROWS // 10), _peak(forgetting, services, ROWS)
        made = _made(services)
    yield at_least("campaign_list", ROWS / seconds, f"rows/s of {ROWS:,}, into the embedded database", 5000)
    yield at_most("campaign_list_memory", large, f"MiB at most in Python for {ROWS:,} rows", 32)
    yield Figure("campaign_list_memory_tenth", small, f"MiB at most in Python for {ROWS // 10:,} rows")
    yield Figure("campaign_made", made, "messages/s made by one worker, people with a phone each")


@contextmanager
def _wallet() -> Iterator[Services]:
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as name:
        folder = Path(name)
        database = server_at(folder / "db")
        settings = Settings.from_env(environment(folder, free_port()))
        db = connect(settings)
        services = build_services(settings, db)
        try:
            yield services
        finally:
            services.log.close()
            db.client.close()
            database.stop(grace=0)


def _lines(rows: int) -> Iterator[bytes]:
    """Mostly good numbers; every tenth row is bad and every hundredth comes twice."""
    yield b"national_id\n"
    for number in range(rows):
        if number % 10 == 3:
            yield b"12 34\n"
        else:
            yield b"001190%06d\n" % (number - 100 if number % 100 == 50 and number > 100 else number)


def _draft(services: Services, audience: Audience, **more: object) -> Campaign:
    template = "outbreak_vaccination.v1"
    made = Campaign(new_id(), "bench", "outbreak", template, audience, 6_000, "ops-1", services.now())
    return services.reminding.campaigns.create(replace(made, **more), lambda _: None)  # type: ignore[arg-type]  # made by hand


def _read(desk: CampaignDesk, services: Services, rows: int = ROWS) -> tuple[float, Campaign]:
    draft = _draft(services, Audience(listed=True))
    began = time.perf_counter()
    found = desk.upload(draft.id, frozenset({"1"}), _lines(rows), "ops-1", lambda _: None)
    return time.perf_counter() - began, found


class _Forgetting(MemoryLists):
    """Keeps no part, so that only the reading itself takes memory."""

    def put(self, campaign_id: str, number: int, part: int, numbers: Sequence[str]) -> None:
        """Forget it."""

    def put_faults(self, campaign_id: str, number: int, part: int, faults: Sequence[tuple[int, str]]) -> None:
        """Forget it."""


def _peak(desk: CampaignDesk, services: Services, rows: int) -> float:
    tracemalloc.start()
    _read(desk, services, rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def _made(services: Services) -> float:
    reminding, people = services.reminding, services.identity.people
    for number in range(PEOPLE):
        profile = Profile("Lê Thị Đo", date(1990, 5, 4), "female", None, "01", commune=_COMMUNE)
        who = people.register(profile, [Identifier("national_id", f"0011909{number:05d}")])
        phone = Device(f"bench-{number:05d}", who, "token", f"bench-{number:05d}", "android", services.now())
        reminding.devices.register(phone)
    while reminding.follow():
        pass
    draft = _draft(services, Audience(province="01", commune=_COMMUNE), state=CampaignState.DRAFT)
    desk = reminding.campaigns
    desk.approve(draft.id, frozenset({"1"}), "ops-2", lambda _: None)
    desk.launch(draft.id, frozenset({"2"}), "ops-1", lambda _: None)
    began, made = time.perf_counter(), 0
    while (turn := reminding.runner.turn(draft.id)).again or turn.made:
        made += turn.made
    return made / (time.perf_counter() - began)
