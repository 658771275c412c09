"""scale: reading a page under a consent with 100,000 citizens in the database, against 1,000.

`--large` names the data folder of a database filled by `python -m wallet_api seed --citizens 100000`;
`--small` one with 1,000, which is made for the run when it is not named. The two servers are asked in turn,
page by page, each for the books of its own citizens with a consent in force.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import Options
from bench.figure import Figure, at_most
from bench.ground import environment, opened, served, system_of
from bench.load import page_asker
from wallet_api.context import Services
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import connect
from wallet_api.settings import Settings
from wallet_api.stores.population import MongoPopulation
from wallet_api.wiring import build_services
from wallet_api.wiring.population.sample import readable

SMALL = 1000
READERS = 12
ROUNDS = 60


def figures(options: Options) -> Iterator[Figure]:
    """The median read of both, and how much slower the large one is."""
    if options.large is None:
        print("scale needs --large FOLDER, a data folder with many seeded citizens", file=sys.stderr)
        return
    with ExitStack() as over:
        small = options.small or Path(over.enter_context(tempfile.TemporaryDirectory(prefix="wallet-bench-")))
        if options.small is None:
            _seed(small)
        few, many = _Side(over, small), _Side(over, options.large)
        slow, fast = [], []
        for turn in range(ROUNDS):
            slow.append(many.read(turn))
            fast.append(few.read(turn))
        p50, floor = statistics.median(slow) * 1000, statistics.median(fast) * 1000
        yield at_most(
            "scale", p50 / floor, f"p50 with {many.citizens} citizens by p50 with {few.citizens}", 1.3
        )
        yield Figure("scale_p50", p50, "milliseconds")
        yield Figure("scale_floor", floor, "milliseconds with the small database")


class _Side:
    """One database with its server, and readers of some of its books."""

    def __init__(self, over: ExitStack, folder: Path) -> None:
        port = free_port()
        env = environment(folder, port)
        server = server_at(folder / "db")
        over.callback(server.stop, grace=3.0)
        settings = Settings.from_env(env)
        database = connect(settings)
        services = build_services(settings, database)
        over.callback(services.log.close)
        population = MongoPopulation(database)
        done = population.done()
        self.citizens = sum(holds["citizens"] for holds in done.values())
        seed, day = population.begin(1, services.now().date())
        wallet = over.enter_context(served("wsgi:app", env, port, workers=1))
        found = readable(seed, day, sorted(done), services.now(), READERS)
        if not found:
            raise ValueError(f"{folder} holds no seeded citizens with a consent in force")
        self._readers = [_reader(services, one, wallet) for one in found]
        for reader in self._readers:
            reader()  # warm: keys and licences are held from now on

    def read(self, turn: int) -> float:
        """Seconds one page takes."""
        began = time.perf_counter()
        self._readers[turn % len(self._readers)]()
        return time.perf_counter() - began


def _reader(services: Services, grant: tuple[str, str, str], wallet: str) -> Callable[[], None]:
    citizen_id, organisation_id, practitioner_id = grant
    system = system_of(services, organisation_id)
    return page_asker(opened(services, system, practitioner_id, citizen_id, wallet))


def _seed(folder: Path) -> None:
    command = [sys.executable, "-m", "wallet_api", "seed", "--citizens", str(SMALL), "--yes"]
    env = {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder), "PATH": os.environ["PATH"]}
    subprocess.run(command, env=env, check=True, stdout=sys.stderr)  # noqa: S603 - our own command
