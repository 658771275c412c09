"""Opening our links with a viewer that others wrote: `SHLViewer` of npm kill-the-clipboard, over real HTTP.

`make test` installs it where npm is; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pymongo.database import Database
from werkzeug.serving import make_server

from tests.sandbox.conftest import free_port
from tests.shares.links import DOSE, PASSCODE, PLAIN, code_of, filled, made, payload, revoke
from tests.world import Json, World
from wallet_api.infra.clock import system_now

SCRIPT = Path(__file__).parents[1] / "peers" / "viewer.mjs"
PEERS = Path(sys.prefix) / "peers"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (PEERS / "node_modules" / "kill-the-clipboard").is_dir(),
    reason="the viewer is not installed (it needs node and npm; `make test` installs it)",
)


@pytest.fixture
def wallet(embedded_db: Database[Json], tmp_path: Path) -> Iterator[World]:
    """A wallet at a port of its own, by the machine's clock: the viewer has no other."""
    port = free_port()
    world = World(embedded_db, tmp_path, PORT=str(port))
    world.clock.set_to(system_now())
    server = make_server("127.0.0.1", port, world.app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield world
    server.shutdown()
    server.server_close()
    world.services.log.close()


def seen_by_viewer(share: Json, passcode: str | None = None, longest: int | None = None) -> Any:
    """What the viewer makes of a link: the codes of the records, or the name of its error."""
    shutil.copy(SCRIPT, PEERS / SCRIPT.name)  # node looks for packages beside the script
    told = {"link": share["link"], "recipient": "BS. Lan", "passcode": passcode, "longest": longest}
    done = subprocess.run(
        [str(NODE), SCRIPT.name],
        cwd=PEERS,
        env={"PATH": os.environ["PATH"], "PEER": json.dumps(told)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    if "error" in found:
        return found["error"]
    (bundle,) = found["resources"]
    resources = [each["resource"] for each in bundle["entry"]]
    return {code_of(each) for each in resources if each["resourceType"] != "Patient"}


def test_c26_a_viewer_of_others_opens_our_link_and_is_refused_when_it_must_be(wallet: World) -> None:
    an = filled(wallet)
    share = made(wallet, an, passcode=PASSCODE)
    assert seen_by_viewer(share, PASSCODE) == {PLAIN, DOSE}
    assert seen_by_viewer(share, PASSCODE, longest=10) == {PLAIN, DOSE}, "fetched apart"
    assert seen_by_viewer(share, "khong-phai-the") == "SHL_INVALID_PASSCODE_ERROR"
    assert revoke(wallet, share, an).status_code == 204
    assert seen_by_viewer(share, PASSCODE) == "SHL_MANIFEST_NOT_FOUND_ERROR"


def test_c26_a_viewer_with_a_slow_clock_is_refused_by_the_server_after_expiry(wallet: World) -> None:
    share = made(wallet, filled(wallet))
    assert payload(share)["exp"] > system_now().timestamp()
    assert seen_by_viewer(share) == {PLAIN, DOSE}
    wallet.clock.set_to(wallet.now() + timedelta(days=1))  # the viewer's own clock says it is still good
    assert seen_by_viewer(share) == "SHL_MANIFEST_NOT_FOUND_ERROR"
