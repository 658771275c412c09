"""Batches that were given up, as ops see them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from notifications.dead_letters import DeadLetter
from notifications.outgoing import BatchState
from wallet_api.routes.schemas.base import Code, Instant, ReplySchema, page_of


class DeadPushesSchema(ReplySchema):
    """A batch of pushes that was given up, in counts."""

    id = fields.String()
    template = fields.String(metadata={"description": "version of the fixed text that was not delivered"})
    pushes = fields.Integer(metadata={"description": "how many are still owed"})
    died_at = Instant(metadata={"description": "when it was tried last"})
    tries = fields.Integer()
    answers = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "what the last try heard, by answer"},
    )
    state = Code(tuple(BatchState), metadata={"description": "`dead`; `queued` and on once replayed"})


DeadPushesPage = page_of(DeadPushesSchema, "DeadPushesPage", "Batches that were given up, latest first.")


def dead_letter_view(found: DeadLetter) -> dict[str, Any]:
    """A dead letter ready to be written."""
    names = ("id", "template", "pushes", "died_at", "tries")
    told = {"answers": dict(found.answers), "state": found.state.value}
    return {name: getattr(found, name) for name in names} | told
