"""Proofs out of a stored log: that an entry is in it (RFC 6962, inclusion), and that it only grew.

A proof needs a few hashes of a tree that may have millions of leaves. Writers note the peaks of the tree with
their rows, so each of these hashes costs one run of rows, not the log. Nothing that was noted has to be
believed: a proof is checked against the signed checkpoint before it is given out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wallet_api.audit.chain import AuditRow, leaf_of
from wallet_api.audit.checkpoint import Checkpoint
from wallet_api.audit.errors import LogDamaged
from wallet_api.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Range,
    consistency_ranges,
    continues,
    included,
    inclusion_ranges,
)
from wallet_api.audit.ports import AuditStore

FORMAT: Final = "health-wallet-log-proof-1"


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the log of `size` rows begins with the log of `old_size` rows, whose root is given."""

    old_size: int
    old_root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry, its way up the tree, and the signed checkpoint whose root it leads to."""

    log_id: str
    leaf_index: int
    leaf: bytes
    event: Mapping[str, object]
    path: tuple[bytes, ...]
    tree_size: int
    checkpoint: str
    consistency: Consistency | None = None

    def to_json(self) -> dict[str, object]:
        """Return the proof as the stand-alone verifier reads it; hashes are base64."""
        found: dict[str, object] = {
            "format": FORMAT,
            "log_id": self.log_id,
            "leaf_index": self.leaf_index,
            "tree_size": self.tree_size,
            "event": dict(self.event),
            "leaf_hash": _text(self.leaf),
            "audit_path": [_text(each) for each in self.path],
            "checkpoint": self.checkpoint,
        }
        if self.consistency is not None:
            found["consistency"] = {
                "old_size": self.consistency.old_size,
                "old_root": _text(self.consistency.old_root),
                "path": [_text(each) for each in self.consistency.path],
            }
        return found


class LogTree:
    """The tree over one log, as far as it is stored. For one proof: what it has read, it keeps."""

    def __init__(self, store: AuditStore, log_id: str) -> None:
        self._store = store
        self._log_id = log_id
        self._read: list[tuple[int, Sequence[AuditRow]]] = []

    def prove(self, row: AuditRow, checkpoint: Checkpoint, text: str, since: int | None = None) -> Proof:
        """Prove that a row is in the log as the checkpoint saw it; `since`: and that it continues this size.

        Raises LogDamaged when what is stored does not lead to the checkpoint, ValueError for a row or an
        older size that the checkpoint does not cover.
        """
        leaf, size = leaf_of(row.event), checkpoint.size
        path = self._roots(inclusion_ranges(row.seq, size))
        if not included(leaf, row.seq, size, path, checkpoint.root):
            raise LogDamaged("The stored log does not lead to its checkpoint.")
        grown = None if since is None else self._consistency(since, checkpoint)
        return Proof(self._log_id, row.seq, leaf, row.event, path, size, text, grown)

    def root_at(self, size: int) -> bytes:
        """Return the root over the first rows."""
        return self._root(0, size)

    def _consistency(self, old: int, checkpoint: Checkpoint) -> Consistency:
        path = self._roots(consistency_ranges(old, checkpoint.size))
        before = self.root_at(old)
        if not continues(old, before, checkpoint.size, checkpoint.root, path):
            raise LogDamaged("The stored log does not lead to its checkpoint.")
        return Consistency(old, before, path)

    def _roots(self, ranges: Sequence[Range]) -> tuple[bytes, ...]:
        # The furthest first: its run of rows serves the smaller ranges before it too.
        found = {each: self._root(*each) for each in sorted(ranges, key=lambda each: -each[1])}
        return tuple(found[each] for each in ranges)

    def _root(self, first: int, past: int) -> bytes:
        """The root over a range of leaves that is a subtree, or the end of the tree."""
        if past == 0:
            return EMPTY_ROOT
        run = self._run_up_to(past - 1)
        tree, rows = self._resumed(run, first), [row for row in run if row.seq >= first]
        begins = rows[0].seq if rows else past
        if [row.seq for row in rows] != list(range(begins, past)) or tree.size != begins - first:
            raise LogDamaged("The stored log lacks rows.")
        for row in rows:
            tree.append(leaf_of(row.event))
        return tree.root()

    def _run_up_to(self, last: int) -> Sequence[AuditRow]:
        for reaches, run in self._read:
            # What a longer run begins with is also the latest noted row before each of its rows.
            if run and run[0].seq <= last <= reaches:
                return [row for row in run if row.seq <= last]
        run = self._store.run_up_to(self._log_id, last)
        self._read.append((last, run))
        return run

    def _resumed(self, run: Sequence[AuditRow], first: int) -> Frontier:
        if not run or run[0].seq <= first:
            return Frontier()
        try:
            return Frontier.resumed(run[0].seq, run[0].peaks or b"").from_leaf(first)
        except ValueError as why:
            raise LogDamaged("The peaks noted in the log are not those of its tree.") from why


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
