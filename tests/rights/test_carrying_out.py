"""The copy and the erasure, over HTTP and the real database, backups included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.rights.steps import acknowledged, asked, completed, step
from tests.world import Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, open_database
from wallet_api.rights.erasure import SETTLES_AFTER
from wallet_api.rights.rules import RULES
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.erasures import OWNED, WORDS
from wallet_api.stores.push_days import MongoPushDays
from wallet_api.stores.sealed_fields import SEALED
from wallet_api.wiring.backups import Safekeeping

DEVICE = {"platform": "ios", "address_kind": "token", "locale": None}


def no_bar(what: str, total: int) -> Callable[[int], None]:
    return lambda _: None


def live(world: World, who: Person) -> None:
    """Somebody uses the wallet: an app, preferences, a message, a plan."""
    app = f"inst-{new_id()}"
    done = world.call("PUT", f"/citizens/me/devices/{app}", who, DEVICE | {"address": new_id() * 2})
    assert done.status_code == 200, done.get_data(as_text=True)
    world.call("PUT", "/citizens/me/notification-preferences", who, {"window": {"start": 19, "end": 21}})
    world.services.reminding.planning.replan(who.id)
    set_commune = world.call("PUT", "/citizens/me/vaccination-commune", who, {"commune": "00004"})
    assert set_commune.status_code == 200
    days = MongoPushDays(world.db)
    days.claim(vn_day(world.now()), "a push", {who.id: days.last([who.id]).get(who.id)})


def owned(world: World, whose: str, *classes: str) -> int:
    return sum(
        world.db[name].count_documents({field: whose})
        for each in classes
        for name, fields in OWNED[each].items()
        for field in fields
    )


def settle(world: World) -> int:
    return world.services.rights.settle()


# --- the copy --------------------------------------------------------------------------------------------


def test_the_copy_holds_everything_and_is_logged_first(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    made = world.grant(doctor, an)
    made.seen()
    request = asked(world, an, "copy")
    path = f"/citizens/me/rights-requests/{request['id']}/copy"
    assert world.get(path, an).status_code == 409, "not before it was carried out"
    completed(world, request)
    assert world.get(path, world.signed_in(an, timedelta(minutes=6))).status_code == 401
    answer = world.get(path, an)
    copy = found_in(answer)
    assert answer.headers["Cache-Control"] == "no-store" and copy["complete"] is True
    assert copy["records"]["type"] == "collection"
    kinds = {each["resource"]["resourceType"] for each in copy["records"]["entry"]}
    assert kinds == {"Condition", "Immunization"} and len(copy["provenance"]) == 2
    assert [each["id"] for each in copy["consents"]] == [made.grant["id"]]
    assert copy["citizen"]["name"] == an.name and an.number not in answer.get_data(as_text=True)
    actions = [each["action"] for each in copy["access_log"]]
    assert "record:exported" in actions and "record:searched" in actions and "access:started" in actions
    stranger = world.person()
    other = world.get(path, stranger)
    assert other.status_code == 404


def test_a_guardians_copy_lacks_what_is_hidden(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    girl = world.child_of(an, date(2011, 2, 1))
    world.send(doctor, bundle(girl, condition(), immunization()))
    items = found_in(world.get("/citizens/me/records?category=condition", girl))["items"]
    path = f"/citizens/me/records/{items[0]['id']}/visibility"
    assert world.call("PUT", path, girl, {"audience": "guardians", "hidden": True}).status_code == 204
    hers = asked(world, girl, "restrict")
    request = completed(world, asked(world, an, "copy", citizen=girl.id))
    copy = world.get(f"/citizens/{girl.id}/rights-requests/{request['id']}/copy", an)
    found = found_in(copy)
    assert [each["resource"]["resourceType"] for each in found["records"]["entry"]] == ["Immunization"]
    text = copy.get_data(as_text=True)
    assert items[0]["id"] not in text and "record:hidden" not in text and hers["id"] not in text


def test_no_log_no_copy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from wallet_api.audit.errors import LogUnavailable

    an = world.person()
    request = completed(world, asked(world, an, "copy"))

    def down(event: object) -> str:
        raise LogUnavailable("down")

    monkeypatch.setattr(world.services.log, "append", down)
    answer = world.get(f"/citizens/me/rights-requests/{request['id']}/copy", an)
    assert answer.status_code == 503 and an.name not in answer.get_data(as_text=True)


# --- erasure ---------------------------------------------------------------------------------------------


def test_without_medical_records_everything_goes(world: World) -> None:
    an = world.person()
    live(world, an)
    request = asked(world, an, "erase", details="Xóa hết")
    done = completed(world, request)
    assert (done["state"], done["erasure"]["kept"]) == ("carrying_out", [])
    assert {each["code"] for each in done["erasure"]["erased"]} == set(RULES.classes)
    assert owned(world, an.id, "reminders", "profile") == 0
    assert MongoCitizenKeys(world.db).of_citizen(an.id) == ()
    for name in ("identifiers", "accounts"):
        assert world.db[name].count_documents({"citizen_id": an.id}) == 0
    assert world.get("/citizens/me", an).status_code == 401, "signed out everywhere"
    assert done["details"] is None and settle(world) == 0, "not before no process can hold a key"
    world.forward(seconds=SETTLES_AFTER.total_seconds() + 1)
    assert settle(world) >= 1
    seen = found_in(world.get(f"/ops/rights-requests/{request['id']}", world.ops("reviewer")))
    assert (seen["state"], seen["details"]) == ("completed", None)
    stone = world.db["tombstones"].find_one({"citizen_id": an.id})
    assert stone is not None and stone["_id"] != an.id and an.number not in repr(stone)
    told = [each.event for each in world.services.log.entries(an.id) if each.event.action == "data:erased"]
    assert told and all(each.detail["tombstone"] == stone["_id"] for each in told)
    again = world.services.identity.people.register(
        world.services.identity.people.profile(world.person().id), []
    )
    assert again != an.id


def test_what_the_law_keeps_is_restricted_with_the_reason(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    live(world, an)
    done = completed(world, asked(world, an, "erase"))
    kept = {each["code"]: each for each in done["erasure"]["kept"]}
    assert set(kept) == {"clinical", "profile"} and "Circular 33/2025" in kept["clinical"]["law"]
    assert kept["clinical"]["until"] == "10 years after death"
    assert owned(world, an.id, "reminders") == 0 and owned(world, an.id, "profile") == 1
    assert made.open().status_code == 403, "kept, but read by no provider"
    back = world.signed_in(an)
    assert len(found_in(world.get("/citizens/me/records", back))["items"]) == 1
    mine = found_in(world.get(f"/citizens/me/rights-requests/{done['id']}", back))
    assert {each["code"] for each in mine["erasure"]["kept"]} == {"clinical", "profile"}
    live(world, back)  # a person who comes back has keys of a new time
    fresh = owned(world, an.id, "reminders")
    world.forward(seconds=SETTLES_AFTER.total_seconds() + 1)
    settle(world)
    assert owned(world, an.id, "reminders") == fresh > 0, "the second sweep takes only what is dead"
    back = world.signed_in(an)
    assert found_in(world.get(f"/citizens/me/rights-requests/{done['id']}", back))["state"] == "completed"
    assert world.get("/citizens/me/notification-preferences", back).status_code == 200


def test_what_a_process_wrote_with_a_key_it_held_is_swept(world: World) -> None:
    an = world.person()
    other = CitizenCipher(MongoCitizenKeys(world.db), world.services.keys, world.services.now)
    live(world, an)
    other.keys.existing(an.id, "reminders")  # another process holds it open
    done = completed(world, asked(world, an, "erase"))
    place = next(one for one in SEALED if one.collection == "due_items").place
    row = {"_id": an.id, "revision": 1}
    late = row | {"items": other.seal_json(place(row), {"items": []}), "shard": 0, "review_on": None}
    world.db["due_items"].insert_one(late)
    assert owned(world, an.id, "reminders") == 1
    world.forward(seconds=SETTLES_AFTER.total_seconds() + 1)
    settle(world)
    assert owned(world, an.id, "reminders") == 0
    with pytest.raises(SealBroken):
        CitizenCipher(other.keys._rows, world.services.keys, world.services.now).keys.existing(
            an.id, "reminders"
        )
    seen = found_in(world.get(f"/ops/rights-requests/{done['id']}", world.ops("reviewer")))
    assert seen["state"] == "completed"


@pytest.mark.parametrize("broken", ["bury", "destroy_keys", "delete"])
def test_a_half_done_erasure_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    an = world.person()
    live(world, an)
    made = acknowledged(world, asked(world, an, "erase"))
    carrying = world.services.rights._carrying

    def dies(*_: object) -> None:
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(carrying, broken, dies)
        assert step(world, made, "completion", {}).status_code == 500
    assert owned(world, an.id, "reminders", "profile") > 0
    half = found_in(world.get(f"/ops/rights-requests/{made['id']}", world.ops("reviewer")))
    assert half["state"] == "carrying_out" and half["erasure"]["settles_at"] is None
    settle(world)
    assert owned(world, an.id, "reminders", "profile") == 0
    world.forward(seconds=SETTLES_AFTER.total_seconds() + 1)
    settle(world)
    done = found_in(world.get(f"/ops/rights-requests/{made['id']}", world.ops("reviewer")))
    assert done["state"] == "completed"
    assert world.db["tombstones"].count_documents({"citizen_id": an.id}) == 1


def test_every_sealed_field_of_a_person_is_erased_or_kept_on_purpose(world: World) -> None:
    """A retention class that the rules do not know would outlive every erasure in silence."""
    whose = {"organisation", "breaches"}
    for one in SEALED:
        found = world.db[one.collection].find_one({})
        if found is None:
            continue
        place = one.place(found)
        if place.citizen_id.startswith(("outbox-", "audience-")):
            continue
        assert place.retention_class in set(RULES.classes) | whose, one.collection
        if place.retention_class in OWNED:
            assert one.collection in {*OWNED[place.retention_class], *WORDS}, one.collection


def test_an_erased_person_stays_erased_in_an_older_backup(
    embedded_uri: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    db = open_database(embedded_uri, f"erased_{new_id()}")
    world = World(db, tmp_path_factory.mktemp("erased"))
    gone, sick, other = world.person(), world.person(), world.person()
    doctor = world.doctor()
    for who in (sick, other):
        world.send(doctor, bundle(who, condition()))
    for who in (gone, sick, other):
        live(world, who)
    keep = keeper(world, db)
    older = keep.back_up(tmp_path / "data").folder
    for who in (gone, sick):
        completed(world, asked(world, who, "erase"))
    keys, _, _ = keep.back_up_keys(tmp_path / "keys")
    with monkeypatch.context() as patch:
        patch.setattr(Safekeeping, "_erase_again", lambda _: None)  # only the keys speak
        found = restored(world, embedded_uri, older, keys, (gone, sick, other))
    assert found[gone.id] and not any(found[gone.id].values()), "0 fields of the erased open"
    assert all(found[other.id].values()), "100 % of the others open"
    kept = {"citizens", "records", "book_fronts"}  # a front page goes with the records it points at
    assert {name for name, opens in found[sick.id].items() if opens} == kept
    found = restored(world, embedded_uri, older, keys, (gone, sick, other))
    assert found[gone.id] == {} and set(found[sick.id]) == kept, "and what does not open is gone again"
    assert all(found[other.id].values()) and len(found[other.id]) > len(kept)
    world.services.log.close()
    db.client.close()


def restored(
    world: World, uri: str, data: Path, keys: Path, people: tuple[Person, ...]
) -> dict[str, dict[str, bool]]:
    db = open_database(uri, f"restored_{new_id()}")
    done = keeper(world, db).restore(data, keys)
    assert done.sealed.broken == [] and done.keys > 3
    found = {who.id: opened(world, db, who.id) for who in people}
    numbers = {each["citizen_id"] for each in db["identifiers"].find({})}
    if not found[people[0].id]:
        assert people[0].id not in numbers and {people[1].id, people[2].id} <= numbers
    db.client.close()
    return found


def keeper(world: World, db: Db) -> Safekeeping:
    folder = world.settings.keys_dir
    return Safekeeping(db, FileKeyStore(folder, create=True), world.services.now, folder, no_bar)


def opened(world: World, db: Db, citizen_id: str) -> dict[str, bool]:
    cipher = CitizenCipher(MongoCitizenKeys(db), FileKeyStore(world.settings.keys_dir), world.services.now)
    found: dict[str, bool] = {}
    for one in SEALED:
        for each in db[one.collection].find({}):
            place = one.place(each)
            if place.citizen_id == citizen_id and one.name in each:
                try:
                    cipher.open(place, bytes(each[one.name]))
                    found[one.collection] = found.get(one.collection, True)
                except SealBroken:
                    found[one.collection] = False
    return found
