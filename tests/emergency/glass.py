"""Emergencies as tests speak of them."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from tests.fhir import bundle, condition, immunization, labelled
from tests.world import Doctor, Json, Person, World, found_in

PATH = "/provider/emergency-access"
PURPOSES = ("TREAT", "BTG")


def hospital(world: World, **more: Any) -> Doctor:
    """A doctor of an organisation that may break the glass."""
    return world.doctor(purposes=more.pop("purposes", PURPOSES), **more)


def need(person: Person | str, **over: Any) -> Json:
    """What a doctor in a hurry sends."""
    number = person if isinstance(person, str) else person.number
    told = {"reason_code": "unconscious", "reason": "found on the road"}
    return {"citizen": {"national_id": number}, **told} | over


def broken(world: World, doctor: Doctor, person: Person | str, **over: Any) -> TestResponse:
    """Break the glass; the person is told when the answer is out."""
    answer = world.post(PATH, doctor, need(person, **over))
    answer.get_data()
    answer.close()
    return answer


def opened(world: World, doctor: Doctor, person: Person | str, **over: Any) -> Json:
    """Break the glass; it must work."""
    answer = broken(world, doctor, person, **over)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def read(world: World, doctor: Doctor, access: Json, path: str = "") -> TestResponse:
    """Read in the session an emergency opened."""
    url = f"/provider/citizens/{access['citizen_ref']}/records{path}"
    return world.get(url, doctor, headers={"Access-Session": access["access_session"]["id"]})


def seen(world: World, doctor: Doctor, access: Json) -> list[Json]:
    """What is read there."""
    answer = read(world, doctor, access)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def filled(world: World, **more: Any) -> Person:
    """Somebody with a condition, a restricted condition, a hidden one and a dose on record."""
    person, author = world.person(**more), world.doctor()
    rows = [condition("plain"), labelled(condition("secret"), "HIV"), condition("hidden"), immunization()]
    world.send(author, bundle(person, *rows))
    for each in found_in(world.get("/citizens/me/records", person))["items"]:
        if each["resource"]["id"] == "hidden":
            path = f"/citizens/me/records/{each['id']}/visibility"
            hide = {"audience": "providers", "hidden": True}
            assert world.call("PUT", path, person, hide).status_code == 204
    return person


def log_of(world: World, person: Person) -> list[Json]:
    """The newest lines of a person's access log."""
    return list(found_in(world.get("/citizens/me/access-log?limit=20", person))["items"])


def inbox_of(world: World, person: Person) -> list[Json]:
    """A person's messages."""
    return list(found_in(world.get("/citizens/me/inbox", person))["items"])
