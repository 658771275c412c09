"""A book as a FHIR R4 Bundle of type collection, written piece by piece. Pure.

Resources are as their senders wrote them, but about the one Patient of the bundle: name, birth date and sex.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import date, datetime
from typing import Any

from wallet_api.audit.model import instant_text
from wallet_api.exports.model import Export
from wallet_api.infra.crypto.framing import framed
from wallet_api.records.model import Record
from wallet_api.records.types import record_types


def head_of(export: Export, name: str, born: date, sex: str, now: datetime) -> bytes:
    """How it begins, up to the Patient."""
    patient = {
        "resourceType": "Patient",
        "name": [{"text": name}],
        "gender": sex if sex in ("male", "female") else "unknown",
        "birthDate": born.isoformat(),
    }
    head = f'{{"resourceType":"Bundle","type":"collection","timestamp":"{instant_text(now)}","entry":['
    return head.encode() + _entry(_patient(export), patient)


def piece_of(export: Export, record: Record) -> bytes:
    """One record, after those before it."""
    subject = record_types()[str(record.resource["resourceType"])].subject
    resource = dict(record.resource) | {subject: {"reference": _patient(export)}}
    return b",\n" + _entry(_urn(export.id, record.id), resource)


def tail_of() -> bytes:
    """How it ends; without this it is not whole."""
    return b"]}"


def _patient(export: Export) -> str:
    return _urn(export.id, "patient")


def _entry(url: str, resource: dict[str, Any]) -> bytes:
    told = {"fullUrl": url, "resource": resource}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _urn(export_id: str, name: str) -> str:
    digest = hashlib.sha256(framed("export entry", export_id, name)).digest()
    return uuid.UUID(bytes=digest[:16], version=4).urn
