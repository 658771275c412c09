"""Whose yes a consent needs, when it has to be asked for again, and what two yeses have in common.

From seven a child agrees as well as who represents it (Law 91/2025/QH15 Art. 24): two signatures, given one
after the other, and what comes of them is never wider than either. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from consent.ages import AGES, reached_at
from consent.errors import CoConsentRequired
from consent.model import Actor, Evidence, Period, Scope, Signature, SignerRole

ATTESTED = "attested"
"""The channel of a yes that a practitioner heard and vouches for."""


def roles_needed(born: date, at: datetime) -> frozenset[SignerRole]:
    """Whose yes it takes for somebody born then: one's own, a representative's, or both."""
    if at >= reached_at(born, AGES.full_age):
        return frozenset({"self"})
    if at >= reached_at(born, AGES.co_consent):
        return frozenset({"child", "representative"})
    return frozenset({"representative"})


def role_of(evidence: Evidence, born: date, at: datetime) -> SignerRole:
    """As what somebody signs: for themselves, as the child, or for the child."""
    if evidence.relation == "guardian":
        return "representative"
    return "self" if at >= reached_at(born, AGES.full_age) else "child"


def check_alone(actor: Actor, at: datetime) -> None:
    """Refuse who cannot consent with one signature.

    Raises:
        CoConsentRequired: a child, or a guardian of anybody but a child under seven.
    """
    if roles_needed(actor.subject_born, at) != {role_of(actor.evidence, actor.subject_born, at)}:
        raise CoConsentRequired("subject")


def needs_two(born: date, at: datetime) -> bool:
    """Whether a consent for somebody born then takes two signatures."""
    return len(roles_needed(born, at)) > 1


def attestable(born: date, at: datetime) -> bool:
    """Whether a practitioner may vouch for this child's yes: from seven until it can have an own account."""
    return reached_at(born, AGES.co_consent) <= at < reached_at(born, AGES.own_account)


def holds_until(born: date, at: datetime, signatures: Iterable[Signature] = ()) -> datetime | None:
    """The instant from which a consent given at `at` has to be asked for again; None: at no age.

    At seven the child's own yes is missing, at eighteen the person's alone counts. At fourteen only what a
    practitioner attested is asked for again: from then on the child can sign by itself.
    """
    ages = [AGES.co_consent, AGES.full_age]
    if any(each.evidence.channel == ATTESTED for each in signatures):
        ages.append(AGES.own_account)
    return min((when for each in ages if (when := reached_at(born, each)) > at), default=None)


def counted(signatures: Iterable[Signature], actor: Actor, at: datetime) -> tuple[Signature, ...]:
    """Of earlier yeses those that still count beside the actor's own.

    One's own gives way to the new one; a representative's counts while they still act for the child, an
    attested one while a practitioner may vouch for the child at all.
    """
    born = actor.subject_born
    wanted = roles_needed(born, at)

    def counts(one: Signature) -> bool:
        if one.evidence.person_id == actor.evidence.person_id or one.role not in wanted:
            return False
        if one.role == "representative":
            return one.evidence.person_id in actor.representatives
        return one.evidence.channel != ATTESTED or attestable(born, at)

    return tuple(one for one in signatures if counts(one))


def missing(signatures: Iterable[Signature], born: date, at: datetime) -> frozenset[SignerRole]:
    """Whose yes is still needed beside these."""
    return roles_needed(born, at) - {each.role for each in signatures}


def in_common(scopes: Iterable[Scope]) -> Scope:
    """What all these answers to one request give: never more than any of them, on any dimension."""
    first, *others = scopes
    for other in others:
        first = _met(first, other)
    return first


def _met(one: Scope, other: Scope) -> Scope:
    limits = [each for each in (one.uses, other.uses) if each is not None]
    named = [each for each in (one.record_ids, other.record_ids) if each is not None]
    return replace(
        one,
        practitioner_id=one.practitioner_id or other.practitioner_id,
        categories=one.categories & other.categories,
        record_period=_shared(one.record_period, other.record_period),
        expires_at=min(one.expires_at, other.expires_at),
        uses=min(limits) if limits else None,
        labels=one.labels & other.labels,
        record_ids=frozenset.intersection(*named) if named else None,
        mode="VIEW" if "VIEW" in (one.mode, other.mode) else one.mode,
    )


def _shared(one: Period, other: Period) -> Period:
    firsts = [each for each in (one.first, other.first) if each is not None]
    lasts = [each for each in (one.last, other.last) if each is not None]
    return Period(max(firsts) if firsts else None, min(lasts) if lasts else None)
