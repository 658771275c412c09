"""The Merkle tree of RFC 6962, section 2.1, kept as the few hashes an appender needs, and its proofs.

A proof is told as the ranges of leaves whose roots it consists of, so that whoever has the leaves, or a part
of the tree, can fetch just these. Proofs are checked as RFC 9162 says (2.1.3.2 and 2.1.4.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Self

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_HASH_BYTES: Final = 32
Range = tuple[int, int]
"""Leaves from the first, up to and without the second."""


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 | data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 | left | right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees of a growing tree, largest first: enough to append and to sum up."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def resumed(cls, size: int, peaks: bytes) -> Self:
        """A tree as it was when `peaks` told its peaks. Raises ValueError for another number of them."""
        if len(peaks) != _HASH_BYTES * size.bit_count():
            raise ValueError("these are not the peaks of a tree of this size")
        tree = cls()
        tree.size = size
        tree._peaks = [peaks[at : at + _HASH_BYTES] for at in range(0, len(peaks), _HASH_BYTES)]
        return tree

    def peaks(self) -> bytes:
        """All that the tree has to remember, to be resumed from."""
        return b"".join(self._peaks)

    def from_leaf(self, first: int) -> Frontier:
        """The part of the tree from a leaf on, as a tree. Raises ValueError where no subtree begins."""
        covered, rest = 0, self.size
        for index in range(len(self._peaks) + 1):
            if covered == first:
                return Frontier.resumed(rest, b"".join(self._peaks[index:]))
            step = 1 << rest.bit_length() - 1 if rest else 0
            covered, rest = covered + step, rest - step
        raise ValueError("no subtree begins there")

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._peaks.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self._peaks.pop()
            self._peaks.append(node_hash(self._peaks.pop(), right))

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The audit path of a leaf in a tree of `size`, from the leaf up. Raises ValueError without this leaf."""
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    first, past, found = 0, size, list[Range]()
    while past - first > 1:
        middle = first + _left(past - first)
        found.append((middle, past) if index < middle else (first, middle))
        first, past = (first, middle) if index < middle else (middle, past)
    return found[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The proof that a tree of `size` continues one of `old`. Raises ValueError unless 0 < old <= size."""
    if not 0 < old <= size:
        raise ValueError("a tree continues none but an older one")
    first, past, whole, found = 0, size, True, list[Range]()
    while old != past - first:
        middle = first + _left(past - first)
        if old <= middle - first:
            found.append((middle, past))
            past = middle
        else:
            found.append((first, middle))
            old, first, whole = old - (middle - first), middle, False
    return ([] if whole else [(first, past)]) + found[::-1]


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from the leaf at this place to the root of a tree of `size`."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(each, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def continues(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path shows that the tree of `size` begins with the whole tree of `old`."""
    if not 0 < old <= size:
        return False
    if old == size:
        return old_root == root and not path
    rest = [old_root, *path] if old & (old - 1) == 0 else list(path)
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not rest:
        return False
    older = newer = rest[0]
    for each in rest[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = node_hash(each, older), node_hash(each, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, each)
        place, last = place >> 1, last >> 1
    return last == 0 and older == old_root and newer == root


def _left(size: int) -> int:
    """How many of more than one leaves are in the left subtree: the largest power of two below."""
    return 1 << (size - 1).bit_length() - 1
