"""The access log as it stands in a database, row by row, however its rows are kept together there."""

from __future__ import annotations

from typing import Any

import pymongo

from wallet_api.infra.mongo import Db
from wallet_api.stores.audit_log import MongoAuditLog, rows_of


def logged(db: Db, citizen_id: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
    """Every event, or those about one person, oldest first, with its place.

    `wanted` are values of an event's fields; a name with `__` looks inside `detail`.
    """
    with pymongo.timeout(60):  # more than a request has: a whole log is read, on a machine under load
        if citizen_id is None:
            rows = [row for found in db["audit_log"].find({}) for row in rows_of(found)]
        else:
            rows = list(MongoAuditLog(db).entries(citizen_id, None, 10_000))
    told = sorted(rows, key=lambda row: row.entry_id)
    events = [{**row.event, "entry_id": row.entry_id, "log_id": row.log_id, "seq": row.seq} for row in told]
    return [each for each in events if all(_value(each, name) == wanted[name] for name in wanted)]


def _value(event: dict[str, Any], name: str) -> Any:
    outer, _, inner = name.partition("__")
    return event.get(outer, {}).get(inner) if inner else event.get(outer)
