"""What a receipt must say: the mandatory fields of ISO/IEC TS 27560:2023 (as in the W3C DPV guide, 7.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MANDATORY = (
    "schema_version",
    "record_id",
    "receipt_id",
    "pii_principal_id",
    "privacy_notice",
    "language",
    "purpose",
    "pii_information",
    "pii_controllers",
    "storage_locations",
    "retention_period",
    "jurisdiction",
    "recipient_third_parties",
    "withdrawal_method",
    "event",
)
PARTY = ("party_id", "party_name", "party_address", "party_contact", "party_type")
EVENT = ("event_time", "validity_duration", "entity_id", "event_type", "event_state")
NOTICE = ("version", "sha256")


def lacking(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The mandatory fields that are absent or empty, as paths; empty when nothing is missing."""
    return tuple(_lacking(receipt))


def _lacking(receipt: Mapping[str, Any]) -> Iterator[str]:
    yield from _empty(receipt, MANDATORY, "")
    notice = receipt.get("privacy_notice")
    yield from _empty(notice, (*NOTICE, "text"), "privacy_notice/", may_be_empty="text")
    for name, inner in (("pii_controllers", PARTY), ("recipient_third_parties", PARTY), ("event", EVENT)):
        rows = receipt.get(name)
        for place, row in enumerate(rows if isinstance(rows, list) else ()):
            yield from _empty(row, inner, f"{name}/{place}/")


def _empty(part: object, names: tuple[str, ...], path: str, may_be_empty: str = "") -> Iterator[str]:
    found = part if isinstance(part, Mapping) else {}
    for name in names:
        if name not in found or (not found[name] and name != may_be_empty):
            yield path + name
