"""Inclusion and consistency proofs, against a tree built by the letter of RFC 6962."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.audit.merkle import (
    Frontier,
    consistency_ranges,
    continues,
    included,
    inclusion_ranges,
    leaf_hash,
    node_hash,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(140)]
SIZES = st.integers(1, len(LEAVES))


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: MTH(D[n])."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1: PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), mth(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), mth(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2: SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), mth(leaves[:k])]


def roots(ranges: list[tuple[int, int]]) -> list[bytes]:
    return [mth(LEAVES[first:past]) for first, past in ranges]


@given(size=SIZES, data=st.data())
def test_an_audit_path_is_the_one_of_the_rfc_and_leads_to_the_root(size, data):
    index = data.draw(st.integers(0, size - 1))
    path = roots(inclusion_ranges(index, size))
    assert path == naive_path(index, LEAVES[:size])
    root = mth(LEAVES[:size])
    assert included(LEAVES[index], index, size, path, root)
    other = data.draw(st.integers(0, size + 2).filter(lambda each: each != index))
    assert not included(LEAVES[index], other, size, path, root)
    assert not included(LEAVES[index], index, size, [*path, root], root)
    assert not included(leaf_hash(b"other"), index, size, path, root)
    for at in range(len(path)):
        assert not included(LEAVES[index], index, size, path[:at] + path[at + 1 :], root)
        assert not included(LEAVES[index], index, size, [*path[:at], bytes(32), *path[at + 1 :]], root)


@given(size=SIZES, data=st.data())
def test_a_consistency_proof_is_the_one_of_the_rfc_and_binds_both_roots(size, data):
    old = data.draw(st.integers(1, size))
    path = roots(consistency_ranges(old, size))
    assert path == naive_proof(old, LEAVES[:size])
    before, after = mth(LEAVES[:old]), mth(LEAVES[:size])
    assert continues(old, before, size, after, path)
    assert not continues(old, bytes(32), size, after, path)
    assert not continues(old, before, size, bytes(32), path)
    assert not continues(old, before, size, after, [*path, before])
    for at in range(len(path)):
        assert not continues(old, before, size, after, path[:at] + path[at + 1 :])
    rewritten = [leaf_hash(b"other"), *LEAVES[1:size]]
    if old < size:
        forged = [mth(rewritten[first:past]) for first, past in consistency_ranges(old, size)]
        assert not continues(old, before, size, mth(rewritten), forged)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_path(index, size):
    with pytest.raises(ValueError):
        inclusion_ranges(index, size)
    assert not included(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "size"), [(0, 4), (5, 4), (-1, 4)])
def test_a_tree_continues_none_but_an_older_one(old, size):
    with pytest.raises(ValueError):
        consistency_ranges(old, size)
    assert not continues(old, LEAVES[0], size, LEAVES[0], [])


@given(size=st.integers(0, len(LEAVES)), more=st.integers(0, 20))
def test_a_tree_goes_on_from_its_peaks(size, more):
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    again = Frontier.resumed(size, tree.peaks())
    for leaf in LEAVES[size : size + more]:
        tree.append(leaf)
        again.append(leaf)
    assert (again.size, again.root(), again.peaks()) == (tree.size, tree.root(), tree.peaks())
    with pytest.raises(ValueError):
        Frontier.resumed(tree.size, tree.peaks() + bytes(32) * (1 + more))


@given(size=SIZES, data=st.data())
def test_a_tree_is_cut_where_a_subtree_begins_and_nowhere_else(size, data):
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    first = data.draw(st.integers(0, size))
    starts = [sum(1 << bit for bit in range(9) if size >> bit & 1 and bit >= low) for low in range(10)]
    if first in starts:
        part = tree.from_leaf(first)
        assert part.size == size - first
        assert part.size == 0 or part.root() == mth(LEAVES[first:size])
    else:
        with pytest.raises(ValueError):
            tree.from_leaf(first)
