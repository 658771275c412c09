"""What becomes of a programme's reminders, in MongoDB: counters by programme, spread over a few documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from pymongo.database import Database

from notifications.campaigns.ports import FUNNEL
from notifications.ports import Unit
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document, session_of

_COLLECTION: Final = "funnel"
_STRIPES: Final = 8

INDEXES = (Index(_COLLECTION, ("programme",)),)


class MongoFunnel:
    """`notifications.campaigns.ports.Funnel` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._funnel = db[_COLLECTION]

    def count(self, counts: Mapping[tuple[str, int], int], what: str, unit: Unit | None = None) -> None:
        """Add to the counters of programmes, each under the shard of its people."""
        total: Counter[tuple[str, int]] = Counter()
        for (programme, shard), count in counts.items():
            total[programme, shard % _STRIPES] += count
        for (programme, stripe), count in sorted(total.items()):
            change = {"$inc": {what: count}, "$setOnInsert": {"programme": programme}}
            name = {"_id": f"{programme}|{stripe}"}
            self._funnel.update_one(name, change, upsert=True, session=session_of(unit))

    def figures(self) -> dict[str, dict[str, int]]:
        """The counters of every programme: a handful of documents, however many reminders."""
        found: dict[str, Counter[str]] = {}
        for each in self._funnel.find({}):
            counts = {what: each.get(what, 0) for what in FUNNEL}
            found.setdefault(each["programme"], Counter()).update(counts)
        return {programme: {what: counts[what] for what in FUNNEL} for programme, counts in found.items()}
