"""Erasure: keys destroyed for each retention class that no law keeps, the rest restricted with the reason.

Every step may be repeated, so that a process that dies half-way costs nothing but a second run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from wallet_api.rights.model import Erasure, RightsRequest
from wallet_api.rights.rules import RULES

SETTLES_AFTER: Final = timedelta(seconds=90)
"""When no process can hold a destroyed key open any more: they are held for 60 s at most, and a request
that has taken one out of hand has 30 s to end. What was written with it meanwhile is swept away then."""


class Erasing(Protocol):
    """What an erasure asks of the wallet. Every call may be repeated."""

    def has_records(self, citizen_id: str) -> bool:
        """Whether the person has medical records, which the law keeps."""

    def restrict(self, citizen_id: str, request_id: str, *, on: bool) -> None:
        """Refuse every provider's reading for the sake of one request, or no longer for its sake.

        In force, everywhere, when this returns.
        """

    def end_sessions(self, citizen_id: str) -> None:
        """Sign the person out everywhere. Works at once."""

    def bury(self, request: RightsRequest, erasure: Erasure) -> None:
        """Keep the tombstone, durably."""

    def destroy_keys(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Destroy the keys of these retention classes, durably: what was sealed with them never opens."""

    def delete(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed in these retention classes, and the tokens by which it was found."""

    def sweep(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed in these classes with a key that is no more, and leave what opens."""


class Eraser:
    """Decides what goes and makes it go."""

    def __init__(self, erasing: Erasing, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._erasing = erasing
        self._now = now
        self._new_id = new_id

    def decide(self, request: RightsRequest, by: str, reason: str | None) -> RightsRequest:
        """The request with what is to be erased and what the law keeps, as the book stands now."""
        erased = RULES.erased(has_records=self._erasing.has_records(request.citizen_id))
        kept = tuple(sorted(set(RULES.classes) - set(erased)))
        return request.erasing(by, self._now(), reason, Erasure(self._new_id(), erased, kept))

    def go_on(self, request: RightsRequest, by: str) -> RightsRequest:
        """Destroy, or destroy once more what was written meanwhile; the request as it then stands."""
        erasure, whose, todo = request.erasure, request.citizen_id, self._erasing
        if erasure is None:
            raise ValueError("an erasure is decided before it is carried out")
        todo.restrict(whose, request.id, on=True)
        if erasure.settles_at is not None:
            # A person who came back since has keys of their own time, which are not touched.
            todo.sweep(whose, erasure.erased)
            return request.completed(by, self._now(), None)
        todo.bury(request, erasure)
        todo.end_sessions(whose)
        todo.destroy_keys(whose, erasure.erased)
        todo.delete(whose, erasure.erased)
        now = self._now()
        return request.swept(by, now, now + SETTLES_AFTER)
