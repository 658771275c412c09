"""How the yeses of a child and of who represents it are shown, and as whom the caller signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from flask import g

from consent.model import Actor, ConsentRequest, Grant, Signature
from consent.signatures import ATTESTED, attestable, needs_two, roles_needed
from wallet_api.context import services
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.routes.subjects import Subject, actor, born


def signing_actor(who: Subject) -> Actor:
    """The caller about to consent for this person, with who else may act for them today."""
    acting = actor(who)
    # Nobody's earlier yes counts where one is enough, so nobody is looked for.
    if not takes_two(acting):
        return acting
    return replace(acting, representatives=_representatives(who.citizen_id))


def takes_two(acting: Actor) -> bool:
    """Whether the consent of the person acted for takes a second yes."""
    return needs_two(acting.subject_born, services().now())


def signed_request(found: ConsentRequest) -> dict[str, Any]:
    """Who has said yes to a request so far, and whose yes it still needs."""
    asked = found.state_at(services().now()) == "requested"
    return {
        "signatures": [signature_view(each) for each in found.signatures],
        "needs": _needed(found.citizen_id, found.signatures) if asked else [],
    }


def signed_grant(found: Grant) -> dict[str, Any]:
    """Who has said yes to a grant, and whose yes would put a suspended one in force again."""
    held = found.state_at(services().now()) == "suspended"
    return {
        "kind": found.kind,
        "holds_until": found.holds_until,
        "signatures": [signature_view(each) for each in found.signatures],
        "needs": _needed(found.citizen_id, found.pending) if held else [],
    }


def signature_view(one: Signature) -> dict[str, Any]:
    """One yes: whose, when, and to what. Not the person's name: a family has its own words for who is who."""
    scope = one.scope
    return {
        "role": one.role,
        "at": one.at,
        "attested": one.evidence.channel == ATTESTED,
        "categories": sorted(scope.categories),
        "record_period": scope.record_period,
        "expires_at": scope.expires_at,
        "uses": scope.uses,
        "labels": sorted(scope.labels),
    }


def _needed(citizen_id: str, signatures: Iterable[Signature]) -> list[str]:
    known = _born(citizen_id)
    if known is None:
        return []
    now = services().now()
    given = {each.role for each in signatures if _counts(citizen_id, known, each)}
    return sorted(roles_needed(known, now) - given)


def _counts(citizen_id: str, known: date, one: Signature) -> bool:
    if one.role == "representative":
        return one.evidence.person_id in _representatives(citizen_id)
    return one.evidence.channel != ATTESTED or attestable(known, services().now())


def _born(citizen_id: str) -> date | None:
    """The birth date, read once a request however many lines are shown."""
    kept: dict[str, date | None] = g.setdefault("born_of", {})
    if citizen_id not in kept:
        try:
            kept[citizen_id] = born(citizen_id)
        except CitizenUnknown:
            kept[citizen_id] = None
    return kept[citizen_id]


def _representatives(citizen_id: str) -> frozenset[str]:
    kept: dict[str, frozenset[str]] = g.setdefault("representatives_of", {})
    if citizen_id not in kept:
        found = services().identity.family.guardians_of(citizen_id, services().now())
        kept[citizen_id] = frozenset(each.guardian_id for each in found)
    return kept[citizen_id]
