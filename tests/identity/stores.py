"""The identity stores over a database, and what the contract suites share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.identity.world import memory_stores
from wallet_api.identity.service import IdentityStores
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.stores import guardianships, identities, oauth_clients, organisations, sessions, sign_ins
from wallet_api.stores.citizen_keys import INDEXES as KEY_INDEXES
from wallet_api.stores.citizen_keys import MongoCitizenKeys

MODULES = (guardianships, identities, oauth_clients, organisations, sessions, sign_ins)


def mongo_stores(db: Any, keys: MemoryKeyStore | None = None) -> IdentityStores:
    keys = keys or MemoryKeyStore()
    ensure_indexes(db, (index.unswept() for module in MODULES for index in module.INDEXES))
    ensure_indexes(db, KEY_INDEXES)
    cipher, blind = CitizenCipher(MongoCitizenKeys(db), keys, system_now), BlindIndex(keys)
    return IdentityStores(
        citizens=identities.MongoCitizens(db, cipher, blind),
        reviews=identities.MongoReviews(db),
        guardianships=guardianships.MongoGuardianships(db, cipher),
        organisations=organisations.MongoOrganisations(db),
        rosters=organisations.MongoRosters(db),
        clients=oauth_clients.MongoClients(db),
        sessions=sessions.MongoSessions(db),
        attempts=sign_ins.MongoLoginAttempts(db),
        codes=sign_ins.MongoCodes(db),
        jtis=sign_ins.MongoJtis(db),
    )


def stores_for(request: pytest.FixtureRequest) -> Iterator[IdentityStores]:
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "memory":
        yield memory_stores()
    elif request.param == "embedded":
        yield mongo_stores(request.getfixturevalue("embedded_db"))
    elif uri:
        db = open_database(uri, f"test_{new_id()}")
        yield mongo_stores(db)
        db.client.drop_database(db.name)
        db.client.close()
    else:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")


def winners(work: Callable[[int], bool]) -> int:
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(work, range(16)))
