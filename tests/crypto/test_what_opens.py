"""What is read for many: a few that do not open are left out, and keys that open nothing are an error."""

from __future__ import annotations

import logging

import pytest

from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.stores.bulk import ASKED_AT_ONCE
from wallet_api.stores.what_opens import FEW, what_opens


def read(row: int) -> int:
    if row < 0:
        raise SealBroken("This is not a sealed value.")
    return row


def test_what_does_not_open_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "wallet"):
        assert what_opens([1, -2, 3, -4], read) == [1, 3]
    [line] = [each for each in caplog.records if each.message == "sealed_rows_left_out"]
    assert line.count == 2  # type: ignore[attr-defined]  # a field of the line


def test_a_part_of_a_longer_list_is_enough_to_notice() -> None:
    assert FEW < ASKED_AT_ONCE


def test_where_nothing_of_many_opens_the_keys_are_wrong() -> None:
    few = [-each for each in range(1, FEW + 1)]
    assert what_opens([], read) == what_opens(few, read) == []
    assert what_opens([*few, -99, 7], read) == [7]
    with pytest.raises(SealBroken):
        what_opens([*few, -99], read)
