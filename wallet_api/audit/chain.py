"""The chain: each row vouches for the one before it, and a tree root vouches for all of them.

leaf = SHA-256(0x00 | JCS(event)), the leaf of an RFC 6962 tree over the log in the order of `seq`;
hash = SHA-256(0x02 | framed(log_id, seq, prev, leaf)), where `prev` is the hash of the row before
(32 zero bytes for the first). JCS is RFC 8785.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wallet_api.audit.checkpoint import Checkpoint
from wallet_api.audit.merkle import Frontier, leaf_hash
from wallet_api.infra.crypto.framing import framed

FIRST_PREV: Final = bytes(32)
NOTED_EVERY: Final = 100
"""A log that is made whole notes the peaks of its tree at every so many rows."""
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of a log as it is stored. `event` is the JSON of the event.

    `peaks` are those of the tree before this row, where the writer noted them (with the first row of each
    group): what proofs are fetched from. They are no part of the row; the verification computes them anew.
    """

    entry_id: str
    log_id: str
    seq: int
    prev: bytes
    hash: bytes
    event: Mapping[str, object]
    peaks: bytes | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An event in its stored form with its leaf, before it has a place in a log."""

    event: Mapping[str, object]
    leaf: bytes


def seal_event(event: Mapping[str, object]) -> SealedEvent:
    """Hash an event. Raises ValueError or TypeError when it is not JSON."""
    return SealedEvent(event, leaf_of(event))


def leaf_of(event: Mapping[str, object]) -> bytes:
    """Return the tree leaf of an event's JSON. Raises ValueError or TypeError when it is not JSON."""
    return leaf_hash(canonical(event))


def canonical(event: Mapping[str, object]) -> bytes:
    """Return the RFC 8785 form of an event's JSON: ASCII names, and texts, whole numbers, booleans and lists.

    Within that range the C encoder of the standard library writes the same bytes as a full RFC 8785
    encoder, five times faster. Raises ValueError or TypeError for what is not JSON.
    """
    return _ENCODER.encode(event).encode()


def link(log_id: str, seq: int, prev: bytes, sealed: SealedEvent) -> AuditRow:
    """Give an event its place in a log."""
    entry = entry_id(sealed.event, log_id, seq)
    return AuditRow(entry, log_id, seq, prev, row_hash(log_id, seq, prev, sealed.leaf), sealed.event)


def chained(log_id: str, events: Iterable[Mapping[str, object]]) -> tuple[AuditRow, ...]:
    """Make one whole new log of events, in this order."""
    rows, tree = list[AuditRow](), Frontier()
    for event in events:
        prev, sealed = rows[-1].hash if rows else FIRST_PREV, seal_event(event)
        row = link(log_id, tree.size, prev, sealed)
        rows.append(row if tree.size % NOTED_EVERY else replace(row, peaks=tree.peaks()))
        tree.append(sealed.leaf)
    return tuple(rows)


def row_hash(log_id: str, seq: int, prev: bytes, leaf: bytes) -> bytes:
    """Return the hash of a row."""
    return hashlib.sha256(b"\x02" + framed(log_id, seq, prev, leaf)).digest()


def entry_id(event: Mapping[str, object], log_id: str, seq: int) -> str:
    """Name an entry so that entries sort by time, then log, then place in the log."""
    return f"{event['at']}~{log_id}~{seq:012d}"


def verify(rows: Iterable[AuditRow], checkpoints: Iterable[Checkpoint] = ()) -> int | None:
    """Return the index of the first row that is not as it was written, or None.

    Without checkpoints a whole log rewritten from some row on, or cut short, cannot be told from an honest
    one. A checkpoint that does not fit names the first row that no fitting checkpoint before it covers;
    one that counts more rows than there are names the first missing row.
    """
    due = sorted((one for one in checkpoints if one.size > 0), key=lambda one: one.size)
    tree, prev, log_id, vouched = Frontier(), FIRST_PREV, None, 0
    for index, row in enumerate(rows):
        log_id = row.log_id if log_id is None else log_id
        leaf = _leaf_if_linked(row, log_id, index, prev)
        if leaf is None or (row.peaks is not None and row.peaks != tree.peaks()):
            return index
        prev = row.hash
        tree.append(leaf)
        while due and due[0].size <= tree.size:
            checkpoint = due.pop(0)
            if checkpoint.log_id != log_id or checkpoint.root != tree.root():
                return vouched
            vouched = checkpoint.size
    return tree.size if due else None


def _leaf_if_linked(row: AuditRow, log_id: str, seq: int, prev: bytes) -> bytes | None:
    try:
        leaf = leaf_of(row.event)
        expected = entry_id(row.event, log_id, seq), log_id, seq, prev, row_hash(log_id, seq, prev, leaf)
    except (ValueError, TypeError, KeyError):
        return None  # what cannot even be hashed was not written by us
    return leaf if (row.entry_id, row.log_id, row.seq, row.prev, row.hash) == expected else None
