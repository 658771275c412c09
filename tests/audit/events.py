"""Builders of access-log events and rows for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wallet_api.audit.chain import FIRST_PREV, AuditRow, link, seal_event
from wallet_api.audit.model import Action, ActorKind, AuditEvent

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def an_event(number: int = 0, **changes: Any) -> AuditEvent:
    given: dict[str, Any] = {
        "at": NOW + timedelta(seconds=number),
        "request_id": f"request{number}",
        "action": Action.RECORD_READ,
        "actor_kind": ActorKind.PRACTITIONER,
        "actor_id": "practitioner1",
        "decision": "permit",
        "reason": "granted",
        "citizen_id": "an",
        "organisation_id": "org1",
        "purpose": "treatment",
        "grant_id": "grant1",
        "record_count": number,
        "categories": ("immunization",),
        "detail": {"version": 3, "first_use": True},
    }
    return AuditEvent(**{**given, **changes})


def rows_of(events: list[AuditEvent], log_id: str = "log1") -> list[AuditRow]:
    rows: list[AuditRow] = []
    for seq, event in enumerate(events):
        prev = rows[-1].hash if rows else FIRST_PREV
        rows.append(link(log_id, seq, prev, seal_event(event.to_json())))
    return rows
