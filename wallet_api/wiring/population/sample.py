"""Whose books of a made-up population somebody may read now: found without asking the database. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from wallet_api.wiring.population.consents import consents_of
from wallet_api.wiring.population.people import people_of

_ROOM = timedelta(days=1)


def readable(
    seed: int, day: date, shards: Iterable[int], now: datetime, most: int
) -> list[tuple[str, str, str]]:
    """(citizen, organisation, practitioner) of up to that many consents in force, from these shards."""
    found: list[tuple[str, str, str]] = []
    for shard in shards:
        for one in people_of(seed, shard, day):
            for request, grant in consents_of(seed, shard, one, day):
                if grant is not None and grant.state == "granted" and grant.scope.expires_at > now + _ROOM:
                    found.append((one.id, grant.scope.organisation_id, request.requested_by))
        if len(found) >= most:
            break
    return found[:most]
