"""An organisation reads back its own writings; and what a read leaves behind when it fails."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from consent.access import AccessService
from tests.logged import logged
from tests.world import World, bundle, condition, found_in, immunization, sources
from wallet_api.infra.ids import new_id
from wallet_api.stores.records import MongoRecords


def test_an_organisation_reads_back_what_others_wrote(world: World) -> None:
    an, one, two = world.person(), world.doctor(), world.doctor()
    world.send(one, bundle(an, condition("mine")))
    world.send(two, bundle(an, condition("theirs")))
    own = found_in(world.get("/provider/own-records", one))["items"]
    assert sources(own) == ["mine"]
    assert an.id not in str(own)


def test_an_organisation_reads_back_without_naming_a_practitioner_or_unlogged(world: World) -> None:
    an, binh, doctor = world.person(), world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("one"), immunization("two")))
    world.send(doctor, bundle(binh, condition("three")))
    answer = world.get("/provider/own-records", doctor.system)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "practitioner_needed")
    read = world.get("/provider/own-records", doctor)
    assert sorted(sources(found_in(read)["items"])) == ["one", "three", "two"]
    for whose, count in ((an, 2), (binh, 1)):
        (row,) = logged(world.db, whose.id, action="record:searched")
        assert row["request_id"] == read.headers["Request-Id"]
        assert (row["reason"], row["record_count"]) == ("author", count)
        assert row["practitioner_id"] == doctor.practitioner_id


def test_a_read_that_failed_is_asked_about_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session, looks = made.session(), []
    absent = world.services.references.seal(made.doctor.organisation_id, "record", made.person.id, new_id())
    still_holds = AccessService.still_holds

    def look(self: AccessService, fence: Any) -> bool:
        looks.append(fence)
        return still_holds(self, fence)

    def gone(*args: Any, **more: Any) -> Any:
        raise ServerSelectionTimeoutError("planted")

    monkeypatch.setattr(AccessService, "still_holds", look)
    assert made.read(session, path=f"/{absent}").status_code == 404
    with monkeypatch.context() as patch:
        patch.setattr(MongoRecords, "page", gone)
        assert made.read(session).status_code == 503
    assert looks == []
    assert made.read(session).status_code == 200
    assert len(looks) == 1
