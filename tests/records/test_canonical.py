"""The quick way to write one content as one text writes what the slow one writes."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_api.records.canonical import canonical

NAMES = st.text(max_size=5) | st.sampled_from(
    ("a", "b", "é", "\ue000", "\U0001f600", "\ud7ff", "\x7f", '"\\')
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES
    | st.sampled_from(("\x00\x1f\b\t\n\f\r", "\u2028\u2029/<>&", 1e21, 1e-7, -0.0, 5.0))
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=examples(200, 5000), deadline=None)
@given(VALUES)
def test_the_quick_way_writes_something_else(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63, 10**30])
def test_a_number_that_is_not_exact_for_everybody_is_rounded(number: int) -> None:
    assert canonical({"n": [number, 1]}) == f'{{"n":["{number}",1]}}'.encode()


def test_half_a_character_is_written() -> None:
    for value in ("\ud800", {"\udfff": 1}):
        with pytest.raises(ValueError, match=r"UTF|surrogates"):
            canonical(value)
