"""Opening our links with a viewer that others wrote: `SHLViewer` of npm kill-the-clipboard, over real HTTP.

`make test` installs it where npm is; elsewhere these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.node_peers import asked, at_a_port, needs
from tests.shares.links import DOSE, PASSCODE, PLAIN, code_of, filled, made, payload, revoke
from tests.world import Json, World
from wallet_api.infra.clock import system_now

pytestmark = needs("kill-the-clipboard")


@pytest.fixture
def wallet(embedded_db: Database[Json], tmp_path: Path) -> Iterator[World]:
    with at_a_port(embedded_db, tmp_path) as world:
        yield world


def seen_by_viewer(share: Json, passcode: str | None = None, longest: int | None = None) -> Any:
    """What the viewer makes of a link: the codes of the records, or the name of its error."""
    told = {"link": share["link"], "recipient": "BS. Lan", "passcode": passcode, "longest": longest}
    found = asked("viewer.mjs", told)
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
