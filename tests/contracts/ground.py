"""Where the stores of a contract test stand when they are not in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Index, ensure_indexes

NOW: Final = datetime(2026, 11, 3, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Ground:
    """A fresh database, and a cipher whose keys are of NOW."""

    db: Database[dict[str, Any]]
    cipher: CitizenCipher

    def indexed(self, indexes: Iterable[Index]) -> Ground:
        """The same with these indexes. Nothing is swept: NOW is past by the database's own clock."""
        ensure_indexes(self.db, [each.unswept() for each in indexes])
        return self
