"""Every guard is where `guards.toml` says it is, and its tests exist. `make mutants` does the rest."""

from __future__ import annotations

import re

import pytest

from tests.mutants.guards import ROOT, Guard, GuardLost, guards, without

ALL = guards()


@pytest.mark.parametrize("guard", ALL, ids=lambda each: each.name)
def test_a_guard_is_found_and_its_tests_exist(guard: Guard) -> None:
    source = (ROOT / guard.file).read_text(encoding="utf-8")
    compile(without(guard, source), guard.file, "exec")
    assert guard.dies_by
    for test in guard.dies_by:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {re.escape(name.partition('[')[0])}\(", text, re.MULTILINE), test


def test_names_are_used_once() -> None:
    assert len({each.name for each in ALL}) == len(ALL) >= 20


def test_a_guard_that_moved_is_missed() -> None:
    with pytest.raises(GuardLost):
        without(ALL[0], "nothing of it here")
