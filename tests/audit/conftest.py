"""A fresh place for each store suite: memory, the embedded database, and MongoDB when one is given."""

from __future__ import annotations

import os

import pytest

from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.stores.audit_log import INDEXES, MongoAuditLog


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def store(request: pytest.FixtureRequest):
    if request.param == "memory":
        yield MemoryAuditStore()
        return
    if request.param == "embedded":
        db = request.getfixturevalue("embedded_db")
        ensure_indexes(db, INDEXES)
        yield MongoAuditLog(db)
        return
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if not uri:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")
    db = open_database(uri, f"test_{new_id()}")
    ensure_indexes(db, INDEXES)
    yield MongoAuditLog(db)
    db.client.drop_database(db.name)
    db.client.close()
