"""Ops figures as counters kept while things happen, so that reading them never counts rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pymongo import UpdateOne
from pymongo.database import Database

from wallet_api.infra.mongo import Index

Document = dict[str, Any]

INDEXES = (Index("figures", ("day",)),)


class MongoFigures:
    """Counters by Vietnamese day, kind and name."""

    def __init__(self, db: Database[Document]) -> None:
        self._figures = db["figures"]

    def add(self, day: date, kind: str, counts: Mapping[str, int]) -> None:
        """Count things that happened on a day."""
        changes = [
            UpdateOne(
                {"_id": f"{day.isoformat()}:{kind}:{name}"},
                {
                    "$inc": {"count": count},
                    "$setOnInsert": {"day": day.isoformat(), "kind": kind, "name": name},
                },
                upsert=True,
            )
            for name, count in counts.items()
            if count
        ]
        if changes:
            self._figures.bulk_write(changes, ordered=False)

    def between(self, first: date, last: date) -> dict[str, dict[str, int]]:
        """Sums by kind and name over inclusive days."""
        found = self._figures.find({"day": {"$gte": first.isoformat(), "$lte": last.isoformat()}})
        sums: dict[str, dict[str, int]] = {}
        for each in found:
            names = sums.setdefault(each["kind"], {})
            names[each["name"]] = names.get(each["name"], 0) + each["count"]
        return sums
