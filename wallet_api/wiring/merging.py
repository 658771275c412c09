"""What a merge of two books does to the rest of the wallet, and how it is undone.

Both books stay what they are: records, grants, requests and logs keep the book they came under. What is
closed for one is closed for the other; nothing that is open for one is opened for the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from consent.co_consent import CoConsentService
from wallet_api.identity.errors import StaleVersion
from wallet_api.identity.merge_desk import MergeDesk, MergeStore, books_of
from wallet_api.identity.merging import Closed, Merge
from wallet_api.identity.model import Citizen
from wallet_api.identity.service import Identity
from wallet_api.infra.mongo import Db
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.wiring.joined_safety import JoinedSafety

T = TypeVar("T")
_TRIES = 5
_JOINED = "joined:"


class JoinedRestrictions(MongoRestrictions):
    """Restrictions that hold for every book of a person, whichever of them they were set on.

    On the other books one stands under a name of its own, so that parting takes away what came by the merge
    and nothing else.
    """

    def __init__(self, db: Db, merges: MergeStore) -> None:
        super().__init__(db)
        self._merges = merges

    def set(self, citizen_id: str, request_id: str, *, on: bool) -> None:
        """Restrict for the sake of one request, or no longer, this book and those that are one with it."""
        super().set(citizen_id, request_id, on=on)
        for other in books_of(self._merges, citizen_id)[1:]:
            self.follow(other, citizen_id)

    def follow(self, citizen_id: str, source_id: str) -> None:
        """Let one book be restricted as long as another is, by something of its own."""
        name, held = f"{_JOINED}{source_id}", self.held(source_id)
        wanted = any(not each.startswith(_JOINED) for each in held)
        if wanted != (name in self.held(citizen_id)):
            super().set(citizen_id, name, on=wanted)

    def leave(self, citizen_id: str, source_id: str) -> None:
        """Let one book be restricted for its own sake alone."""
        name = f"{_JOINED}{source_id}"
        if name in self.held(citizen_id):
            super().set(citizen_id, name, on=False)


@dataclass(frozen=True)
class WalletMergeEffects:
    """`identity.merge_desk.MergeEffects` over the whole wallet."""

    identity: Identity
    consent: CoConsentService
    restrictions: JoinedRestrictions
    safety: JoinedSafety
    merges: MergeStore
    replan: Callable[[str], object]
    now: Callable[[], datetime]

    def citizen(self, citizen_id: str) -> Citizen:
        """One of the two."""
        return self.identity.people.citizen(citizen_id)

    def related(self, one_id: str, other_id: str) -> bool:
        """Whether one of them ever acted for the other."""
        relations = self.identity.family.of(one_id)
        return any(other_id in (each.guardian_id, each.dependent_id) for each in relations)

    def found(self, merge: Merge) -> Merge:
        """The merge with the blocks it will copy and the relations it will join."""
        books = books_of(self.merges, merge.surviving_id)
        blocks = {book: set(self.consent.blocked(book)) for book in books}
        everywhere = set[str]().union(*blocks.values())
        closed = [Closed(book, each) for book in books for each in sorted(everywhere - blocks[book])]
        relations = [
            each.id
            for each in self.identity.family.of(merge.absorbed_id)
            if each.dependent_id == merge.absorbed_id and not each.over
        ]
        return replace(
            merge,
            closed=tuple(dict.fromkeys([*merge.closed, *closed])),
            relations=tuple(dict.fromkeys([*merge.relations, *relations])),
        )

    def shut(self, merge: Merge) -> None:
        """Close either book to whom the other is closed; from companions, what a flag on either covers."""
        for each in merge.closed:
            self.consent.block(each.citizen_id, each.organisation_id, blocked=True)
        books = books_of(self.merges, merge.surviving_id)
        for book in books:
            for other in books:
                if book != other:
                    self.restrictions.follow(book, other)
                    self.safety.follow(book, other, merge.id, merge.joined_at or self.now())

    def join(self, merge: Merge) -> None:
        """Link the two people, end their sessions, let guardians of both see one book, plan once."""
        _again(lambda: self.identity.people.join(merge.surviving_id, merge.absorbed_id))
        self._relate(merge, merge.surviving_id)
        self.replan(merge.absorbed_id)

    def part(self, merge: Merge) -> None:
        """Take the link away, end the sessions, plan each for itself."""
        _again(lambda: self.identity.people.part(merge.surviving_id, merge.absorbed_id))
        self._relate(merge, None)
        self.replan(merge.absorbed_id)
        self.replan(merge.surviving_id)

    def open(self, merge: Merge) -> None:
        """Take back the blocks, restrictions and flags that came by the merge alone."""
        rest, absorbed = books_of(self.merges, merge.surviving_id), merge.absorbed_id
        for other in rest:
            for one, source in ((other, absorbed), (absorbed, other)):
                self.restrictions.leave(one, source)
                if self.safety.leave(one, source, self.now()):
                    self.replan(one)  # guardians are reminded by what they know
        for each in merge.closed:
            self.consent.block(each.citizen_id, each.organisation_id, blocked=False)

    def _relate(self, merge: Merge, continues_in: str | None) -> None:
        family = self.identity.family
        for each in merge.relations:
            _again(partial(family.joined, each, continues_in))


def build_merging(
    merges: MergeStore,
    identity: Identity,
    consent: CoConsentService,
    restrictions: JoinedRestrictions,
    safety: JoinedSafety,
    replan: Callable[[str], object],
    now: Callable[[], datetime],
) -> MergeDesk:
    """The desk of one wallet."""
    effects = WalletMergeEffects(identity, consent, restrictions, safety, merges, replan, now)
    return MergeDesk(merges, effects, now)


def _again(act: Callable[[], T]) -> T:
    """Try once more what somebody else changed in the same moment."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except StaleVersion:
            continue
    return act()
