"""What a provider's system does with events: keep the newest word about each grant, and sign for erasures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.world import Doctor, Json, World, found_in


class Copy:
    """A holder's own picture of its consents: the rule of docs/clients.md, in five lines."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, str]] = {}

    def take(self, events: Iterable[Json]) -> Copy:
        """Take events in any order, any number of times."""
        for event in events:
            if event["state"] is not None:
                known = self.known.get(event["grant_id"], (0, ""))
                self.known[event["grant_id"]] = max(known, (event["version"], event["state"]))
        return self

    @property
    def working(self) -> set[str]:
        """The grants that work, as far as this holder knows."""
        return {grant for grant, (_, state) in self.known.items() if state == "granted"}


def feed(world: World, doctor: Doctor, since: int = 0, limit: int = 100) -> Json:
    """One page of an organisation's feed."""
    answer = world.get(f"/provider/events?since={since}&limit={limit}", doctor.system)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def whole_feed(world: World, doctor: Doctor, since: int = 0) -> list[Json]:
    """All of it, page by page."""
    found: list[Json] = []
    while True:
        page = feed(world, doctor, since)
        found += page["items"]
        since = page["next_since"]
        if not page["has_more"]:
            return found


def types(events: Iterable[Json]) -> list[str]:
    """What they are."""
    return [each["type"] for each in events]


def statement(
    world: World,
    doctor: Doctor,
    grant_ref: str,
    *,
    key: ECKey | None = None,
    head: Json | None = None,
    **over: Any,
) -> str:
    """A signed statement of erasure; `over` replaces claims, None leaves one away."""
    now = int(world.now().timestamp())
    claims = {
        "iss": doctor.client_id,
        "aud": world.settings.public_url,
        "iat": now,
        "erased_at": now,
        "grant_id": grant_ref,
        "extent": "everything",
    } | over
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": "ES256", "typ": "erasure-attestation+jwt", "kid": "k1"} | (head or {})
    header = {name: value for name, value in header.items() if value is not None}
    return jwt.encode(header, claims, key or world.client_keys[doctor.client_id])
