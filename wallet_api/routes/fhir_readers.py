"""Who reads a book as FHIR: its person, a guardian, or a practitioner under an access session.

Each is given a narrowed reader and the names by which they know the patient and the records. A citizen's own
ids are ours; an organisation's are its references, written as a FHIR id may be: with dots for underscores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from consent.decision import decide_guardian, decide_own
from consent.emergency_rules import PURPOSE as EMERGENCY
from wallet_api.context import caller, services, viewer
from wallet_api.errors import Refusal
from wallet_api.identity.oauth.scopes import covers
from wallet_api.infra.crypto.errors import BadReference
from wallet_api.infra.ids import is_id, new_id
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.reader import RecordReader
from wallet_api.routes.fhir_answers import everybody, patient, url
from wallet_api.routes.guarded import practitioner_only
from wallet_api.routes.handover import hold_until
from wallet_api.routes.provider import granted, named_session
from wallet_api.routes.references import open_citizen, open_for_caller, seal_for_caller
from wallet_api.routes.subjects import ME, Subject, subject


@dataclass(frozen=True)
class Opened:
    """A book opened for the caller: the window, and what the caller calls the patient and a record."""

    reader: RecordReader
    patient: str
    name: Callable[[str], str]
    find: Callable[[str], str | None]
    """From what the caller calls a record to its id; None: it is nothing of this book's."""


def permit(kind: str, act: str) -> None:
    """Let a caller go on whose session reads ("r") or searches ("s") resources of a type.

    Raises:
        Refusal: it was narrowed to others.
    """
    if not covers(caller().scope, kind, act):
        raise Refusal("insufficient_scope", 403)


def open_book(named: str | None) -> Opened:
    """The book of a `Patient/{id}`, an id or an absolute URL of ours; None: the caller's own, or that of the
    access session.

    Raises:
        RecordNotFound, BadReference: nobody whom the caller may read. Refusal, SessionRefused: a provider
            without practitioner or access session. ConsentEnded, AccessRefused: not under this one.
    """
    reference = (named or ME).removeprefix(url(""))
    if caller().kind == "citizen":
        return _own(patient(reference))
    return _granted_book(None if named is None else reference.removeprefix("Patient/"))


def open_record(resource_id: str) -> tuple[Opened, str]:
    """The book in which the caller may find a resource, and the record's id in it.

    What is in no book of a citizen's is looked for, and logged, in their own.

    Raises:
        As `open_book`.
    """
    if caller().kind == "citizen":
        return _own(_holder(resource_id)), resource_id if is_id(resource_id) else new_id()
    whose, record_id = open_for_caller("record", _plain(resource_id))
    return _granted_book(None, whose), record_id


def people() -> list[Opened]:
    """Everybody whose book the caller may read: the person and their dependents, or the one of the session.

    Raises:
        As `open_book`.
    """
    if caller().kind == "citizen":
        return [_own(subject(each.citizen_id)) for each in _readable()]
    return [_granted_book(None)]


def _own(who: Subject) -> Opened:
    """A person's own window, or a guardian's, who is asked for once more also where a search was posted.

    A narrowed session has the own alone: the person is its patient.
    """
    if who.relation == "guardian" and caller().scope:
        raise RecordNotFound(who.citizen_id)
    if who.relation == "guardian" and request.method == "POST":
        hold_until(lambda: _ended(who))
    reader = services().book.readers.of_person(viewer(), who.citizen_id, who.relation, who.others)
    return Opened(reader, who.citizen_id, str, lambda text: text if is_id(text) else None)


def _readable() -> list[Subject]:
    return everybody()[:1] if caller().scope else everybody()


def _ended(ward: Subject) -> Exception | None:
    family = services().identity.family
    stands = family.acts_for(caller().subject_id, ward.citizen_id, services().now())
    return None if stands else RecordNotFound("ended")


def _holder(record_id: str) -> Subject:
    """Whom a record is about, as far as the caller may see it; the caller if it is nobody's."""
    readers = services().book.readers
    for who in _readable() if is_id(record_id) else ():
        decision = decide_own() if who.relation == "self" else decide_guardian(acts_for=True)
        books = (who.citizen_id, *who.others)
        if any(readers.admits(book, record_id, decision.predicate) for book in books):
            return subject(who.citizen_id)
    return subject(ME)


def _granted_book(named: str | None, whose: str | None = None) -> Opened:
    """The book of who is `named`, or is known by now; else of whom the access session is for."""
    citizen_id = whose or (_session_citizen() if named in (None, ME) else open_citizen(_plain(str(named))))
    reader, session = granted(citizen_id)
    if named in (None, ME):
        # In an emergency the person has a name of that access alone; the usual one would tell who it is.
        more = sorted(session.grant_ids)[:1] if session.purpose == EMERGENCY else []
        named = seal_for_caller("citizen", citizen_id, *more)

    def name(record_id: str) -> str:
        return _fhir_id(seal_for_caller("record", citizen_id, record_id))

    def find(text: str) -> str | None:
        try:
            whose, record_id = open_for_caller("record", _plain(text))
        except (BadReference, ValueError):
            return None
        return record_id if whose == citizen_id else None

    return Opened(reader, _fhir_id(str(named)), name, find)


def _session_citizen() -> str:
    practitioner_only()
    return named_session().citizen_id


def _fhir_id(reference: str) -> str:
    return reference.replace("_", ".")


def _plain(fhir_id: str) -> str:
    return fhir_id.replace(".", "_")
