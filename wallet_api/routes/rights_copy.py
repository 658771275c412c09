"""The copy of a person's data, written piece by piece: nothing of it is ever kept.

Its pages of records are read, decided and logged like any other look, so a guardian's copy lacks what is
hidden from guardians. It goes out as it is read; if reading fails on the way, the JSON does not end and
`complete` is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from wallet_api.context import services
from wallet_api.errors import language
from wallet_api.records.model import Filter, Record
from wallet_api.routes.companions import entries_seen, grants_seen
from wallet_api.routes.corrections import corrections_of
from wallet_api.routes.disputes import disputes_of
from wallet_api.routes.log_lines import log_line
from wallet_api.routes.schemas.base import instant
from wallet_api.routes.schemas.consents import grant_view
from wallet_api.routes.schemas.records import record_view
from wallet_api.routes.schemas.shares import ShareSchema, share_view
from wallet_api.routes.subjects import Subject, organisation_view, reader

_PAGE = 100


def copy_of(citizen: str, who: Subject) -> Iterator[str]:
    """The members of the copy, one after the other; of each book, where several are one."""
    books = [who, *(Subject(each, who.relation) for each in who.others)]
    yield f'{{"made_at":{_json(instant(services().now()))},"citizen":{_json(_profile(who))}'
    yield ',"records":{"resourceType":"Bundle","type":"collection","entry":['
    provenance: list[dict[str, Any]] = []
    yield from _joined({"resource": each.resource} for each in _records(citizen, provenance))
    yield ']},"provenance":['
    yield from _joined(provenance)
    yield '],"consents":['
    yield from _joined(chain.from_iterable(map(_grants, books)))
    yield '],"shares":['
    yield from _joined(chain.from_iterable(map(_shares, books)))
    yield '],"access_log":['
    yield from _joined(chain.from_iterable(map(_log, books)))
    yield '],"correction_requests":['
    yield from _joined(chain.from_iterable(map(corrections_of, books)))
    yield '],"disputes":['
    yield from _joined(chain.from_iterable(map(disputes_of, books)))
    yield '],"complete":true}'


def _profile(who: Subject) -> dict[str, Any]:
    people, books = services().identity.people, (who.citizen_id, *who.others)
    found = people.profile(who.citizen_id)
    return {
        "id": who.citizen_id,
        "name": found.name,
        "birth_date": found.birth_date,
        "sex": found.sex,
        "phone": found.phone,
        "province": found.province,
        "commune": found.commune,
        "identifiers": [vars(each) for book in books for each in people.masked_identifiers(book)],
        "identifier_history": [vars(each) for book in books for each in people.identifier_history(book)],
        "birth": _birth(who.citizen_id),
    }


def _birth(citizen_id: str) -> dict[str, Any] | None:
    """What the registration of a newborn rested on."""
    found = services().births.of(citizen_id)
    if found is None:
        return None
    names = ("born_on", "birth_order", "paper_kind", "paper_number", "organisation_id", "registered_at")
    return {name: getattr(found, name) for name in names}


def _records(citizen: str, provenance: list[dict[str, Any]]) -> Iterator[Record]:
    book, cursor = reader(citizen), None
    while True:
        page = book.page(Filter(), cursor, _PAGE)
        for each in page.records:
            view = record_view(each, each.id)
            provenance.append({name: value for name, value in view.items() if name != "resource"})
            yield each
        cursor = page.next_cursor
        if cursor is None:
            return


def _grants(who: Subject) -> Iterator[dict[str, Any]]:
    before = None
    while page := grants_seen(who, _PAGE, before):
        for each in page:
            state = each.state_at(services().now())
            yield grant_view(each, state, organisation_view(each.scope.organisation_id))
        before = page[-1].granted_at, page[-1].id


def _shares(who: Subject) -> Iterator[dict[str, Any]]:
    """Share links with who came; of a link there is nothing to copy, nobody keeps it."""
    desk, before = services().sharing.desk, None
    schema = ShareSchema()
    while page := desk.listed(who.citizen_id, who.relation, before, _PAGE):
        for each in page:
            yield schema.dump(share_view(each, services().now(), language()))
        before = page[-1].place


def _log(who: Subject) -> Iterator[dict[str, Any]]:
    """The lines of the list: to a guardian without those that tell of what is hidden or flagged."""
    companion, before = who.relation == "guardian", None
    while page := entries_seen(who, before, _PAGE):
        for each in page:
            yield log_line(each, "", companion=companion)
        before = page[-1].entry_id


def _joined(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    first = True
    for each in items:
        yield _json(each) if first else "," + _json(each)
        first = False


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)


def _text(value: Any) -> str:
    return instant(value) if hasattr(value, "tzinfo") else str(value)
