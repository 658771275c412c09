"""Safety flags over every book of a person, whichever of them a flag was raised on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from wallet_api.identity.merge_desk import MergeStore, books_of
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.safety import FlagStore, SafetyDesk, SafetyFlag, Written

_JOINED: Final = "joined"
_RAISED: Final = "raised"


class JoinedSafety(SafetyDesk):
    """`SafetyDesk` where several books may be one person's.

    On the other books a flag stands under a name of its own, so that whoever files or reads needs to look at
    one book's flags only, and parting takes away what came by the merge and nothing else.
    """

    def __init__(self, flags: FlagStore, records: Written, merges: MergeStore) -> None:
        super().__init__(flags, records)
        self._merges = merges

    def set(self, flag: SafetyFlag) -> SafetyFlag:
        """Raise a flag over this book and those that are one with it."""
        made = super().set(flag)
        for other in books_of(self._merges, flag.citizen_id)[1:]:
            self._copy(flag, other, _RAISED)
        return made

    def lift(self, flag_id: str, at: datetime) -> SafetyFlag:
        """Take a flag down wherever it stands. Raises RecordNotFound: none was raised under that name."""
        if flag_id.startswith(f"{_JOINED}:"):
            raise RecordNotFound(flag_id)
        lifted = super().lift(flag_id, at)
        for other in books_of(self._merges, lifted.citizen_id)[1:]:
            for each in self._copies(other):
                if _original(each) == flag_id:
                    super().lift(each.id, at)
        return lifted

    def follow(self, citizen_id: str, source_id: str, merge_id: str, since: datetime) -> None:
        """Let the flags of one book cover another, from an instant on: what whoever acts for the person may
        have seen in it before stays, as with every flag."""
        standing = {_original(each) for each in self._copies(citizen_id)}
        for each in self.of(source_id):
            if _original(each) is None and each.id not in standing:
                self._copy(replace(each, since=max(each.since, since)), citizen_id, merge_id)

    def leave(self, citizen_id: str, source_id: str, at: datetime) -> bool:
        """Let one book no longer be covered by the flags of another; whether any did."""
        copies = [each for each in self._copies(citizen_id) if self._is_of(each, source_id)]
        for each in copies:
            super().lift(each.id, at)
        return bool(copies)

    def _is_of(self, copy: SafetyFlag, source_id: str) -> bool:
        original = self._flags.get(str(_original(copy)))
        return original is not None and original.citizen_id == source_id

    def _copy(self, flag: SafetyFlag, citizen_id: str, by: str) -> None:
        super().set(replace(flag, id=f"{_JOINED}:{flag.id}:{citizen_id}:{by}", citizen_id=citizen_id))

    def _copies(self, citizen_id: str) -> list[SafetyFlag]:
        return [each for each in self.of(citizen_id) if _original(each) is not None]


def _original(flag: SafetyFlag) -> str | None:
    """The id of the flag that this one follows; None for a flag of its own."""
    kind, _, rest = flag.id.partition(":")
    return rest.split(":")[0] if kind == _JOINED else None
