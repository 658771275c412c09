"""Ops: pushes that were given up after many tries, and sending them again. Counts alone, nobody's name."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from notifications.dead_letters import DeadLetter
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services, viewer
from wallet_api.records.pages import bound
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas.base import PageQuery, StrictSchema, listed
from wallet_api.routes.schemas.dead_letters import DeadPushesPage, DeadPushesSchema, dead_letter_view
from wallet_api.routes.schemas.reminders import moment

dead_letters = GuardedBlueprint(
    "dead-letters",
    __name__,
    url_prefix="/api/v1/ops/dead-letters",
    guard=ops_only("operator"),
    budget="ops",
    description="Batches of pushes that were given up.",
)


@dead_letters.route("")
class DeadLetters(MethodView):
    """What was given up."""

    @dead_letters.doc(operationId="listDeadLetters")
    @dead_letters.arguments(PageQuery, location="query")
    @dead_letters.response(200, DeadPushesPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Batches that were given up after many tries, the latest first. They are kept for 30 days."""
        log_act(Action.COVERAGE_READ, None, reason="dead_letters")
        pages, binding, limit = services().pages, bound("dead-letters", viewer(), ""), query["limit"]
        state = pages.after(query["cursor"], binding)
        before = (moment(state["at"]), str(state["id"])) if state is not None else None
        found = services().reminding.dead_letters.page(limit + 1, before)
        shown, more = found[:limit], None
        if len(found) > len(shown):
            more = pages.next({"at": shown[-1].died_at.isoformat(), "id": shown[-1].id}, binding)
        return listed([dead_letter_view(each) for each in shown], more)


@dead_letters.route("/<letter_id>/replay")
class Replay(MethodView):
    """Trying again."""

    @dead_letters.doc(operationId="replayDeadLetter")
    @dead_letters.arguments(StrictSchema)
    @dead_letters.response(202, DeadPushesSchema)
    @once
    def post(self, form: dict[str, Any], letter_id: str) -> dict[str, Any]:
        """Queue the batch again for two days. Replaying twice sends once.

        Whether each reminder is still due, wanted and told to the right person is asked anew when it is sent.
        """
        spend("ops_run")
        found: DeadLetter = services().reminding.dead_letters.replay(letter_id)
        log_act(Action.REMINDER_SENT, None, reason="dead_letter_replayed")
        return dead_letter_view(found)
