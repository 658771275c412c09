"""Backup and restore: the database here, the wrapped keys there, and what each is worth alone."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from tests.world import START, Granted, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.archive import ArchiveError
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.migrations import SchemaTooOld
from wallet_api.infra.mongo import open_database
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.sealed_fields import SEALED, check_sealed
from wallet_api.wiring.backups import Restored, RestoreRefused, Safekeeping
from wallet_api.wiring.schema import ready_schema

Db = Database[dict[str, Any]]
NAME, PHONE, DIAGNOSIS = "Nguyễn Rò Rỉ", "+84900099777", "tâm thần phân liệt rò rỉ"
ADDRESS, REASON, WORDS = "fcm-address-of-somebody-0123456789", "nghi ngờ rò rỉ", "rò rỉ trong sổ sự cố"


@dataclass
class Scene:
    """A wallet with somebody's day in it, and both its backups."""

    world: World
    uri: str
    an: Person
    binh: Person
    made: Granted
    data: Path
    keys: Path
    alone: Path

    @property
    def secrets(self) -> tuple[str, ...]:
        return (NAME, "Rò Rỉ", "rò rỉ", PHONE, PHONE[3:], self.an.number, DIAGNOSIS, ADDRESS, REASON, WORDS)


def no_bar(what: str, total: int) -> Callable[[int], None]:
    return lambda count: None


def keeper(scene_world: World, db: Db, keys_dir: Path | None = None) -> Safekeeping:
    folder = keys_dir or scene_world.settings.keys_dir
    return Safekeeping(db, FileKeyStore(folder, create=True), scene_world.services.now, folder, no_bar)


def play(world: World) -> tuple[Person, Person, Granted]:
    an, binh = world.person(NAME, phone=PHONE), world.person()
    world.child_of(an)
    doctor = world.doctor()
    sick = condition(code={"coding": [], "text": DIAGNOSIS})
    sick["code"]["coding"] = [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F20.99"}]
    for who in (an, binh):
        world.send(doctor, bundle(who, sick, immunization()))
        world.send(doctor, bundle(who, condition("c2", on="2025")))
        world.send(doctor, bundle(who, condition("c2", on="2025-06")))
    world.post("/provider/intake/fhir-bundles", doctor, bundle(an, sick, born="1901-01-01"))
    made = world.grant(doctor, an, reason=REASON)
    made.seen()
    world.ask(doctor, an, reason=REASON)
    device = {"platform": "ios", "address_kind": "token", "address": ADDRESS}
    world.call("PUT", "/citizens/me/devices/inst-of-somebody-01", an, device)
    world.call("PUT", "/citizens/me/notification-preferences", an, {"window": {"start": 19, "end": 21}})
    world.services.reminding.dispatch.plan_day(START.date())
    breach = {"detected_at": world.now().isoformat(), "kind": "integrity", "cause": "fault", "data": ["log"]}
    world.post("/ops/breaches", world.ops("reviewer"), breach | {"what": WORDS})
    return an, binh, made


@pytest.fixture(scope="module")
def scene(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    db, folder = open_database(embedded_uri, f"backup_{new_id()}"), tmp_path_factory.mktemp("wallet")
    world, kept = World(db, folder), tmp_path_factory.mktemp("kept")
    an, binh, made = play(world)
    world.services.log.checkpoint()
    keep = keeper(world, db)
    data = keep.back_up(kept / "data")
    keys, _, _ = keep.back_up_keys(kept / "keys")
    assert data.consistency != "ordered" and data.log_faults == () and data.log_rows > 10
    yield Scene(world, embedded_uri, an, binh, made, data.folder, keys, tmp_path_factory.mktemp("alone"))
    world.services.log.close()
    db.client.close()


@pytest.fixture
def empty(embedded_uri: str) -> Iterator[Db]:
    db = open_database(embedded_uri, f"restored_{new_id()}")
    yield db
    db.client.close()


def reads(world: World, who: Person) -> dict[str, Any]:
    """What somebody reads over HTTP, signed in anew."""
    me = world.signed_in(who)
    paths = ("", "/records", "/grants", "/consent-requests", "/family", "/inbox", "/forecast")
    answers = {path: world.get(f"/citizens/me{path}", me) for path in paths}
    found = {path: (each.status_code, found_in(each)) for path, each in answers.items()}
    for request in found["/consent-requests"][1]["items"]:
        # A day or a week from the moment of reading; the last is what was asked for and stands still.
        request["expiry_offers"] = request["expiry_offers"][-1:]
    return found


def test_a_restored_wallet_reads_as_it_was(
    scene: Scene, empty: Db, tmp_path: Path, record_property: Any
) -> None:
    done = keeper(scene.world, empty).restore(scene.data, scene.keys)
    assert done.sealed.broken == [] and done.sealed.without_key == 0 and done.sealed.opened > 20
    assert done.checkpoints >= 1 and done.grants_ended == 0
    empty["oauth_clients"].delete_many({"_id": {"$in": ["app", "console"]}})  # a World registers its own
    again = World(empty, tmp_path, WALLET_KEYS_DIR=str(scene.world.settings.keys_dir))
    again.clock.set_to(scene.world.now())
    for who in (scene.an, scene.binh):
        before, after = reads(scene.world, who), reads(again, who)
        assert after == before and before["/records"][0] == 200 and before["/records"][1]["items"]
    doctor = scene.made.doctor
    fresh = Granted(
        again, type(doctor)(again, *vars_of(doctor)), scene.an, scene.made.grant, scene.made.outcome, ""
    )
    assert fresh.seen() and fresh.withdraw().status_code == 401, "sessions ended with the restore"
    assert empty["sessions"].count_documents({"_id": scene.an.session_id}) == 0
    again.services.log.close()
    record_property("sealed values opened", done.sealed.opened)
    print(
        f"{done.documents} documents, {done.keys} keys, {done.log_rows} log rows, {done.sealed.opened} opened"
    )


def vars_of(doctor: Any) -> tuple[Any, ...]:
    return (doctor.organisation_id, doctor.client_id, doctor.practitioner_id)


def test_every_sealed_value_of_the_story_is_known_to_the_check(scene: Scene) -> None:
    listed = {(one.collection, one.name) for one in SEALED}
    known = {name for name, _ in listed} - {"citizen_keys"}
    found = {
        (name, field)
        for name in scene.world.db.list_collection_names()
        if name != "citizen_keys"
        for each in scene.world.db[name].find({})
        for field, value in each.items()
        if isinstance(value, bytes) and value[:2] == b"\x01\x01" and len(value) >= 32 and field != "hash"
    }
    assert found <= listed, found - listed
    assert {"citizens", "records", "record_versions", "devices", "parked_intakes", "breaches"} <= known
    assert len(found) >= 10, found


def test_the_database_backup_alone_opens_nothing_and_names_nobody(scene: Scene, embedded_uri: str) -> None:
    raw = {path.name: path.read_bytes() for path in scene.data.iterdir()}
    assert "citizen_keys.bson" not in raw and len(raw) > 15
    assert [(name, s) for name, body in raw.items() for s in scene.secrets if s.encode() in body] == []
    thief = open_database(embedded_uri, f"thief_{new_id()}")
    for name, body in raw.items():
        if name.endswith(".bson") and (rows := bson.decode_all(body)):
            thief[name.removesuffix(".bson")].insert_many(rows)
    keys = FileKeyStore(scene.world.settings.keys_dir)  # even with the key-encryption keys
    report = check_sealed(
        thief, CitizenCipher(MongoCitizenKeys(thief), keys, scene.world.now), lambda _: None
    )
    assert report.opened == 0 and report.without_key > 20
    thief.client.close()


def test_wrapped_keys_without_their_key_encryption_key_open_nothing(scene: Scene, tmp_path: Path) -> None:
    other = FileKeyStore(tmp_path / "other", create=True)
    other.prepare(scene.world.now())
    cipher = CitizenCipher(MongoCitizenKeys(scene.world.db), other, scene.world.now)
    report = check_sealed(scene.world.db, cipher, lambda _: None)
    assert report.opened == 0 and len(report.broken) > 20
    kept = b"".join(path.read_bytes() for path in scene.keys.iterdir())
    assert not any(path.read_bytes() in kept for path in scene.world.settings.keys_dir.glob("*.key"))


def test_an_erased_citizen_stays_erased_in_an_older_backup(scene: Scene, empty: Db, tmp_path: Path) -> None:
    db, rows = scene.world.db, MongoCitizenKeys(scene.world.db)
    owned = rows.of_citizen(scene.binh.id)
    assert len(owned) >= 2
    kept = list(db["citizen_keys"].find({"citizen_id": scene.binh.id}))
    try:
        for each in owned:
            rows.remove(each.citizen_id, each.retention_class)
        fresh, _, _ = keeper(scene.world, db).back_up_keys(tmp_path / "keys")
    finally:
        db["citizen_keys"].insert_many(kept)
    done = keeper(scene.world, empty).restore(scene.data, fresh)
    assert done.sealed.owners_without_key == {scene.binh.id} and done.sealed.broken == []
    theirs = fields_of(empty, scene, scene.binh.id)
    assert theirs and not [name for name, opens in theirs if opens], "0 fields of the erased citizen open"
    others = fields_of(empty, scene, scene.an.id)
    assert others and all(opens for _, opens in others), "100 % of the others open"


def fields_of(db: Db, scene: Scene, citizen_id: str) -> list[tuple[str, bool]]:
    keys = FileKeyStore(scene.world.settings.keys_dir)
    cipher = CitizenCipher(MongoCitizenKeys(db), keys, scene.world.now)
    found = []
    for one in SEALED:
        for each in db[one.collection].find({}):
            place = one.place(each)
            if place.citizen_id == citizen_id:
                try:
                    cipher.open(place, bytes(each[one.name]))
                    found.append((one.collection, True))
                except Exception:
                    found.append((one.collection, False))
    return found


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def edit_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


SPOILED: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "flipped byte": (lambda d, k: flip(d / "records.bson"), "records.bson .* not as it was written"),
    "flipped byte of the keys": (lambda d, k: flip(k / "citizen_keys.bson"), "citizen_keys.bson"),
    "missing file": (lambda d, k: (d / "grants.bson").unlink(), "grants.bson .* cannot be read"),
    "cut off": (lambda d, k: (d / "audit_log.bson").write_bytes(b"short"), "audit_log.bson .* 5 bytes"),
    "no manifest": (lambda d, k: (d / "manifest.json").unlink(), "no finished backup"),
    "half a manifest": (lambda d, k: (d / "manifest.json").write_text('{"a"'), "cannot be read"),
    "edited manifest": (lambda d, k: edit_manifest(d, schema={}), "not as one of this wallet's keys signed"),
    "keys for data": (
        lambda d, k: (d / "manifest.json").write_bytes((k / "manifest.json").read_bytes()),
        "not of",
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_backup_is_refused_before_anything_is_written(
    scene: Scene, empty: Db, tmp_path: Path, how: str
) -> None:
    data, keys = copied(scene.data, tmp_path / "d"), copied(scene.keys, tmp_path / "k")
    spoil, says = SPOILED[how]
    spoil(data, keys)
    with pytest.raises(ArchiveError, match=says):
        keeper(scene.world, empty).restore(data, keys)
    assert empty.list_collection_names() == []


def resigned(scene: Scene, folder: Path, **changes: Any) -> None:
    """Somebody with our own signing key made this: a newer release, say."""
    from wallet_api.infra.archive import _signed_bytes
    from wallet_api.infra.crypto.framing import to_base64url

    told = json.loads((folder / "manifest.json").read_text()) | changes
    del told["signature"]
    signer = FileKeyStore(scene.world.settings.keys_dir).signer("backup")
    told["signature"] = {"kid": signer.kid, "value": to_base64url(signer.sign(_signed_bytes(told)))}
    (folder / "manifest.json").write_text(json.dumps(told))


def test_a_backup_of_a_newer_release_is_refused(scene: Scene, empty: Db, tmp_path: Path) -> None:
    data = copied(scene.data, tmp_path / "d")
    resigned(scene, data, schema={"0001": 2, "0099": 1})
    with pytest.raises(RestoreRefused, match=r"newer release \(migration 0099"):
        keeper(scene.world, empty).restore(data, scene.keys)
    assert empty.list_collection_names() == []


def test_a_log_that_does_not_fit_its_checkpoint_leaves_nothing(
    scene: Scene, empty: Db, tmp_path: Path
) -> None:
    data = copied(scene.data, tmp_path / "d")
    rows = bson.decode_all((data / "audit_log.bson").read_bytes())[:-1]  # the end of the log is cut off
    body = b"".join(bson.encode(each) for each in rows)
    (data / "audit_log.bson").write_bytes(body)
    manifest = json.loads((data / "manifest.json").read_text())
    import hashlib

    for each in manifest["files"]:
        if each["name"] == "audit_log":
            each |= {"bytes": len(body), "documents": len(rows), "sha256": hashlib.sha256(body).hexdigest()}
    resigned(scene, data, files=manifest["files"])
    with pytest.raises(RestoreRefused, match=r"Entry \d+ of log .* Nothing was restored"):
        keeper(scene.world, empty).restore(data, scene.keys)
    assert empty.list_collection_names() == [], "nothing half-restored"


def test_only_an_empty_database_is_restored_into(scene: Scene) -> None:
    before = scene.world.db["records"].count_documents({})
    with pytest.raises(RestoreRefused, match="not empty"):
        keeper(scene.world, scene.world.db).restore(scene.data, scene.keys)
    assert scene.world.db["records"].count_documents({}) == before


def test_a_restore_that_died_is_not_served_from_and_is_done_anew(scene: Scene, empty: Db) -> None:
    empty["schema_migrations"].insert_one({"_id": "restore", "from": "x"})
    empty["records"].insert_one({"_id": "half"})
    with pytest.raises(SchemaTooOld, match="not finished"):
        ready_schema(scene.world.settings, empty, scene.world.services.now)
    done: Restored = keeper(scene.world, empty).restore(scene.data, scene.keys)
    assert done.sealed.broken == [] and empty["records"].find_one({"_id": "half"}) is None
    ready_schema(scene.world.settings, empty, scene.world.services.now)


def test_backups_of_wrapped_keys_live_31_days(scene: Scene, empty: Db, tmp_path: Path) -> None:
    now, kept = scene.world.now(), tmp_path / "keys"

    def made(days: float) -> Path:
        later = lambda: now + timedelta(days=days)  # noqa: E731 - a clock of its own
        folder = scene.world.settings.keys_dir
        return Safekeeping(scene.world.db, FileKeyStore(folder), later, folder, no_bar).back_up_keys(kept)[0]

    old, newer = made(-31.1), made(-30.9)
    assert old.exists()
    fresh, _, gone = keeper(scene.world, scene.world.db).back_up_keys(kept)
    assert (gone, old.exists(), newer.exists(), fresh.exists()) == (1, False, True, True)
    late = made(-40)
    with pytest.raises(RestoreRefused, match="older than 31 days"):
        keeper(scene.world, empty).restore(scene.data, late)
    assert empty.list_collection_names() == []


def test_keys_and_data_are_never_put_in_one_place(scene: Scene, tmp_path: Path) -> None:
    keep, keys_dir = keeper(scene.world, scene.world.db), scene.world.settings.keys_dir
    for to in (keys_dir, keys_dir / "inside", keys_dir.parent):
        with pytest.raises(RestoreRefused, match="lie in one another"):
            keep.back_up_keys(to)
    for act, to in ((keep.back_up_keys, scene.data.parent), (keep.back_up, scene.keys.parent)):
        with pytest.raises(RestoreRefused, match="kept apart"):
            act(to)  # type: ignore[operator]  # two methods of one shape


def test_a_backup_under_writes_is_of_one_moment(scene: Scene, empty: Db, tmp_path: Path) -> None:
    db, stop = scene.world.db, threading.Event()
    db["aa_first"].insert_one({"_id": 1, "n": 0})
    db["zz_last"].insert_one({"_id": 1, "n": 0})

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            for name in ("aa_first", "zz_last"):
                db[name].update_one({"_id": 1}, {"$set": {"n": number}})

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        made = keeper(scene.world, db).back_up(tmp_path / "data")
    finally:
        stop.set()
        thread.join(60)
        for name in ("aa_first", "zz_last"):
            db.drop_collection(name)
    first, last = (
        bson.decode_all((made.folder / f"{name}.bson").read_bytes())[0]["n"]
        for name in ("aa_first", "zz_last")
    )
    assert made.consistency in ("snapshot", "transaction") and 0 <= first - last <= 1
