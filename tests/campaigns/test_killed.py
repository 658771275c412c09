"""kill -9 of the worker in the middle of a campaign: nobody is left out, nobody is told twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.campaigns.steps import Ops, commune, families, send_everything
from tests.world import World
from wallet_api.infra.mongo import end_left_transactions

WORKER = Path(__file__).with_name("one_worker.py")
PEOPLE, KILLS = 16, 2


def test_workers_die_and_everybody_is_told_once(world: World, embedded_uri: str) -> None:
    ops, where, chance = Ops(world), commune(), random.Random(5)
    people = families(world, PEOPLE, where)
    mine = {each.guardian.id for each in people}
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    sends = world.db["campaign_sends"]
    command = [sys.executable, str(WORKER), embedded_uri, world.db.name, str(world.settings.data_dir)]
    counts = [0]
    for _ in range(KILLS):
        with subprocess.Popen(
            [*command, campaign["id"]], cwd=Path.cwd(), stdout=subprocess.PIPE, env=_environment()
        ) as worker:
            assert worker.stdout is not None and worker.stdout.readline() == b"ready\n"
            before = counts[-1]
            while sends.count_documents({"campaign_id": campaign["id"]}) == before:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.02))
            worker.kill()
        counts.append(sends.count_documents({"campaign_id": campaign["id"]}))
    assert counts == sorted(set(counts)) and counts[1] < PEOPLE, "each died half way, and what was kept stays"
    # The last of them left a transaction open, which the next process to start ends.
    end_left_transactions(world.db, world.settings.data_dir / "transactions")
    ops.turn(campaign)
    pushed = [each for each in send_everything(world) if each.address.citizen_id in mine]
    assert sorted(each.address.citizen_id for each in pushed) == sorted(mine), "each once, nobody left out"
    assert len({each.nid for each in pushed}) == PEOPLE
    ops.turn(campaign)
    progress = ops.read(campaign)["progress"]
    assert (progress["planned"], progress["accepted"], progress["queued"]) == (PEOPLE, PEOPLE, 0)
    inbox = world.db["inbox"].count_documents({"recipient_id": {"$in": sorted(mine)}})
    assert inbox == PEOPLE


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(WORKER.parents[2])}
