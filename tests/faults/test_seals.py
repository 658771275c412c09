"""A sealed value that does not open: somebody changed the database. Nothing is told, and it is noticed."""

from __future__ import annotations

import pytest

from tests.faults.figures import note
from tests.world import World, bundle, condition


def test_a_broken_seal_is_an_error_of_ours_that_tells_nothing_and_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """500 and not 503: asking again does not mend it, and a person must look."""
    doctor, hurt, other = world.doctor(), world.person(), world.person()
    for each in (hurt, other):
        world.send(doctor, bundle(each, condition()))
    found = world.db["records"].find_one({"citizen_id": hurt.id})
    assert found is not None
    content = bytearray(found["content"])
    content[-1] ^= 1
    world.db["records"].update_one({"_id": found["_id"]}, {"$set": {"content": bytes(content)}})
    with caplog.at_level("ERROR", logger="wallet"):
        answer = world.get("/citizens/me/records", hurt.token)
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.get_json()["code"] == "internal_error"
    said = caplog.text + answer.get_data(as_text=True)
    assert "unexpected_error" in caplog.text
    assert not [secret for secret in (hurt.id, hurt.number, hurt.name, found["_id"]) if secret in said]
    assert world.get("/citizens/me/records", other.token).status_code == 200
    note("a broken seal", 1, half=0, more="500 without detail, logged as an error; others are served")
