"""The stores of proof and of safety flags, and of signatures on requests and grants, keep their promises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from consent.memory import MemoryConsents
from consent.model import ConsentRequest, Grant, NoticeShown, Signature
from consent.ports import Consents
from tests.consent.builders import NOW, make_actor, make_scope
from wallet_api.identity.errors import EvidenceRefused
from wallet_api.identity.evidence import EvidenceFile, EvidenceStore, MemoryEvidence
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.records.safety import FlagStore, MemoryFlags, SafetyFlag
from wallet_api.stores import consents, guardianship_evidence, safety_flags
from wallet_api.stores.consents import MongoConsents
from wallet_api.stores.guardianship_evidence import MongoEvidence
from wallet_api.stores.safety_flags import MongoFlags

Stores = tuple[EvidenceStore, FlagStore, Consents]


def mongo(db: Database[dict[str, Any]]) -> Stores:
    ensure_indexes(db, (*guardianship_evidence.INDEXES, *safety_flags.INDEXES, *consents.INDEXES))
    keys = MemoryKeyStore()
    cipher = CitizenCipher(MemoryWrappedKeys(), keys, lambda: NOW)
    return MongoEvidence(db, cipher), MongoFlags(db, cipher), MongoConsents(db, cipher, BlindIndex(keys))


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "memory":
        yield MemoryEvidence(), MemoryFlags(), MemoryConsents()
    elif request.param == "embedded":
        yield mongo(request.getfixturevalue("embedded_db"))
    elif uri:
        db = open_database(uri, f"test_{new_id()}")
        yield mongo(db)
        db.client.drop_database(db.name)
        db.client.close()
    else:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")


def a_file(guardianship_id: str, **over: Any) -> EvidenceFile:
    base = EvidenceFile(new_id(), guardianship_id, "mother", "application/pdf", 5, NOW, b"%PDF-")
    return replace(base, **over)


def a_flag(citizen_id: str) -> SafetyFlag:
    return SafetyFlag(new_id(), citizen_id, "org", "child_abuse", NOW, "reviewer", NOW)


def test_no_more_files_fit_than_there_may_be_however_many_come_at_once(stores: Stores) -> None:
    files, relation = stores[0], new_id()

    def send(_: int) -> bool:
        try:
            files.add(a_file(relation), 3)
        except EvidenceRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(12))) == [False] * 9 + [True] * 3
    assert len(files.of(relation)) == 3 and files.of(new_id()) == []


def test_the_same_file_again_stays_one_and_is_found_under_its_relation_alone(stores: Stores) -> None:
    files, relation = stores[0], new_id()
    sent = a_file(relation)
    files.add(sent, 1)
    assert files.add(sent, 1).id == sent.id
    found = files.get(relation, sent.id)
    assert found is not None and (found.content, found.media_type) == (b"%PDF-", "application/pdf")
    assert files.get(new_id(), sent.id) is None and files.get(relation, new_id()) is None


def test_a_flag_stands_until_it_is_lifted_and_the_first_lifting_counts(stores: Stores) -> None:
    flags, whose = stores[1], new_id()
    flag = a_flag(whose)
    for _ in range(2):
        flags.add(flag)
    assert list(flags.of(whose)) == [flag] and list(flags.of(new_id())) == []
    for later in (1, 2):
        flags.lift(flag.id, NOW + timedelta(hours=later))
    lifted = flags.get(flag.id)
    assert lifted is not None and lifted.lifted_at == NOW + timedelta(hours=1)
    assert list(flags.of(whose)) == [] and flags.get(new_id()) is None


def test_signatures_stay_on_a_request_and_a_confirmed_grant_rests_on_new_evidence(stores: Stores) -> None:
    kept = stores[2]
    shown = NoticeShown("v", "vi", "0" * 64)
    heard = replace(make_actor().evidence, channel="attested", attested_by="bs-1")
    child = Signature("child", heard, shown, make_scope(labels=frozenset({"HIV"})), NOW)
    mother = Signature(
        "representative", make_actor("guardian", person_id="m").evidence, shown, make_scope(), NOW
    )
    request = ConsentRequest(
        new_id(), "citizen", make_scope(), "dr", "khám", "requested", 1, NOW, NOW + timedelta(days=7), False
    )
    kept.add_request(request)
    kept.save_request(replace(request, version=2, signatures=(child,)), expected=1)
    found = kept.request("citizen", request.id)
    assert found is not None and found.signatures == (child,)
    grant = Grant(
        new_id(),
        "citizen",
        request.id,
        make_scope(),
        "granted",
        1,
        NOW,
        shown,
        mother.evidence,
        signatures=(child, mother),
    )
    kept.give(grant)
    assert kept.grant("citizen", grant.id) == grant
    waits = replace(grant, state="suspended", version=2, holds_until=NOW, pending=(mother,))
    kept.hold(waits, expected=1)
    assert kept.grant("citizen", grant.id) == waits
    other = NoticeShown("w", "en", "1" * 64)
    again = replace(
        waits, state="granted", version=3, holds_until=None, pending=(), evidence=heard, notice=other
    )
    kept.hold(again, expected=2)
    assert kept.grant("citizen", grant.id) == again
