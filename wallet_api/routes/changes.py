"""What changed in a book: for an app that keeps a copy of it."""

from __future__ import annotations

from typing import Any

from flask import make_response
from flask.views import MethodView

from wallet_api.context import services, viewer
from wallet_api.infra.clock import vn_day
from wallet_api.records.sync import SyncPage
from wallet_api.routes.edge import none_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas.changes import ChangePageSchema, ChangesQuery, changes_view
from wallet_api.routes.subjects import Subject, reader, subject

changes = GuardedBlueprint(
    "changes",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/changes",
    guard=citizen_only,
    budget="citizen",
    description="What changed in a book, for apps that keep a copy of it.",
)


@changes.route("")
class Changes(MethodView):
    """What changed."""

    @changes.doc(operationId="listChanges", parameters=["If-None-Match"])
    @changes.arguments(ChangesQuery, location="query")
    @changes.response(200, ChangePageSchema, headers={"ETag": "ETag"})
    @changes.alt_response(304, description="The copy at hand is still good.", headers={"ETag": "ETag"})
    @changes.alt_response(410)
    def get(self, query: dict[str, Any], citizen: str) -> Any:
        """The book without `since`, in the order of ids; with it, what changed: each record at most once.

        A record that may be seen no longer is `deleted`. 410 `resync_required`: throw the copy away and begin
        without `since`. An answer without items is no look, and leaves no line in the log.
        """
        who, book = subject(citizen), reader(citizen)
        page = book.sync.page(query["since"], _basis(who), query["limit"])
        etag = _etag(who, page)
        if none_match(etag):
            return make_response("", 304, {"ETag": f'"{etag}"'})
        return changes_view(page), {"ETag": f'"{etag}"'}


def _basis(who: Subject) -> str:
    """By which relation a guardian reads: whoever is made one anew begins a new copy."""
    if who.relation == "self":
        return ""
    stands = services().identity.family.standing(viewer().id, who.citizen_id, services().now())
    return "" if stands is None else stands.id


def _etag(who: Subject, page: SyncPage) -> str:
    """The same for the same changes on one day: daily the cursor is made new, or it would run out."""
    told = [f"{each.record_id}:{each.record.version if each.record else ''}" for each in page.changes]
    day = vn_day(services().now()).isoformat()
    return services().etags.etag("changes", viewer().id, who.citizen_id, day, str(page.more), *told)
