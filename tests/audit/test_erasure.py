"""What the log keeps of a person who was erased: pseudonyms and acts, nothing that was said of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pymongo

from tests.logged import logged
from tests.words import says
from tests.world import World, bundle, condition
from wallet_api.audit.model import AuditEvent
from wallet_api.audit.verify import verify_all
from wallet_api.infra.ids import is_id
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.stores.citizen_keys import COLLECTION as KEYS

PAGE = Path(__file__).parents[2] / "docs/decisions/26-what-survives-an-erasure.md"
KEPT = {
    *("at", "request_id", "action", "actor_kind", "actor_id", "decision", "reason", "citizen_id"),
    *("organisation_id", "practitioner_id", "acting_for", "purpose", "grant_id", "client_id"),
    *("record_count", "categories", "detail"),
}
"""Every field that docs/decisions/26 gives a reason for."""


def test_every_field_that_survives_is_written_down_with_its_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(AuditEvent.__dataclass_fields__) == KEPT
    assert {name for name in KEPT if f"`{name}`" not in page} == set()


def test_an_erased_person_is_left_in_the_log_as_a_pseudonym(shared_world: World) -> None:
    world, an, doctor = shared_world, shared_world.person("Nguyễn Thị Quên"), shared_world.doctor()
    world.send(doctor, bundle(an, condition("secret-source", "F32")))
    world.grant(doctor, an).seen()
    with pymongo.timeout(60):  # a whole log is read; on a machine under load that takes its time
        before = logged(world.db, an.id)
        world.db[KEYS].delete_many({"citizen_id": an.id})  # what an erasure comes down to
        after = logged(world.db, an.id)
        whole = verify_all(MongoAuditLog(world.db)).ok
    assert len(before) >= 4 and after == before and whole
    text = json.dumps(after, ensure_ascii=False)
    born = an.born.isoformat()
    for said in (an.name, an.number, str(an.phone), born, born.replace("-", ""), "F32", "secret-source"):
        assert not says(text, said), said
    for row in after:
        assert is_id(row["citizen_id"]) and not re.search(r"\d{9,}", row["actor_id"])
