"""A guardian's every answer is, byte for byte, as if what is hidden or flagged had never been."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest

from tests.api.test_companions import DAY, IPV, hide
from tests.day_runs import run_on
from tests.emergency import glass
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.ids import new_id

_IDS = re.compile(rb'"[a-z2-7]{26}"|"[A-Za-z0-9_.-]{22,}"|(?<=AuditEvent/)[A-Za-z0-9_.-]{22,}')
_TIMES = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z")
READS = (
    "/citizens/{child}",
    "/citizens/{child}/records",
    "/citizens/{child}/records?category=immunization",
    "/citizens/{child}/records?category=condition&limit=1",
    "/citizens/{child}/forecast",
    "/citizens/{child}/reminders",
    "/citizens/{child}/reminders.ics?titles=full",
    "/citizens/{child}/vaccination-commune",
    "/citizens/{child}/access-log?limit=1",
    "/citizens/{child}/access-log?limit=100",
    "/citizens/{child}/consent-requests",
    "/citizens/{child}/grants",
    "/citizens/{child}/grants/review",
    "/citizens/{child}/blocked-organisations",
    "/citizens/{child}/erasure-duties",
    "/fhir/Consent?patient={child}",
    "/fhir/AuditEvent?patient={child}",
    "/citizens/me/inbox",
    "/citizens/me/digests",
    "/citizens/me/family",
    "/citizens/me/access-log",
)


Answers = dict[str, tuple[int, bytes, list[str]]]


def answers(world: World, guardian: Person, child: Person) -> Answers:
    """All that the guardian is answered, with ids, times and names of these very people masked."""
    found = {}
    for path in READS:
        answer = world.get(path.format(child=child.id), guardian)
        plain = in_order(path, answer.get_data()).replace(child.id.encode(), b"#" * len(child.id))
        # Ids first: some id or other holds the four digits of a number.
        masked = _TIMES.sub(b"-", _IDS.sub(b'"-"', plain)).replace(child.number[-4:].encode(), b"####")
        # A cursor holds a place in the log of the whole wallet: its length tells how much others did.
        left_out = ("Request-Id", "Date", *(("Content-Length",) if "limit=1" in path else ()))
        left_out += ("ETag",) if ".ics" in path else ()  # made of ids, as it must be
        names = sorted(f"{k}: {v}" for k, v in answer.headers if k not in left_out)
        found[path] = (answer.status_code, masked, names)
    return found


def in_order(path: str, plain: bytes) -> bytes:
    """Lists that stand in the order of random ids, in one that two families share."""
    if ".ics" in path:
        lines = plain.splitlines()
        return b"\n".join(sorted(each for each in lines if not each.startswith((b"UID:", b"DTSTAMP:"))))
    if not path.endswith(("/reminders", "/inbox", "/digests")):
        return plain
    body = json.loads(plain)
    messages = [each["messages"] for row in body["items"] for each in row.get("people", ())]
    for listed in messages or [body["items"]]:
        listed.sort(key=lambda each: (each["title"], each.get("body", ""), each.get("dose", 0)))
        for each in listed if messages else ():
            each["id"] = "-" * 26
    for row in body["items"] if messages else ():
        row["id"] = "-" * 26
    return json.dumps(body).encode()


def told_apart(seen: Answers, expected: Answers) -> str:
    """What the first answer that differs says in one family alone."""
    path = next(each for each in READS if seen[each] != expected[each])
    lines = [set(each[path][1].replace(b"},", b"},\n").splitlines()) for each in (seen, expected)]
    return f"{path}: {lines[0] - lines[1]} and {lines[1] - lines[0]}, {seen[path][2]}"


def family(world: World, doctor: Doctor) -> tuple[Person, Person]:
    guardian = world.person("Nguyễn Thị Mẹ", date(1990, 5, 4))
    child = world.child_of(guardian)
    world.send(doctor, bundle(child, condition("known"), immunization("open", "05", on="2026-10-02")))
    return guardian, child


@pytest.fixture(scope="module")
def doctor(shared_world: World) -> Doctor:
    return shared_world.doctor()


def pushed(world: World, child: Person, guardian: Person) -> list[tuple[str, int, str]]:
    """What the guardian is pushed about the child."""
    found = world.services.reminding.reminders.of_citizen(child.id)
    mine = [each for each in found if each.recipient_id == guardian.id and each.state.value != "cancelled"]
    return sorted((each.series_id, each.dose, each.state.value) for each in mine)


def test_a_hidden_item_leaves_no_trace(world: World, doctor: Doctor) -> None:
    (mother, child), (other, twin) = family(world, doctor), family(world, doctor)
    visit = world.doctor(name="Phòng khám kín")
    world.send(visit, bundle(child, immunization("secret", IPV, on="2026-10-05"), condition("shame")))
    for name in ("secret", "shame"):
        record = hide(world, child, name)
        assert world.get(f"/citizens/me/records/{record}", child).status_code == 200
        assert world.get(f"/citizens/{child.id}/records/{record}", mother).status_code == 404
        # What both families see being done is the same.
        world.get("/citizens/me/records", twin)
        assert world.get(f"/citizens/{twin.id}/records/{new_id()}", other).status_code == 404
    for whose in (child, twin):
        world.services.reminding.planning.review(whose.id, DAY)
    run_on(world, DAY, mother, child, other, twin)
    seen, expected = answers(world, mother, child), answers(world, other, twin)
    assert [path for path in READS if seen[path] != expected[path]] == [], told_apart(seen, expected)
    assert pushed(world, child, mother) == pushed(world, twin, other)


def _unknown_by_name(world: World, guardian: Person, child: Person) -> None:
    """A flagged request and a flagged grant are nothing to the guardian, whoever told their names."""
    request, grant = (
        found_in(world.get(f"/citizens/me/{what}", child))["items"][0]["id"]
        for what in ("consent-requests", "grants")
    )
    requests, grants = (f"/citizens/{child.id}/{what}" for what in ("consent-requests", "grants"))
    for path in (
        f"{requests}/{request}",
        f"{requests}/{request}/preview",
        f"{grants}/{grant}",
        f"{grants}/{grant}/preview",
        f"{grants}/{grant}/receipt",
        f"/fhir/Consent/{grant}",
    ):
        assert world.get(path, child).status_code == 200, path
        assert world.get(path, guardian).status_code == 404, path
    for path in (f"{requests}/{request}/refusal", f"{grants}/{grant}/withdrawal"):
        assert world.post(path, guardian, {}).status_code == 404, path


@pytest.mark.parametrize("by", ["practitioner", "ops"])
def test_a_safety_flag_leaves_no_trace(world: World, doctor: Doctor, by: str) -> None:
    (mother, child), (other, twin) = family(world, doctor), family(world, doctor)
    shelter = world.doctor(name="Phòng khám kín", purposes=glass.PURPOSES)
    body: Json = {"kind": "child_abuse", "since": world.now().isoformat()}
    world.send(shelter, bundle(child, condition("bruise")))
    if by == "practitioner":
        (own,) = found_in(world.get("/provider/own-records", shelter))["items"]
        made = world.post("/provider/safety-flags", shelter, body | {"record_ref": own["id"]})
    else:
        named = {"citizen_id": child.id, "organisation_id": shelter.organisation_id}
        made = world.post("/ops/safety-flags", world.ops("reviewer"), body | named)
    assert made.status_code == 201, made.get_data(as_text=True)
    world.send(shelter, bundle(child, immunization("secret", IPV, on="2026-11-02")))
    world.ask(shelter, child)
    glass.opened(world, shelter, child)
    for whose in (child, twin):
        world.services.reminding.planning.review(whose.id, DAY)
    run_on(world, DAY, mother, child, other, twin)
    seen, expected = answers(world, mother, child), answers(world, other, twin)
    assert [path for path in READS if seen[path] != expected[path]] == [], told_apart(seen, expected)
    assert pushed(world, child, mother) == pushed(world, twin, other)
    _unknown_by_name(world, mother, child)
    mine = {each["resource"]["id"] for each in found_in(world.get("/citizens/me/records", child))["items"]}
    assert len(mine) == 4, "the person's own book is whole"
    flag = found_in(made)["id"]
    assert world.call("DELETE", f"/ops/safety-flags/{flag}", world.ops("reviewer")).status_code == 204
    lifted = found_in(world.get(f"/citizens/{child.id}/records", mother))["items"]
    assert len(lifted) == 4
    assert world.call("DELETE", f"/ops/safety-flags/{new_id()}", world.ops("reviewer")).status_code == 404


def test_what_a_person_hid_stays_hidden_when_a_flag_is_lifted(world: World, doctor: Doctor) -> None:
    mother, child = family(world, doctor)
    world.send(doctor, bundle(child, condition("shame")))
    record = hide(world, child, "shame")
    named = {"citizen_id": child.id, "organisation_id": doctor.organisation_id}
    body = {"kind": "domestic_violence", "since": "2026-01-01T00:00:00Z"} | named
    flag = found_in(world.post("/ops/safety-flags", world.ops("reviewer"), body))["id"]
    assert found_in(world.get(f"/citizens/{child.id}/records", mother))["items"] == []
    world.call("DELETE", f"/ops/safety-flags/{flag}", world.ops("reviewer"))
    left = found_in(world.get(f"/citizens/{child.id}/records", mother))["items"]
    assert len(left) == 2 and record not in str(left)


def test_a_guardian_is_reminded_by_what_a_guardian_knows(world: World, doctor: Doctor) -> None:
    _, child = family(world, doctor)
    world.send(doctor, bundle(child, immunization("secret", IPV, on="2026-01-10")))
    planning = world.services.reminding.planning
    planning.review(child.id, DAY)
    doses = {
        each.dose
        for each in world.services.reminding.reminders.of_citizen(child.id)
        if each.series_id == "ipv" and each.state.value == "planned"
    }
    assert doses == {2}
    hide(world, child, "secret")
    planning.review(child.id, DAY)
    live = {
        each.dose
        for each in world.services.reminding.reminders.of_citizen(child.id)
        if each.series_id == "ipv" and each.state.value == "planned"
    }
    assert live == {1}, "as if it had never been given"
