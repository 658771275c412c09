"""The desk of share links: makes, ends and opens them. Every change is a compare-and-set of one document.

Whoever comes with a link is judged and counted in one step, so that guesses sent at the same moment are
worth no more than guesses sent one after the other: what was found out counts only once it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from wallet_api.shares.errors import (
    PasscodeRefused,
    ShareBusy,
    ShareNotFound,
    ShareOutOfBounds,
    SharingRestricted,
    StaleShare,
    TooManyShares,
)
from wallet_api.shares.model import Outcome, Relation, Share, Wanted
from wallet_api.shares.passcodes import fits, hash_passcode
from wallet_api.shares.rules import RULES

_TRIES: Final = 30
Journal = Callable[[Share], None]
"""Writes the act into the access log, durably; what it raises stops the act that follows."""
Told = Callable[[Share, Outcome], None]
"""Writes into the access log, durably, that an attempt was refused; it is the last that was counted."""


class Shares(Protocol):
    """Shares, durable when a call returns."""

    def add(self, share: Share) -> None:
        """Keep a new share; one that is there already under this id is left as it is."""

    def get(self, share_id: str) -> Share | None:
        """One share; None as well when its owner's key is gone."""

    def save(self, share: Share, *, expected: int) -> None:
        """Put a new version in the place of `expected`, or raise StaleShare."""

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Share]:
        """A person's shares before a place, newest first; those made in one relation, or all."""

    def open_of(self, citizen_id: str, now: datetime) -> int:
        """How many links to a person's book are in use."""


class Standing(Protocol):
    """Whether a book may be shared: facts of this moment, not of the moment the link was made."""

    def may_share(self, citizen_id: str, by: str, relation: Relation) -> bool:
        """Whether whoever made a link could make it today: the person lives and is known, whoever
        made it is not locked out, and a guardian still acts for the person and may let others see without the
        child's own yes."""

    def restricted(self, citizen_id: str) -> bool:
        """Whether processing is restricted, so that nobody but the person reads."""


@dataclass(frozen=True)
class Proposal:
    """A share as somebody wants it. `id` follows from its link; `key` is what its content is encrypted to."""

    id: str
    citizen_id: str
    by: str
    relation: Relation
    wanted: Wanted
    label: str | None
    expires_at: datetime
    use_limit: int
    passcode: str | None
    key: str


class ShareDesk:
    """Share links of one wallet."""

    def __init__(self, shares: Shares, standing: Standing, now: Callable[[], datetime]) -> None:
        self._shares = shares
        self._standing = standing
        self._now = now

    def make(self, wish: Proposal, journal: Journal) -> Share:
        """Make a link. Logged before it is there: nothing is opened that the log does not tell of.

        Raises:
            ShareOutOfBounds: too long, too often or too much. TooManyShares: too many are open.
            SharingRestricted: nobody would be shown anything.
        """
        now = self._now()
        _check(wish, now)
        if self._standing.restricted(wish.citizen_id):
            raise SharingRestricted(wish.id)
        if self._shares.open_of(wish.citizen_id, now) >= RULES.bounds.most_open:
            raise TooManyShares(wish.id)
        made = Share(
            id=wish.id,
            citizen_id=wish.citizen_id,
            made_by=wish.by,
            relation=wish.relation,
            version=1,
            made_at=now,
            expires_at=wish.expires_at,
            use_limit=wish.use_limit,
            wanted=wish.wanted,
            label=wish.label,
            key=wish.key,
            passcode=None if wish.passcode is None else hash_passcode(wish.passcode),
            attempts_left=None if wish.passcode is None else RULES.bounds.passcode_attempts,
        )
        journal(made)
        self._shares.add(made)
        return made

    def of_person(self, citizen_id: str, share_id: str, relation: Relation) -> Share:
        """One share of a book. To a guardian only what guardians made.

        Raises:
            ShareNotFound: there is none, it is another's, or not for this reader.
        """
        found = self._shares.get(share_id)
        if found is None or found.citizen_id != citizen_id or relation not in ("self", found.relation):
            raise ShareNotFound(share_id)
        return found

    def listed(self, citizen_id: str, relation: Relation, before: str | None, limit: int) -> list[Share]:
        """Shares before a place, newest first. To a guardian only what guardians made."""
        return self._shares.of_citizen(citizen_id, None if relation == "self" else relation, before, limit)

    def revoke(self, share: Share, by: str, journal: Journal) -> None:
        """End it; no view that starts after this returns is answered. Acts first and is logged then."""
        for _ in range(_TRIES):
            if share.revoked_at is not None:
                return
            after = share.revoked(by, self._now())
            try:
                self._shares.save(after, expected=share.version)
            except StaleShare:
                share = self._read(share.id)
                continue
            journal(after)
            return
        raise ShareBusy(share.id)

    def knock(self, share_id: str, passcode: str | None, recipient: str, told: Told) -> Share:
        """Judge who comes with a link, and count it; the share as it then stands, to be shown.

        Raises:
            ShareNotFound: no such link, or it serves nobody any more. PasscodeRefused: none, or a wrong one.
            ShareBusy: it could not be counted. Refusals of a known link are logged first, by `told`; of one
                that is over only the first few, for whoever has it could fill the log for ever.
        """
        share, right = self._read(share_id), None
        for _ in range(_TRIES):
            outcome: Outcome = "over"
            if self._serves(share):
                if right is None and share.passcode is not None and passcode is not None:
                    right = fits(passcode, share.passcode)
                outcome = _judged(share, passcode, right)
            elif not _still_noted(share):
                raise ShareNotFound(share_id)
            now = self._now()
            shown = outcome == "shown"
            after = share.viewed(now, recipient) if shown else share.refused(now, outcome, recipient)
            try:
                self._shares.save(after, expected=share.version)
            except StaleShare:
                share = self._read(share_id)
                continue
            if shown:
                return after
            told(after, outcome)
            raise _refusal(after, outcome)
        raise ShareBusy(share_id)

    def give_back(self, share: Share) -> None:
        """Take back the use of a view that could not be shown. As far as it goes: it may stay counted."""
        for _ in range(_TRIES):
            try:
                self._shares.save(share.given_back(), expected=share.version)
            except StaleShare:
                share = self._read(share.id)
            else:
                return

    def still_shows(self, share_id: str) -> Share | None:
        """The share, while a view that was counted may be handed over; else None."""
        found = self._shares.get(share_id)
        if found is None or not found.still_shows(self._now()) or not self._may(found):
            return None
        return found

    def find(self, share_id: str) -> Share | None:
        """One share, whoever asks: for the words of the access log."""
        return self._shares.get(share_id)

    def _serves(self, share: Share) -> bool:
        return share.state_at(self._now()) == "active" and self._may(share)

    def _may(self, share: Share) -> bool:
        may = self._standing.may_share(share.citizen_id, share.made_by, share.relation)
        return may and not self._standing.restricted(share.citizen_id)

    def _read(self, share_id: str) -> Share:
        found = self._shares.get(share_id)
        if found is None:
            raise ShareNotFound(share_id)
        return found


def _check(wish: Proposal, now: datetime) -> None:
    bounds, wanted = RULES.bounds, wish.wanted
    days = bounds.longest_days if wish.passcode is not None else bounds.longest_days_without_passcode
    length = bounds.shortest_passcode if wish.passcode is None else len(wish.passcode)
    faults = {
        "expires_at": not now < wish.expires_at <= now + timedelta(days=days),
        "use_limit": not 1 <= wish.use_limit <= bounds.most_uses,
        "passcode": not bounds.shortest_passcode <= length <= bounds.longest_passcode,
        "record_ids": wanted.kind == "records" and not 1 <= len(wanted.record_ids) <= bounds.most_named,
        "categories": wanted.kind == "categories" and not wanted.categories,
    }
    for name, wrong in faults.items():
        if wrong:
            raise ShareOutOfBounds(name)


def _judged(share: Share, passcode: str | None, right: bool | None) -> Outcome:
    if share.passcode is None or right:
        return "shown"
    return "passcode_missing" if passcode is None else "passcode_wrong"


def _still_noted(share: Share) -> bool:
    """Whether one more attempt on a link that is over is written down."""
    return sum(each.outcome == "over" for each in share.knocks) < RULES.bounds.most_late_noted


def _refusal(share: Share, outcome: Outcome) -> Exception:
    if outcome == "over" or share.attempts_left is None:
        return ShareNotFound(share.id)
    return PasscodeRefused(share.id, share.attempts_left)
