"""The front page for a provider: what the consent covers, as if there were nothing else, until it ends."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.fhir import labelled
from tests.pages.resources import allergy, clinical, medicine
from tests.world import Granted, Json, World, bundle, condition, found_in


def asked(made: Granted, session: str) -> TestResponse:
    path = f"/provider/citizens/{made.citizen_ref}/summary"
    return made.world.get(path, made.doctor, headers={"Access-Session": session})


def sections(made: Granted, session: str) -> dict[str, list[Json]]:
    answer = asked(made, session)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {name: each["lines"] for name, each in found_in(answer)["sections"].items() if each["lines"]}


def test_a_provider_sees_what_the_consent_covers_and_nothing_else(world: World) -> None:
    an, author, doctor = world.person(), world.doctor(), world.doctor()
    sent = [condition("c1", "I10"), labelled(condition("c2", "F32", on="2026-09-01"), "PSY"), allergy()]
    world.send(author, bundle(an, *sent, medicine()))
    made = world.grant(doctor, an, categories=["condition", "medication"])
    session = made.session()
    seen = sections(made, session)
    assert {name: [each["name"] for each in lines] for name, lines in seen.items()} == {
        "conditions": ["I10"],
        "medicines": ["Metformin"],
    }
    (line,) = seen["conditions"]
    assert line["source"]["name_vi"] == "Bệnh viện Thử"
    told = found_in(made.read(session, path=f"/{line['id']}"))
    assert told["id"] == line["id"] and told["resource"]["id"] == "c1"
    mine = found_in(world.get("/citizens/me/summary", an))["sections"]["conditions"]["lines"]
    assert line["id"] not in [each["id"] for each in mine], "a provider knows records by names of its own"


def test_what_the_consent_does_not_reach_ends_nothing(world: World) -> None:
    """The end of an illness lies outside the granted days: for this reader the illness goes on."""
    an, author, doctor = world.person(), world.doctor(), world.doctor()
    over = condition("c2", "E11", on="2026-05-01", **clinical("resolved"))
    world.send(author, bundle(an, condition("c1", "E11", on="2025-05-01"), over))
    assert found_in(world.get("/citizens/me/summary", an))["sections"]["conditions"]["lines"] == []
    period = {"from": "2025-01-01", "to": "2025-12-31"}
    made = world.grant(doctor, an, categories=["condition"], record_period=period)
    (line,) = sections(made, made.session())["conditions"]
    assert line["day"] == "2025-05-01"


def test_the_look_is_logged_and_ends_with_the_consent(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session = made.session()
    assert sections(made, session)
    newest = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (newest["action"], newest["record_count"]) == ("record:searched", 1)
    made.withdraw()
    answer = asked(made, session)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert asked(made, "x").status_code == 403
