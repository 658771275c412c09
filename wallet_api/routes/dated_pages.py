"""Pages of lists that are newest first by (time, id): requests and grants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from wallet_api.context import services, viewer
from wallet_api.records.pages import bound
from wallet_api.routes.schemas.base import listed

T = TypeVar("T")
Before = tuple[datetime, str]


def dated_page(
    name: str,
    citizen_id: str,
    query: dict[str, Any],
    fetch: Callable[[int, Before | None], list[T]],
    place: Callable[[T], Before],
    view: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    """One page. `fetch` takes (how many, from where on); the cursor is this reader's, for this list alone.

    Raises:
        BadCursor: it was not given to this reader for this list, or is too old.
    """
    binding, pages = bound(name, viewer(), citizen_id), services().pages
    state = pages.after(query["cursor"], binding)
    before = (datetime.fromisoformat(state["at"]), str(state["id"])) if state is not None else None
    found = fetch(query["limit"] + 1, before)
    shown, more = found[: query["limit"]], None
    if len(found) > len(shown):
        at, last_id = place(shown[-1])
        more = pages.next({"at": at.isoformat(), "id": last_id}, binding)
    return listed([view(each) for each in shown], more)
