"""CDC's public cases through the engine; skipped without WALLET_VECTORS_DIR."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.__main__ import FLOOR, PAGE
from tests.conformance.cases import GROUPS
from tests.conformance.cdsi import duration, load_rules
from tests.conformance.table import EXPECTED, Report, document, report

VECTORS = os.environ.get("WALLET_VECTORS_DIR")
pytestmark = pytest.mark.skipif(not VECTORS, reason="WALLET_VECTORS_DIR names no folder with CDC's cases")


@pytest.fixture(scope="module")
def found() -> Report:
    return report(Path(str(VECTORS)) / "cdsi")


def test_every_counted_group_is_above_the_floor(found: Report) -> None:
    assert len(found.of(GROUPS)) >= 506
    for group in GROUPS:
        outcomes = found.of([group])
        assert sum(one.right for one in outcomes) >= FLOOR * len(outcomes), group


def test_every_mismatch_is_explained(found: Report) -> None:
    assert {one.case.id for one in found.outcomes if not one.right} == set(EXPECTED)


def test_the_page_says_what_the_engine_does(found: Report) -> None:
    assert PAGE.read_text("utf-8") == document(found)


def test_reasons_against_doses_are_the_published_ones(found: Report) -> None:
    wrong = [one.case.id for one in found.outcomes if one.doses_right and not one.reasons_right]
    assert len(wrong) <= 0.03 * len(found.outcomes), wrong


def test_the_rules_are_read_once() -> None:
    folder = Path(str(VECTORS)) / "cdsi" / "rules"
    assert load_rules(folder) is load_rules(folder)


@pytest.mark.parametrize("text", ["4 wks", "weeks", "1 year or so", "4 weeks - 4"])
def test_a_duration_nobody_understands_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)
