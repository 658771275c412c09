"""decide(): the only place where access is decided.

Pure, total, deny by default, deny overrides, and free of the order in which grants are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from consent.model import AccessMode, Licence, LiveGrant, Standing
from consent.predicate import (
    NOTHING,
    Clause,
    Predicate,
    author_eyes,
    granted_eyes,
    guardian_eyes,
    heir_eyes,
    own_eyes,
    shared_eyes,
)

Reason = Literal[
    "own_record",
    "guardian",
    "author",
    "shared",
    "heir",
    "granted",
    "not_guardian",
    "blocked",
    "no_grant",
    "not_licensed",
    "no_practitioner",
    "other_purpose",
    "other_practitioner",
    "expired",
    "suspended",
    "view_only",
    "used_up",
    "nothing_in_common",
]

# How near each refusal came to a yes: the nearest one is the reason told, whatever the order of grants.
_NEARNESS: dict[Reason, int] = {
    "no_grant": 0,
    "other_purpose": 1,
    "other_practitioner": 2,
    "expired": 3,
    "suspended": 4,
    "nothing_in_common": 5,
    "view_only": 6,
    "used_up": 7,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A provider's wish to read: who, for what, when.

    `paid` are the grants whose use was already counted by opening an access session; None asks to
    open one, and then a grant without uses left does not cover it. `mode` STORE asks to take a copy.
    """

    organisation_id: str
    practitioner_id: str | None
    purpose: str
    at: datetime
    paid: frozenset[str] | None = None
    mode: AccessMode = "VIEW"


class Decision(NamedTuple):
    """The verdict, why, under which grants, and what exactly may be seen. The zero value refuses."""

    permit: bool = False
    reason: Reason = "no_grant"
    grant_ids: tuple[str, ...] = ()
    predicate: Predicate = NOTHING


def decide(ask: Ask, standing: Standing, licence: Licence) -> Decision:
    """Whether an organisation may read of a citizen, under all grants that cover the ask."""
    if standing.blocked or standing.restricted:
        return Decision(reason="blocked")
    if ask.practitioner_id is None:
        return Decision(reason="no_practitioner")
    if ask.purpose not in licence.purposes:
        return Decision(reason="not_licensed")
    covering: list[LiveGrant] = []
    nearest: Reason = "no_grant"
    for grant in standing.live:
        refusal = _refusal(grant, ask, licence)
        if refusal is None:
            covering.append(grant)
        elif _NEARNESS[refusal] > _NEARNESS[nearest]:
            nearest = refusal
    if not covering:
        return Decision(reason=nearest)
    predicate = granted_eyes(ask.organisation_id, tuple(covering), licence.categories, ask.at.date())
    grant_ids = (covering[0].id,) if len(covering) == 1 else tuple(sorted(grant.id for grant in covering))
    return Decision(True, "granted", grant_ids, predicate)


def _refusal(grant: LiveGrant, ask: Ask, licence: Licence) -> Reason | None:
    scope = grant.scope
    if scope.organisation_id != ask.organisation_id:
        return "no_grant"
    if scope.purpose != ask.purpose:
        return "other_purpose"
    if scope.practitioner_id is not None and scope.practitioner_id != ask.practitioner_id:
        return "other_practitioner"
    if ask.at >= scope.expires_at:
        return "expired"
    if grant.holds_until is not None and ask.at >= grant.holds_until:
        return "suspended"
    if scope.categories.isdisjoint(licence.categories):
        return "nothing_in_common"
    if ask.mode == "STORE" and scope.mode != "STORE":
        return "view_only"
    if ask.paid is not None:
        return None if grant.id in ask.paid else "no_grant"
    return "used_up" if grant.uses_left is not None and grant.uses_left <= 0 else None


def decide_own() -> Decision:
    """A citizen reading the own book."""
    return Decision(True, "own_record", (), own_eyes())


def decide_guardian(*, acts_for: bool) -> Decision:
    """Somebody reading another's book: only a guardian of today may, without what is hidden."""
    return Decision(True, "guardian", (), guardian_eyes()) if acts_for else Decision(reason="not_guardian")


def decide_heir() -> Decision:
    """An heir whose relation two people of ops have verified, looking while it holds."""
    return Decision(True, "heir", (), heir_eyes())


def decide_shared(wanted: Clause, *, by_guardian: bool) -> Decision:
    """Whoever holds a share link that was judged and counted just now."""
    return Decision(True, "shared", (), shared_eyes(wanted, by_guardian=by_guardian))


def decide_author(organisation_id: str) -> Decision:
    """An organisation reading back what it wrote itself."""
    return Decision(True, "author", (), author_eyes(organisation_id))
