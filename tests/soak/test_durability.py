"""Nothing acknowledged is lost over dozens of kills: the test of `tests/infra` again and again."""

from __future__ import annotations

import pytest

from tests.infra import test_embedded as embedded
from wallet_api.infra.embedded import EmbeddedServer

pytestmark = pytest.mark.soak
begun, place, server = embedded.begun, embedded.place, embedded.server


@pytest.mark.parametrize("_", range(8))
def test_no_acknowledged_write_is_lost_over_dozens_of_kills(
    server: EmbeddedServer, _: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "KILLS", 4)
    embedded.test_no_acknowledged_write_is_lost_when_the_daemon_is_killed_under_load(server)
