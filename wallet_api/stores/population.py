"""How far a made-up population has come: one document for the run and one for each shard that is whole."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from pymongo.database import Database

_COLLECTION: Final = "population"
_RUN: Final = "run"

INDEXES = ()


class MongoPopulation:
    """The run that fills a database. A shard is noted before the first
    and after the last of what it holds is durable."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        self._rows = db[_COLLECTION]

    def begin(self, seed: int, day: date) -> tuple[int, date]:
        """The seed and the day of the run that is under way, which is this one if there was none."""
        first: dict[str, Any] = {"seed": seed, "day": day.isoformat()}
        self._rows.update_one({"_id": _RUN}, {"$setOnInsert": first}, upsert=True)
        found: dict[str, Any] = self._rows.find_one({"_id": _RUN}) or first
        return int(found["seed"]), date.fromisoformat(found["day"])

    def done(self) -> dict[int, dict[str, int]]:
        """What each whole shard holds, by its number."""
        return {row["shard"]: row["holds"] for row in self._rows.find({"shard": {"$exists": True}})}

    def start(self, shard: int) -> bool:
        """Note that a shard is being filled; whether it was noted before."""
        row = {"_id": f"start {shard}"}
        return self._rows.update_one(row, {"$setOnInsert": row}, upsert=True).matched_count == 1

    def finish(self, shard: int, holds: dict[str, int]) -> None:
        """Note that a shard is whole."""
        row = {"_id": f"shard {shard}", "shard": shard, "holds": holds}
        self._rows.replace_one({"_id": row["_id"]}, row, upsert=True)
