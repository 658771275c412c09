"""One database for the stores of a file, emptied before each test: making collections and their indexes anew
takes longer than most of what is tried on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

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
