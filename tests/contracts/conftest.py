"""One database for the stores of a file, emptied before each test: making collections and their indexes anew
takes longer than most of what is tried on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.contracts.ground import NOW, Ground
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database


@pytest.fixture(scope="module")
def kept_db(embedded_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """A database on the embedded server for the whole file."""
    db = open_database(embedded_uri, f"contracts_{new_id()}")
    yield db
    db.client.close()


@pytest.fixture
def embedded_db(kept_db: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    """That database, with no document in it."""
    for name in kept_db.list_collection_names():
        kept_db[name].delete_many({})
    return kept_db


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground | None]:
    """None for stores in memory; else a database on the embedded server or that of WALLET_TEST_MONGO_URI."""
    if request.param == "memory":
        yield None
        return
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "mongodb" and not uri:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")
    if request.param == "embedded" or not uri:
        uri = request.getfixturevalue("embedded_uri")
    db = open_database(uri, f"test_{new_id()}")
    keys = FileKeyStore(tmp_path / "keys", create=True)
    keys.prepare(NOW)
    yield Ground(db, CitizenCipher(MemoryWrappedKeys(), keys, lambda: NOW))
    if request.param == "mongodb":
        db.client.drop_database(db.name)
    db.client.close()
