"""A preview shows what the asker would be shown, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from tests.world import World, bundle, condition, found_in, immunization
from wallet_api.identity.model import Licence


def test_a_preview_shows_what_the_licence_or_the_scope_leaves_out(world: World) -> None:
    an = world.person()
    rows = (condition("c", on="2026-03-04"), condition("old", on="2020-01-01"), immunization("i"))
    world.send(world.doctor(), bundle(an, *rows, condition("mind", "F32.1")))
    asker = world.doctor()
    world.ask(asker, an, record_period={"from": "2026-01-01", "to": None})
    path = f"/citizens/me/consent-requests/{world.newest_request(an)['id']}/preview"

    def counts() -> dict[str, int]:
        seen = found_in(world.get(path, an))
        assert Counter(each["category"] for each in seen["records"]) == seen["counts"]
        return dict(seen["counts"])

    assert counts() == {"condition": 1, "immunization": 1}
    licensed = {
        Licence(frozenset({"TREAT"}), frozenset({"immunization"}), frozenset()): {"immunization": 1},
        Licence(frozenset({"HRESCH"}), frozenset({"immunization"}), frozenset()): {},
    }
    organisations = world.services.identity.organisations
    for licence, left in licensed.items():
        known = organisations.get(asker.organisation_id)
        organisations.change(replace(known, licence=licence), expected=known.version)
        held: Any = world.services.book.readers._parts.access._licence_of
        held._held.clear()  # or it would be asked again only after some seconds
        assert counts() == left
    line = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert line["text"] == "Bạn xem trước yêu cầu của Bệnh viện Thử"
