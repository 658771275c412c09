"""Load from this process: some kept-open connections, as fast as they go or at a given pace."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

from bench.ground import Read

CONNECTIONS = 8


def asked(read: Read, seconds: float, pace: float | None = None) -> list[float]:
    """How long each answered request took, in seconds.

    `pace`: requests a second in all. Then each request has its time, and its wait counts from that time: a
    slow answer that holds up the next is not forgotten.

    Raises:
        RuntimeError: an answer was no page of records.
    """
    begin = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        gap = CONNECTIONS / pace if pace else 0.0
        starts = [begin + gap * number / CONNECTIONS for number in range(CONNECTIONS)]
        running = [pool.submit(_ask, read, start, begin + seconds, gap) for start in starts]
        return [took for each in running for took in each.result()]


def percentiles(waits: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def _ask(read: Read, start: float, until: float, gap: float) -> list[float]:
    waits: list[float] = []
    due = start
    with closing(_link(read)) as link:
        one = page_asker(read, link)
        while due < until and time.perf_counter() < until:
            time.sleep(max(due - time.perf_counter(), 0.0))
            began = due if gap else time.perf_counter()
            one()
            waits.append(time.perf_counter() - began)
            due += gap
    return waits


def page_asker(read: Read, link: http.client.HTTPConnection | None = None) -> Callable[[], None]:
    """Something that asks for the page once, over one connection that stays open."""
    parts = urlsplit(read.url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    link = link or _link(read)

    def once() -> None:
        link.request("GET", path, headers=read.headers)
        answer = link.getresponse()
        body = answer.read()
        if answer.status != 200 or b'"items"' not in body:
            raise RuntimeError(f"{parts.path}: {answer.status}")

    return once


def _link(read: Read) -> http.client.HTTPConnection:
    parts = urlsplit(read.url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
