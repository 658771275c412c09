"""What a citizen is given to prove that an entry is in the log, and a guardian is not."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import date
from typing import Any

import pytest

from tests.world import Granted, Person, World, bundle, condition, found_in
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.log import AccessLog
from wallet_api.audit.verifier import check, keys_of
from wallet_api.infra.ids import id_from_bytes, new_id
from wallet_api.stores.audit_log import MongoAuditLog


def a_grant(shared_world: World) -> Granted:
    an, doctor = shared_world.person(), shared_world.doctor()
    shared_world.send(doctor, bundle(an, condition()))
    made = shared_world.grant(doctor, an)
    made.seen()
    return made


@pytest.fixture(scope="module")
def granted(shared_world: World) -> Granted:
    return a_grant(shared_world)


@pytest.fixture
def to_be_spoilt(shared_world: World) -> Granted:
    """Of a citizen of its own: for what adds to a log, or damages it."""
    return a_grant(shared_world)


def lines(world: World, who: Person, whose: str = "me") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = found_in(world.get(f"/citizens/{whose}/access-log?limit=100", who))["items"]
    return found


def proof(world: World, who: Person, line: str, whose: str = "me", query: str = "") -> Any:
    return world.get(f"/citizens/{whose}/access-log/{line}/proof{query}", who)


def test_every_line_of_the_list_is_proven_to_whom_has_only_the_keys(granted: Granted) -> None:
    world, an = granted.world, granted.person
    keys = keys_of(found_in(world.get("/.well-known/checkpoint-jwks.json")))
    told = lines(world, an)
    assert len(told) >= 5
    for line in told:
        found = found_in(proof(world, an, line["id"]))
        assert f"Entry {found['leaf_index']} is in log" in check(found, keys)
        event = found["event"]
        assert (event["action"], event["decision"]) == (line["action"], line["decision"])
        assert event["citizen_id"] == an.id


def test_a_log_is_shown_to_have_only_grown(granted: Granted) -> None:
    world, an = granted.world, granted.person
    keys = keys_of(found_in(world.get("/.well-known/checkpoint-jwks.json")))
    before = found_in(proof(world, an, lines(world, an)[-1]["id"]))
    granted.seen()
    line, size = lines(world, an)[0]["id"], before["tree_size"]
    after = found_in(proof(world, an, line, query=f"?since={size}"))
    assert after["tree_size"] > size
    assert f"first {size} entries" in check(after, keys, before["checkpoint"])
    for since, code in ((10**9, "unknown_code"), (0, "invalid_fields")):
        refused = proof(world, an, line, query=f"?since={since}")
        assert (refused.status_code, found_in(refused)["code"]) == (422, code)


def test_the_receipt_is_in_the_log(granted: Granted) -> None:
    world, an = granted.world, granted.person
    receipt = found_in(world.get(f"/citizens/me/grants/{granted.grant['id']}/receipt", an))["receipt"]
    payload = receipt.split(".")[1]
    signed = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    (line,) = [each for each in lines(world, an) if each["action"] == "consent:granted"]
    event = found_in(proof(world, an, line["id"]))["event"]
    assert event["detail"] == {"receipt_sha256": hashlib.sha256(signed).hexdigest()}
    assert json.loads(signed)["grant_id"] == event["grant_id"]


def test_nobody_elses_entry_is_proven(granted: Granted) -> None:
    world, an, binh = granted.world, granted.person, granted.world.person()
    theirs = world.get("/citizens/me/records", binh)
    assert theirs.status_code == 200
    (line, *_), (other, *_) = lines(world, an), lines(world, binh)
    services = world.services
    entry = services.log.entries(an.id)[0]
    place = id_from_bytes(entry.seq.to_bytes(16, "big"))
    forged = services.references.seal(binh.id, "log-entry", entry.log_id, place)
    beyond = services.references.seal(an.id, "log-entry", entry.log_id, id_from_bytes(bytes([255]) * 16))
    for who, text in ((an, other["id"]), (binh, line["id"]), (binh, forged), (an, beyond), (an, new_id())):
        refused = proof(world, who, text)
        assert (refused.status_code, found_in(refused)["code"]) == (404, "not_found"), text
    assert proof(world, an, line["id"], whose=binh.id).status_code == 404
    assert proof(world, binh, line["id"], whose=an.id).status_code == 404


def test_a_guardian_is_given_what_the_list_shows_whole_and_nothing_else(shared_world: World) -> None:
    world, mother = shared_world, shared_world.person()
    girl, doctor = world.child_of(mother, date(2011, 2, 1)), world.doctor()
    world.send(doctor, bundle(girl, condition()))
    made = world.grant(doctor, girl)
    made.seen()
    record = found_in(world.get("/citizens/me/records", girl))["items"][0]["id"]
    hide = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"/citizens/me/records/{record}/visibility", girl, hide).status_code == 204
    world.get(f"/citizens/{girl.id}/records", mother)
    own, shown = lines(world, girl), lines(world, mother, girl.id)
    names = {each["id"] for each in shown}
    given = {each["id"]: proof(world, mother, each["id"], girl.id).status_code for each in own}
    assert {each for each, status in given.items() if status == 200} <= names
    told = {each["id"]: each["action"] for each in own}
    closed = {told[each] for each, status in given.items() if status == 404}
    opened = {told[each] for each, status in given.items() if status == 200}
    assert {"record:hidden", "record:written"} <= closed
    assert "consent:requested" in opened
    mine = [each for each in shown if each["action"] == "record:searched" and each["actor"]["name"] == "Bạn"]
    assert mine and all(given[each["id"]] == 200 for each in mine)
    assert all(proof(world, girl, each["id"]).status_code == 200 for each in own)


def test_an_entry_of_another_process_waits_for_its_checkpoint(to_be_spoilt: Granted) -> None:
    world, an = to_be_spoilt.world, to_be_spoilt.person
    other = AccessLog(MongoAuditLog(world.db), world.now, CheckpointSigner(world.services.keys))
    written = world.services.log.entries(an.id)[0].event
    entry_id = other.append(written)
    log_id, seq = entry_id.split("~")[1:]
    line = world.services.references.seal(
        an.id, "log-entry", log_id, id_from_bytes(int(seq).to_bytes(16, "big"))
    )
    refused = proof(world, an, line)
    assert (refused.status_code, found_in(refused)["code"]) == (409, "proof_pending")
    other.close()


def test_a_damaged_log_proves_nothing(to_be_spoilt: Granted) -> None:
    world, an = to_be_spoilt.world, to_be_spoilt.person
    line, entry = lines(world, an)[0]["id"], world.services.log.entries(an.id)[0]
    documents = world.db["audit_log"]
    group = documents.find_one({"log_id": entry.log_id, "rows.seq": entry.seq})
    assert group is not None
    spoiled = [row | {"event": row["event"] | {"reason": "x"}} for row in group["rows"]]
    documents.update_one({"_id": group["_id"]}, {"$set": {"rows": spoiled}})
    refused = proof(world, an, line)
    documents.update_one({"_id": group["_id"]}, {"$set": {"rows": group["rows"]}})
    assert (refused.status_code, found_in(refused)["code"]) == (409, "log_damaged")
    assert proof(world, an, line).status_code == 200
