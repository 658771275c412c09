"""Whose book a path names, and in which relation the caller stands to that person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from consent.model import Actor, Evidence, Relation
from wallet_api.context import caller, services, viewer
from wallet_api.infra.ids import is_id
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.reader import PersonReader
from wallet_api.routes.handover import hold_guardian

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
        hold_guardian(own, name)
        return Subject(name, "guardian")
    raise RecordNotFound(name)


def own_id(name: str) -> str:
    """The caller's own id: what is behind it is nobody else's business, a guardian's included.

    Raises:
        RecordNotFound: the path names anybody else.
    """
    who = subject(name)
    if who.relation != "self":
        raise RecordNotFound(name)
    return who.citizen_id


def reader(name: str) -> PersonReader:
    """The caller's window on the book a path names.

    Raises:
        RecordNotFound: as for `subject`.
    """
    who = subject(name)
    return services().book.readers.of_person(viewer(), who.citizen_id, who.relation)


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


_SHOWN = ("id", "name_vi", "name_en", "kind", "facility_code", "verified", "looks_like", "merged_into")


def organisation_view(organisation_id: str) -> dict[str, Any]:
    """An organisation as citizens see it."""
    found = services().identity.organisations.get(organisation_id)
    return {name: getattr(found, name) for name in _SHOWN}
