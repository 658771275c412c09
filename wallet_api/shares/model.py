"""A share and what happens to it. All pure; every change is a new version."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal
from unicodedata import category

from wallet_api.audit.model import instant_text
from wallet_api.shares.rules import RULES

Relation = Literal["self", "guardian"]
Kind = Literal["records", "categories", "summary"]
State = Literal["active", "expired", "used_up", "locked", "revoked"]
Outcome = Literal["shown", "passcode_wrong", "passcode_missing", "over"]
SHOWN: Final = "shown"
LONGEST_RECIPIENT: Final = 80


@dataclass(frozen=True)
class Wanted:
    """Which records: named one by one, of categories and a period (Vietnamese days), or the summary.

    Only what is named one by one can bring records with restricted labels.
    """

    kind: Kind
    record_ids: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    first: date | None = None
    last: date | None = None

    @property
    def seen_categories(self) -> frozenset[str] | None:
        """The categories it is limited to; None when records are named."""
        if self.kind == "records":
            return None
        return RULES.summary if self.kind == "summary" else self.categories


def declared(recipient: str) -> str:
    """Who somebody says they are, as one short line that cannot turn the text around it about."""
    plain = "".join(" " if each.isspace() else each for each in recipient)
    seen = "".join(each for each in plain if not category(each).startswith("C"))
    return " ".join(seen.split())[:LONGEST_RECIPIENT] or "?"


@dataclass(frozen=True)
class Knock:
    """Somebody came with the link: when, what became of it, and who they said they were; not proven."""

    number: int
    at: datetime
    outcome: Outcome
    recipient: str


@dataclass(frozen=True)
class Share:
    """One share link. Its link is nowhere kept; `key` is what its content is encrypted to.

    `attempts_left` is None without a passcode. `passcode` is a slow hash. `knocks` are the views and the
    latest refused attempts, `knocked` counts all that were noted.
    """

    id: str
    citizen_id: str
    made_by: str
    relation: Relation
    version: int
    made_at: datetime
    expires_at: datetime
    use_limit: int
    wanted: Wanted
    label: str | None
    key: str = field(repr=False)
    passcode: str | None = field(default=None, repr=False)
    attempts_left: int | None = None
    uses: int = 0
    knocked: int = 0
    knocks: tuple[Knock, ...] = ()
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def place(self) -> str:
        """Where it stands among a person's shares: by time, then id."""
        return f"{instant_text(self.made_at)}~{self.id}"

    @property
    def closed(self) -> bool:
        """Whether it is over for another reason than time."""
        return self.revoked_at is not None or self.attempts_left == 0 or self.uses >= self.use_limit

    def state_at(self, now: datetime) -> State:
        """What the person is told of it."""
        if self.revoked_at is not None:
            return "revoked"
        if self.attempts_left == 0:
            return "locked"
        if self.uses >= self.use_limit:
            return "used_up"
        return "expired" if now >= self.expires_at else "active"

    def still_shows(self, now: datetime) -> bool:
        """Whether a view that was counted may still be handed over."""
        return self.state_at(now) in ("active", "used_up") and now < self.expires_at

    def log_detail(self, number: int | None = None) -> dict[str, str | int | bool]:
        """What the access log tells of it: ids, codes, counts. Who somebody said they were stays here."""
        told: dict[str, str | int | bool] = {"share": self.id, "made_by": self.relation}
        return told if number is None else told | {"knock": number}

    def viewed(self, at: datetime, recipient: str) -> Share:
        """One use counted."""
        return replace(self._knocked(at, "shown", recipient), uses=self.uses + 1)

    def given_back(self) -> Share:
        """The last use did not show anything after all."""
        return replace(self, version=self.version + 1, uses=max(0, self.uses - 1))

    def refused(self, at: datetime, outcome: Outcome, recipient: str) -> Share:
        """An attempt that showed nothing. A wrong passcode takes one of those that are left."""
        after = self._knocked(at, outcome, recipient)
        if outcome == "passcode_wrong" and self.attempts_left is not None:
            return replace(after, attempts_left=max(0, self.attempts_left - 1))
        return after

    def revoked(self, by: str, at: datetime) -> Share:
        """Ended by the person or a guardian; nothing reopens it."""
        return replace(self, version=self.version + 1, revoked_at=at, revoked_by=by)

    def _knocked(self, at: datetime, outcome: Outcome, recipient: str) -> Share:
        knock = Knock(self.knocked + 1, at, outcome, recipient)
        knocks = _bounded((*self.knocks, knock))
        return replace(self, version=self.version + 1, knocked=knock.number, knocks=knocks)


def _bounded(knocks: tuple[Knock, ...]) -> tuple[Knock, ...]:
    """Every view, of which there are only so many, and the latest of the refused: anybody can make those."""
    refused = [each.number for each in knocks if each.outcome != SHOWN][-RULES.bounds.most_refused_kept :]
    return tuple(each for each in knocks if each.outcome == SHOWN or each.number in set(refused))
