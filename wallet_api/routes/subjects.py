"""Whose book a path names, and in which relation the caller stands to that person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from consent.model import Actor, Evidence, Relation
from wallet_api.context import caller, services
from wallet_api.infra.ids import is_id
from wallet_api.records.errors import RecordNotFound

ME = "me"


@dataclass(frozen=True)
class Subject:
    """The person a path is about."""

    citizen_id: str
    relation: Relation


def subject(name: str) -> Subject:
    """The caller, or somebody the caller is guardian of today.

    Raises:
        RecordNotFound: anybody else, existing or not: there is nothing to see here.
    """
    own = caller().subject_id
    if name in (ME, own):
        return Subject(own, "self")
    if is_id(name) and services().identity.family.acts_for(own, name, services().now()):
        return Subject(name, "guardian")
    raise RecordNotFound(name)


def actor(who: Subject) -> Actor:
    """The caller acting on this person's consents, with the evidence of how."""
    me = caller()
    evidence = Evidence(
        person_id=me.subject_id,
        relation=who.relation,
        session_id=me.session_id,
        client_id=me.client_id,
        authenticated_at=me.auth_time or services().now(),
        assurance=me.acr or "",
    )
    return Actor(evidence, born(who.citizen_id))


def born(citizen_id: str) -> date:
    """The person's birth date."""
    return services().identity.people.facts(citizen_id).born


def organisation_view(organisation_id: str) -> dict[str, str]:
    """An organisation as citizens see it."""
    found = services().identity.organisations.get(organisation_id)
    return {"id": found.id, "name_vi": found.name_vi, "name_en": found.name_en, "kind": found.kind}
