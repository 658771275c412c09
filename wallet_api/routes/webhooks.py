"""Ops: where the events of an organisation are pushed to. Only registrars say so, never the organisation."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.events.errors import WebhookNotFound
from wallet_api.events.webhooks import Webhook
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.events import (
    RewindForm,
    WebhookForm,
    WebhookPage,
    WebhookSchema,
    webhook_view,
)

webhooks = GuardedBlueprint(
    "webhooks",
    __name__,
    url_prefix="/api/v1/ops/organisations/<organisation_id>/webhooks",
    guard=ops_only("registrar"),
    budget="ops",
    description="Where the events of an organisation are pushed to.",
)


@webhooks.route("")
class Webhooks(MethodView):
    """The webhooks of an organisation."""

    @webhooks.doc(operationId="listWebhooks")
    @webhooks.response(200, WebhookPage)
    def get(self, organisation_id: str) -> dict[str, Any]:
        """Where events go, how far each webhook has come, and what could not be pushed."""
        known = services().identity.organisations.get(organisation_id)
        return listed([_view(each) for each in services().telling.webhooks.of(known.id)])

    @webhooks.doc(operationId="addWebhook")
    @webhooks.arguments(WebhookForm, example=examples.WEBHOOK)
    @webhooks.response(201, WebhookSchema)
    @webhooks.alt_response(409)
    @once
    def post(self, form: dict[str, Any], organisation_id: str) -> dict[str, Any]:
        """Push this organisation's events to an address, from a position of its feed on."""
        known = services().identity.organisations.get(organisation_id)
        register, made_id = services().telling.webhooks, act_id("webhook")
        if again() is not None:
            with suppress(WebhookNotFound):
                return _view(register.get(known.id, made_id))
        register.check(known.id, form["url"])
        # Before it stands: the log may tell of an address that then was not added, never the reverse.
        _log("webhook_added", known.id)
        return _view(register.add(known.id, form["url"], form["since"], made_id))


@webhooks.route("/<webhook_id>")
class OneWebhook(MethodView):
    """One webhook."""

    @webhooks.doc(operationId="removeWebhook")
    @webhooks.response(204)
    def delete(self, organisation_id: str, webhook_id: str) -> None:
        """Push nothing there any more; what is on its way may still arrive."""
        services().telling.webhooks.remove(organisation_id, webhook_id)
        _log("webhook_removed", organisation_id)


@webhooks.route("/<webhook_id>/rewind")
class Rewinding(MethodView):
    """Pushing again."""

    @webhooks.doc(operationId="rewindWebhook")
    @webhooks.arguments(RewindForm, example=examples.REWIND)
    @webhooks.response(200, WebhookSchema)
    @once
    def post(self, form: dict[str, Any], organisation_id: str, webhook_id: str) -> dict[str, Any]:
        """Push again what lies behind a position of the feed, dead letters among it."""
        register = services().telling.webhooks
        register.get(organisation_id, webhook_id)
        _log("webhook_rewound", organisation_id)
        return _view(register.rewind(organisation_id, webhook_id, form["since"]))


def _view(webhook: Webhook) -> dict[str, Any]:
    return webhook_view(webhook, services().telling.webhooks.dead_letters(webhook.id))


def _log(reason: str, organisation_id: str) -> None:
    log_act(Action.ORGANISATION_CHANGED, None, reason=reason, detail={"organisation": organisation_id})
