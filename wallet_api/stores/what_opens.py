"""Rows of several people, as far as they open.

An erasure destroys keys before it deletes what they sealed, and its process may die in between; a worker that
held a key open may write once more after that. Neither may keep anybody else's rows from being read, so what
is read for many leaves out what does not open. What is read for one person is an error there, except where
leaving it out denies: a guardianship that does not open is none, a choice that does not open is no leave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.logs import say

Row = TypeVar("Row")
Read = TypeVar("Read")

FEW: Final = 24
"""So many rows one family that is being erased may have in a list of nobody else's. Where there are more and
none opens, the keys are wrong: then no list is better than an empty one, which would cancel reminders and
forget guardians. Less than the ids that are asked for at once (`bulk.ASKED_AT_ONCE`)."""


def what_opens(rows: Iterable[Row], read: Callable[[Row], Read]) -> list[Read]:
    """Each row read, without those that do not open; how many these were is logged, not whose.

    Raises:
        SealBroken: more than a few were asked for, and none opens.
    """
    found, broken = list[Read](), list[SealBroken]()
    for row in rows:
        try:
            found.append(read(row))
        except SealBroken as why:
            broken.append(why)
    if len(broken) > FEW and not found:
        raise broken[0]
    if broken:
        say("sealed_rows_left_out", logging.WARNING, count=len(broken))
    return found
