"""F8, our side: the sign-in provider stands still or is gone, and who is signed in notices nothing."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.faults.figures import note
from tests.faults.plant import eventually, pair, planted
from tests.world import REDIRECT, bundle, condition
from wallet_api.infra.machine import free_port, port_taken
from wallet_api.sandbox.conditions import put_demo_marker
from wallet_api.wiring.demo import publish_client_keys

READS = 10


def test_live_sessions_go_on_while_the_provider_is_silent_or_dead(tmp_path: Path) -> None:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    here = {"WALLET_VNEID_ISSUER": issuer, "WALLET_FCM_ENDPOINT": "http://127.0.0.1:9"}
    with planted(tmp_path, workers=1, **here) as plant:
        put_demo_marker(plant.world.db)
        publish_client_keys(plant.world.services, plant.world.settings)
        command = [sys.executable, "-m", "wallet_api.sandbox.vneid", "--port", str(port), "--issuer", issuer]
        provider = plant.start("vneid", command)
        assert eventually(lambda: port_taken(port), 60), plant.log("vneid").read_text()
        who = pair(plant.world)
        plant.world.send(who.doctor, bundle(who.person, condition()))
        asked = (
            f"/oauth/authorize?response_type=code&client_id=app&redirect_uri={REDIRECT}&state=s&scope=openid"
            "&code_challenge_method=S256&code_challenge=" + "a" * 43
        )
        slowest, sign_in = 0.0, list[float]()
        for harm in (signal.SIGSTOP, signal.SIGKILL):
            provider.send_signal(harm)
            begun = time.monotonic()
            answer = plant.call("GET", asked, timeout=30, follow=False)
            sign_in.append(time.monotonic() - begun)
            assert answer.status_code == 302
            assert "error=temporarily_unavailable" in answer.headers["Location"]
            for _ in range(READS):
                begun = time.monotonic()
                assert plant.call("GET", "/citizens/me/records", who.citizen_token).status_code == 200
                slowest = max(slowest, time.monotonic() - begun)
            assert plant.call("GET", "/readyz").status_code == 200
        told = f"reads within {slowest * 1000:.0f} ms, a sign-in is told within {max(sign_in):.1f} s"
        note("F8 sign-in provider away", 2 * READS, lost=0, more=told)
        assert max(sign_in) <= 20.0, "a sign-in waits for five seconds at most, and for a busy machine"
