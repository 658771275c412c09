"""read_path: a provider reads 20 records under a grant, every control on, against the bare route.

The two are measured in turn, A B A B, from the same client; the ratio is taken pair by pair.
"""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bench.figure import Figure, at_least
from bench.ground import Ground, laid

CONNECTIONS = 8
SECONDS = 3.0
PAIRS = 5


def figures() -> Iterator[Figure]:
    """Requests a second of both, their ratio, and the percentiles of the wallet's answer."""
    with laid() as ground:
        yield from _measured(ground)


def _measured(ground: Ground) -> Iterator[Figure]:
    headers = {"Authorization": f"Bearer {ground.token}", "Access-Session": ground.session}
    for url, sent in ((ground.wallet_url, headers), (ground.bare_url, {})):
        _load(url, sent, 1.0)  # warm
    wallet, bare, waits = [], [], []
    for _ in range(PAIRS):
        took = _load(ground.wallet_url, headers, SECONDS)
        wallet.append(len(took) / SECONDS)
        waits += took
        bare.append(len(_load(ground.bare_url, {}, SECONDS)) / SECONDS)
    ratio = statistics.median(mine / floor for mine, floor in zip(wallet, bare, strict=True))
    cuts = statistics.quantiles(waits, n=100)
    yield at_least("read_path", ratio, "of the bare route's requests/s", 0.35)
    yield Figure("read_path_rate", statistics.median(wallet), "requests/s")
    yield Figure("read_path_bare_rate", statistics.median(bare), "requests/s")
    yield Figure("read_path_p50", cuts[49] * 1000, "milliseconds")
    yield Figure("read_path_p99", cuts[98] * 1000, "milliseconds")


def _load(url: str, headers: dict[str, str], seconds: float) -> list[float]:
    """How long each answered request took, over some connections kept open for some seconds."""
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = [pool.submit(_ask, url, headers, until) for _ in range(CONNECTIONS)]
        return [wait for each in asked for wait in each.result()]


def _ask(url: str, headers: dict[str, str], until: float) -> list[float]:
    waits: list[float] = []
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    link = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    while time.perf_counter() < until:
        began = time.perf_counter()
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        body = answer.read()
        if answer.status != 200 or b'"items"' not in body:
            raise RuntimeError(f"{path.split('?')[0]}: {answer.status}")
        waits.append(time.perf_counter() - began)
    link.close()
    return waits
