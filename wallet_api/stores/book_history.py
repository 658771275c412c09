"""The latest changes of a book, as they stand beside its front page: which records, hidden from whom.

They lie in the one document that every change of a book replaces or updates in its transaction, so they can
neither miss one nor tell of one that did not happen. A document without them was last written by an older
release or by a filling of the database: its mark follows from its version; what came before cannot be told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from wallet_api.infra.ids import id_from_bytes
from wallet_api.records.changes import History, Step, Touched

Document = dict[str, Any]
FIELDS: Final = {"version": 1, "changes": 1}


def history_of(citizen_id: str, found: Mapping[str, Any] | None) -> History:
    """The history of a book; None: it has no front page yet."""
    if found is None:
        return History(_bare(citizen_id, "none"))
    kept = found.get("changes")
    if kept is None:
        return History(_bare(citizen_id, str(found["version"])))
    return History(kept["base"], tuple(_step(each) for each in kept["steps"]))


def document_of(history: History) -> Document:
    """The history as it is stored."""
    return {"base": history.base, "steps": [_packed(each) for each in history.steps]}


def _step(found: Mapping[str, Any]) -> Step:
    touched = tuple(
        Touched(
            each["id"],
            None if each["was"] is None else frozenset(each["was"]),
            frozenset(each["now"]),
        )
        for each in found["records"]
    )
    return Step(found["mark"], found["at"].astimezone(UTC), touched)


def _packed(step: Step) -> Document:
    records = [
        {
            "id": each.record_id,
            "was": None if each.was is None else sorted(each.was),
            "now": sorted(each.now),
        }
        for each in step.touched
    ]
    return {"mark": step.mark, "at": step.at, "records": records}


def _bare(citizen_id: str, version: str) -> str:
    """A mark as long as any other: a cursor's length must not tell whether there is a history."""
    return id_from_bytes(hashlib.sha256(f"bare|{citizen_id}|{version}".encode()).digest()[:16])
