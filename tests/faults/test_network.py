"""F5: the connection between API and database is cut or held up in the middle of operations."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import killing
from tests.faults.plant import Plant, planted
from tests.faults.proxy import Proxy


@contextmanager
def led_through_a_proxy(folder: Path) -> Iterator[tuple[Plant, Proxy]]:
    """A wallet whose API reaches its database through a proxy. `directConnection`: or it would go around."""
    proxies: list[Proxy] = []

    def through(uri: str) -> str:
        proxies.append(Proxy(int(re.search(r":(\d+)/", uri)[1])))  # type: ignore[index]  # it has a port
        return re.sub(r":\d+/", f":{proxies[0].port}/", uri) + "&directConnection=true"

    with planted(folder, mongo=through) as plant:
        try:
            yield plant, proxies[0]
        finally:
            proxies[0].close()


def cut_and_delay(plant: Plant, proxy: Proxy, times: int) -> None:
    """Every other time all connections end, every other time answers are held back for 1.5 s."""
    turns = itertools.count()

    def harm() -> None:
        if next(turns) % 2 == 0:
            proxy.cut()
            return
        proxy.delay = 1.5
        time.sleep(0.3)
        proxy.delay = 0.0

    killing.disturb(plant, "F5 connection cut, delayed 1.5 s", times, harm)
    assert proxy.cuts, "no connection was cut"


def test_what_the_network_swallowed_happens_once(tmp_path: Path) -> None:
    with led_through_a_proxy(tmp_path) as (plant, proxy):
        cut_and_delay(plant, proxy, 4)
