"""What a sign-in provider publishes is pinned to its issuer, held, and fetched sparingly."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.identity.upstream import Upstream
from wallet_api.identity.errors import UpstreamRefused
from wallet_api.identity.oidc.breaker import Breaker
from wallet_api.identity.oidc.discovery import Discovery
from wallet_api.identity.oidc.transport import Deadline


def soon() -> Deadline:
    return Deadline.after(4.0)


def test_metadata_of_another_issuer_is_refused(upstream: Upstream) -> None:
    upstream.metadata = {"issuer": "https://evil.example"}
    with pytest.raises(UpstreamRefused):
        Discovery(upstream.issuer, Breaker(), dev=True).endpoints(soon())


@pytest.mark.parametrize("more", [{"wallet_sandbox": True}, {"jwks_uri": "http://10.0.0.1/jwks"}])
def test_production_refuses_a_sandbox_and_plain_http(upstream: Upstream, more: dict[str, Any]) -> None:
    https = {f"{name}_endpoint": "https://id.example/x" for name in ("authorization", "token")}
    upstream.metadata = https | {"jwks_uri": "https://id.example/jwks"}
    Discovery(upstream.issuer, Breaker(), dev=False).endpoints(soon())
    upstream.metadata |= more
    with pytest.raises(UpstreamRefused):
        Discovery(upstream.issuer, Breaker(), dev=False).endpoints(soon())


def test_a_flood_of_unknown_keys_fetches_twice_at_most(upstream: Upstream) -> None:
    tick = [0.0]
    discovery = Discovery(upstream.issuer, Breaker(), dev=True, tick=lambda: tick[0])
    for number in range(1000):
        with pytest.raises(UpstreamRefused):
            discovery.key(f"unknown-{number}", soon())
    assert upstream.fetches.count("/jwks") == 1
    tick[0] = 61.0
    with pytest.raises(UpstreamRefused):
        discovery.key("unknown", soon())
    assert upstream.fetches.count("/jwks") == 2


def test_a_rotated_key_is_found_after_a_minute(upstream: Upstream) -> None:
    tick = [0.0]
    discovery = Discovery(upstream.issuer, Breaker(), dev=True, tick=lambda: tick[0])
    discovery.key("k1", soon())
    upstream.key = ECKey.generate_key("P-256", {"kid": "k2"})
    tick[0] = 61.0
    assert discovery.key("k2", soon()).kid == "k2"
