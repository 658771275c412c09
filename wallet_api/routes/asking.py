"""Where a request is put: before whom it is meant for, before nobody, or in the place of an equal one."""

from __future__ import annotations

from dataclasses import dataclass

from consent.asking import Asking
from consent.errors import RequestNotFound, TooManyOpenRequests
from consent.model import ConsentRequest, Scope
from wallet_api.context import services
from wallet_api.routes.meant import Meant
from wallet_api.routes.references import organisation_id


@dataclass(frozen=True)
class Place:
    """`same` is an equal request that is open already; else the new one is for `citizen_id`."""

    citizen_id: str
    same: Asking | None = None


def place(person: Meant, scope: Scope, request_id: str) -> Place:
    """Find the place of a request. The work is the same whoever is meant.

    A person who shows a code is there and is asked, whatever was refused before.

    Raises:
        TooManyOpenRequests: so many are open under this number that another has to wait.
    """
    if person.spend is not None:
        return Place(person.citizen_id)
    book, whom = services().askings, f"{organisation_id()}|{person.asked}"
    same = book.equal(whom, scope)
    if same is not None and same.request_id != request_id and _still_open(whom, same):
        return Place(same.citizen_id, same)
    paused = book.pausing(person.citizen_id, organisation_id())
    citizen_id = person.nobody_id if paused else person.citizen_id
    kept = _keep(whom, scope, citizen_id, request_id)
    return Place(citizen_id) if kept.request_id == request_id else Place(kept.citizen_id, kept)


def state_told(found: ConsentRequest) -> str:
    """The state of a request as its asker is told it: requested, granted or closed.

    A refusal is told no sooner than an expiry would be: nobody's requests end only by time.
    """
    now = services().now()
    state = found.state_at(now)
    if state == "requested" or (state == "refused" and now < found.closes_at):
        return "requested"
    return "granted" if state == "granted" and found.grant_id is not None else "closed"


def _keep(whom: str, scope: Scope, citizen_id: str, request_id: str) -> Asking:
    book = services().askings
    try:
        return book.keep(whom, scope, citizen_id, request_id)
    except TooManyOpenRequests:
        # What was granted or closed since, as the asker knows, makes room.
        gone = [each for each in book.open(whom) if not _still_open(whom, each)]
        if not gone:
            raise
    return book.keep(whom, scope, citizen_id, request_id)


def _still_open(whom: str, asking: Asking) -> bool:
    """Whether the asker is told that a noted request is open; if not, the note goes."""
    book = services().askings
    try:
        found = services().consent.request_of_organisation(
            organisation_id(), asking.citizen_id, asking.request_id
        )
    except RequestNotFound:
        told = "requested" if book.under_way(asking) else "never made"
    else:
        told = state_told(found)
    if told != "requested":
        book.forget(whom, asking.request_id)
    return told == "requested"
