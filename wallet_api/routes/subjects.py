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
from wallet_api.routes.handover import hold_guardian, hold_until

ME = "me"


@dataclass(frozen=True)
class Subject:
    """The person a path is about."""

    citizen_id: str
    relation: Relation
    others: tuple[str, ...] = ()
    """Books that continue in the citizen's and are one with it for the caller."""


def subject(name: str) -> Subject:
    """The caller, or somebody the caller is guardian of today.

    A book that continues in the caller's own since a merge is theirs under its own name as well: its
    consents, blocks and log are those that it had.

    Raises:
        RecordNotFound: anybody else, existing or not: there is nothing to see here.
    """
    own, books = caller().subject_id, caller().books
    if name in (ME, own, *books):
        if books:
            hold_until(_signed_out)
        return Subject(own, "self", books) if name in (ME, own) else Subject(name, "self")
    if is_id(name) and (others := _ward_books(name)) is not None:
        return Subject(name, "guardian", others)
    raise RecordNotFound(name)


def _ward_books(name: str) -> tuple[str, ...] | None:
    """The books that continue in a ward's, as far as the caller acts for them; None: it is no ward."""
    own = caller().subject_id
    others = services().identity.family.books_of(own, name, services().now())
    for each in () if others is None else (name, *others):
        hold_guardian(own, each)
    return others


def _signed_out() -> Exception | None:
    """A merge and its undoing end the session: what was read of both books must not leave after it."""
    found = services().identity.sessions.get(caller().session_id)
    live = found is not None and services().identity.sessions.live(found)
    return None if live else RecordNotFound("ended")


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
    return services().book.readers.of_person(viewer(), who.citizen_id, who.relation, who.others)


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
