"""An approval and a restriction made at the same moment: whichever is first, the standing is restricted."""

from __future__ import annotations

import threading
from typing import Any

from pymongo.client_session import ClientSession

from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, transaction
from wallet_api.stores import consents, restrictions
from wallet_api.stores.restrictions import MongoRestrictions, prepare, restricted_within


def prepared(db: Any) -> tuple[MongoRestrictions, str]:
    ensure_indexes(db, (*consents.INDEXES, *restrictions.INDEXES))
    whose = new_id()
    prepare(db, whose)
    return MongoRestrictions(db), whose


def test_a_standing_opened_while_a_restriction_is_made_is_restricted(embedded_db: Any) -> None:
    found, whose = prepared(embedded_db)
    looked, done = threading.Event(), threading.Event()

    def restrict() -> None:
        looked.wait(30)
        found.set(whose, "r", on=True)
        done.set()

    other = threading.Thread(target=restrict)
    other.start()

    def work(session: ClientSession) -> None:
        restricted = restricted_within(embedded_db, whose, session)
        looked.set()
        done.wait(0.4)  # room for the restriction, which must not get through in between
        standing = {
            "_id": f"{whose}:o",
            "citizen_id": whose,
            "epoch": 1,
            "live": [],
            "restricted": restricted,
        }
        embedded_db["standings"].insert_one(standing, session=session)

    transaction(embedded_db, work)
    other.join(30)
    assert done.is_set()
    assert embedded_db["standings"].find_one({"_id": f"{whose}:o"})["restricted"] is True


def test_the_mark_goes_with_the_last_request_and_each_change_raises_the_epoch(embedded_db: Any) -> None:
    found, whose = prepared(embedded_db)
    embedded_db["standings"].insert_one({"_id": f"{whose}:o", "citizen_id": whose, "epoch": 1, "live": []})
    stands = []
    for request, on in (("a", True), ("b", True), ("a", True), ("a", False), ("b", False)):
        found.set(whose, request, on=on)
        standing = embedded_db["standings"].find_one({"_id": f"{whose}:o"})
        stands.append((standing["restricted"], standing["epoch"]))
        assert found.holds(whose) == standing["restricted"]
    assert stands == [(True, 2), (True, 3), (True, 4), (True, 5), (False, 6)]
    assert not found.holds(new_id())
