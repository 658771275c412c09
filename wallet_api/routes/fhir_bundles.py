"""Bundles of the FHIR side: pages of searches with sealed cursors, and histories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from wallet_api.context import services, viewer
from wallet_api.records.model import Position, Record
from wallet_api.records.pages import bound
from wallet_api.routes.fhir_answers import url
from wallet_api.routes.fhir_query import Asked
from wallet_api.routes.fhir_readers import Opened
from wallet_api.routes.fhir_resources import Json, resource_of
from wallet_api.routes.schemas.base import instant

_SHOWN: Final = frozenset({"_count", "_sort", "_total", "_summary", "_type"})
"""What a `self` link repeats: nothing that says whom or what was searched for."""


@dataclass(frozen=True)
class Resumed:
    """What a cursor held: the search, whose book in the reader's words, and where the page before ended."""

    texts: list[tuple[str, str]]
    patient: str
    after: Position


def resumed(cursor: str | None, *listed: str) -> Resumed | None:
    """What is sealed in a cursor; None at the first page.

    Raises:
        BadCursor: it was not given to this reader for this list, or is too old.
    """
    state = services().pages.after(cursor, bound("fhir", viewer(), "", *listed))
    if state is None:
        return None
    texts = [(str(name), str(value)) for name, value in state["texts"]]
    return Resumed(texts, str(state["patient"]), Position(str(state["on"]), str(state["id"])))


def sealed(asked: Asked, patient: str, rest: Position | None, *listed: str) -> str | None:
    """The cursor to the rest; None if there is none."""
    if rest is None:
        return None
    state = {"texts": asked.texts, "patient": patient, "on": rest.occurred, "id": rest.record_id}
    return services().pages.next(state, bound("fhir", viewer(), "", *listed))


def search_page(
    path: str, asked: Asked, resources: Iterable[Json], cursor: str | None = None, total: int | None = None
) -> Json:
    """A page of a search. `total` counts what this reader sees, or is absent."""
    shown = urlencode([(name, value) for name, value in asked.texts if name in _SHOWN])
    links = [{"relation": "self", "url": url(f"{path}?{shown}" if shown else path)}]
    if cursor is not None:
        links.append({"relation": "next", "url": url(f"{path}?{urlencode({'cursor': cursor})}")})
    entries = [
        {
            "fullUrl": url(f"{each['resourceType']}/{each['id']}"),
            "resource": each,
            "search": {"mode": "match"},
        }
        for each in resources
    ]
    counted: Mapping[str, Any] = {} if total is None else {"total": total}
    made: Json = {"resourceType": "Bundle", "type": "searchset", **counted, "link": links}
    return made | ({"entry": entries} if entries else {})


def history_of(book: Opened, versions: Sequence[Record]) -> Json:
    """The versions of one resource that this reader may see, newest first."""
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(versions),
        "entry": [_version(book, each) for each in versions],
    }


def _version(book: Opened, record: Record) -> Json:
    resource = resource_of(record, book.patient, book.name)
    path = f"{resource['resourceType']}/{resource['id']}"
    request = {"method": "PUT", "url": path}
    if record.version == 1:
        request = {"method": "POST", "url": str(resource["resourceType"])}
    status = "201" if record.version == 1 else "200"
    response = {"status": status, "lastModified": instant(record.recorded_at)}
    return {"fullUrl": url(path), "resource": resource, "request": request, "response": response}
