"""nginx with the very configuration of `deploy/nginx`, and clients that never finish what they began."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.faults.figures import note
from tests.faults.plant import ROOT, eventually
from wallet_api.infra.machine import free_port, port_taken

CONFIG = ROOT / "deploy" / "nginx" / "nginx.conf"
PROBES = 15


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[str]:
    """The proxy on a free loopback port; its URL."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("nginx is not installed on this machine: slow clients are not tried")
    port = free_port()
    text = CONFIG.read_text()
    for placeholder, value in (
        ("listen 8080 ", f"listen 127.0.0.1:{port} "),
        ("server api:8080 ", f"server 127.0.0.1:{upstream} "),
        ("/tmp/wallet-nginx", str(folder / "nginx")),
    ):
        assert placeholder in text
        text = text.replace(placeholder, value)
    made = folder / "nginx.conf"
    made.write_text(text)
    checked = subprocess.run(
        [program, "-t", "-c", str(made), "-p", str(folder)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    with (folder / "nginx.log").open("wb") as log:
        # Started by root it would change to a user who may not write into the folder of a test.
        orders = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
        command = [program, "-c", str(made), "-p", str(folder), "-g", orders]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert eventually(lambda: port_taken(port)), (folder / "nginx.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def besiege(url: str, connections: int, seconds: float, limit: float) -> None:
    """F12: that many clients send a header a byte at a time; fifteen honest probes in between."""
    took = asyncio.run(_siege(url, connections, seconds))
    quick = sum(each < limit for each in took)
    more = f"{quick}/{PROBES} probes under {limit * 1000:.0f} ms, slowest {max(took) * 1000:.0f} ms"
    note("F12 slow headers behind nginx", connections, more=more)
    assert quick == PROBES, sorted(took)


async def _siege(url: str, connections: int, seconds: float) -> list[float]:
    port, over = int(url.rpartition(":")[2]), asyncio.Event()
    slow = [asyncio.create_task(_crawl(port, over)) for _ in range(connections)]
    await asyncio.sleep(min(2.0, seconds / 4))
    took = []
    for _ in range(PROBES):
        took.append(await asyncio.to_thread(_probe, url))
        await asyncio.sleep(max(0.0, (seconds - 2) / PROBES - took[-1]))
    over.set()
    await asyncio.gather(*slow)
    return took


async def _crawl(port: int, over: asyncio.Event) -> None:
    """One client after another on the same place, each a byte every half second, until it is thrown out."""
    while not over.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: wallet\r\nX-Slow: ")
            while not over.is_set() and not reader.at_eof():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.5)
        except OSError:
            pass
        finally:
            writer.close()


def _probe(url: str) -> float:
    begun = time.monotonic()
    assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
    return time.monotonic() - begun
