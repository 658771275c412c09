"""A whole wallet behind real HTTP: gunicorn in a process of its own, on a database the test fills as well."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.world import START, World
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database

ROOT = Path(__file__).parents[2]


@contextmanager
def served(embedded_uri: str, folder: Path, app: str = "wsgi:app") -> Iterator[tuple[World, str]]:
    """The wallet and its address, for that long. `app` is what gunicorn serves; limits are off."""
    db = open_database(embedded_uri, f"openapi_{new_id()}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    world = World(db, folder, PORT=str(port), WALLET_PUBLIC_URL=url, WALLET_LIMITS="off")
    world.clock.set_to(START)
    process = _gunicorn(world, embedded_uri, folder, port, app)
    try:
        _await(f"{url}/readyz", process)
        yield world, url
    finally:
        process.terminate()
        process.wait(20)
        world.services.log.close()
        db.client.close()


def _gunicorn(world: World, uri: str, folder: Path, port: int, app: str) -> subprocess.Popen[bytes]:
    env = {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_CLOCK_FILE": str(folder / "clock"),
        "WALLET_DATABASE": world.settings.database,
        "WALLET_MONGO_URI": uri,
        "WALLET_PUBLIC_URL": world.settings.public_url,
        "WALLET_VNEID_ISSUER": world.settings.vneid_issuer,
        "WALLET_OPS_ISSUER": world.settings.ops_issuer,
        "WALLET_LIMITS": "off",
        "WALLET_LOG_LEVEL": "ERROR",
        "WEB_CONCURRENCY": "1",
        "PORT": str(port),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    config = str(ROOT / "deploy" / "gunicorn.conf.py")
    command = [sys.executable, "-m", "gunicorn", "-c", config, "--chdir", str(ROOT), app]
    with (folder / "api.log").open("wb") as log:
        return subprocess.Popen(command, env=env, stdout=log, stderr=log)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(url, timeout=10).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} never answered")
