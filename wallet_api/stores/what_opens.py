"""Rows of several people, as far as they open.

An erasure destroys keys before it deletes what they sealed, and its process may die in between; a worker that
held a key open may write once more after that. Neither may keep anybody else's rows from being read, so what
is read for many leaves out what does not open. What is read for one person does not: there it is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.logs import say

Row = TypeVar("Row")
Read = TypeVar("Read")


def what_opens(rows: Iterable[Row], read: Callable[[Row], Read]) -> list[Read]:
    """Each row read, without those that do not open; how many these were is logged, not whose."""
    found, left = list[Read](), 0
    for row in rows:
        try:
            found.append(read(row))
        except SealBroken:
            left += 1
    if left:
        say("sealed_rows_left_out", logging.WARNING, count=left)
    return found
