"""Providers: what became of the consents they hold, in an order that only grows."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.context import services
from wallet_api.routes.guarded import GuardedBlueprint, provider_only
from wallet_api.routes.references import organisation_id, seal_for_caller
from wallet_api.routes.schemas.events import FeedQuery, FeedSchema, event_view

events = GuardedBlueprint(
    "events",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="The feed of an organisation.",
)


@events.route("/events")
class Events(MethodView):
    """The organisation's own feed."""

    @events.doc(operationId="listEvents")
    @events.arguments(FeedQuery, location="query")
    @events.response(200, FeedSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """What happened to this organisation's consents and requests, oldest first.

        No practitioner need be named. Nothing is ever taken out: reading from 0 gives the whole truth again.
        """
        page = services().telling.feed.page(organisation_id(), query["since"], query["limit"])
        return {
            "items": [event_view(each, seal_for_caller) for each in page.events],
            "next_since": page.since,
            "has_more": page.more,
        }
