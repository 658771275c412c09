"""Independent software under node that our tests meet: `make test` installs it where npm is.

Scripts are in `tests/peers`; without node or a package the tests that need it are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from pymongo.database import Database
from werkzeug.serving import make_server

from tests.world import Json, World
from wallet_api.infra.clock import system_now
from wallet_api.infra.machine import free_port

SCRIPTS: Final = Path(__file__).parent / "peers"
PEERS: Final = Path(sys.prefix) / "peers"
NODE: Final = shutil.which("node")


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skips what needs these npm packages where they are not."""
    there = NODE is not None and all((PEERS / "node_modules" / each).is_dir() for each in packages)
    told = f"{', '.join(packages)}: not installed (node and npm are needed; `make test` installs the rest)"
    return pytest.mark.skipif(not there, reason=told)


def placed(script: str) -> str:
    """A script where node finds the packages it names: beside them."""
    shutil.copy(SCRIPTS / script, PEERS / script)
    return script


def asked(script: str, told: Any, *, seconds: float = 60.0) -> Any:
    """What a script makes of something, JSON in (standard input) and out. It must end well."""
    done = subprocess.run(
        [str(NODE), placed(script)],
        cwd=PEERS,
        env={"PATH": os.environ["PATH"]},
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def at_a_port(db: Database[Json], folder: Path) -> Iterator[World]:
    """A wallet at a port of its own, by the machine's clock: foreign software has no other."""
    port = free_port()
    world = World(db, folder, PORT=str(port))
    world.clock.set_to(system_now())
    server = make_server("127.0.0.1", port, world.app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        world.services.log.close()
