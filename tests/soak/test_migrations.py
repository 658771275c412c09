"""A backfill of twice the rows, killed and resumed: the test of `tests/operations` at full measure."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from tests.operations import test_migrations as migrations

pytestmark = pytest.mark.soak


def test_both_releases_serve_while_a_longer_backfill_is_killed_and_resumed(
    embedded_uri: str,
    embedded_db: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Any,
) -> None:
    monkeypatch.setattr(migrations, "STORED", 1200)
    migrations.test_old_and_new_code_serve_while_a_killed_backfill_is_resumed(
        embedded_uri, embedded_db, record_property
    )
