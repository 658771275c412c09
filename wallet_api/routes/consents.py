"""The citizen's consents: who asks, what to grant, what was granted, and its end."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Response, make_response
from flask.views import MethodView

from consent.errors import GrantNotFound
from consent.model import Actor, Answer, ConsentRequest
from consent.offers import expiry_offers
from consent.visit_codes import qr_text
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.routes.co_consents import still_acting
from wallet_api.routes.companions import check_request, request_seen, requests_seen
from wallet_api.routes.dated_pages import dated_page
from wallet_api.routes.grants import journal_of, view_of
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, act_secret, again, note, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import PageQuery, StrictSchema
from wallet_api.routes.schemas.consents import (
    AnswerSchema,
    ConsentRequestSchema,
    GrantSchema,
    PreviewSchema,
    RefusalSchema,
    answer_of,
    preview_view,
    request_view,
)
from wallet_api.routes.schemas.lists import ConsentRequestPage, VisitCodeSchema
from wallet_api.routes.signing import signed_request, signing_actor, takes_two
from wallet_api.routes.subjects import actor, organisation_view, reader, subject

consents = GuardedBlueprint(
    "consents",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Who asks, who may read, and how to end it.",
)


def _request_view(found: ConsentRequest) -> dict[str, Any]:
    now = services().now()
    shown = request_view(found, found.state_at(now), organisation_view(found.scope.organisation_id))
    offers = expiry_offers(found.scope.expires_at, now)
    return shown | signed_request(found) | {"expiry_offers": offers}


@consents.route("/visit-codes")
class VisitCodes(MethodView):
    """One-time codes for the surgery."""

    @consents.doc(operationId="makeVisitCode")
    @consents.arguments(StrictSchema)
    @consents.response(201, VisitCodeSchema)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """A code to show the doctor: ten characters, five minutes, one use."""
        who = subject(citizen)
        spend("visit_code", who.citizen_id)
        noted, codes = again(), services().visit_codes
        expires_at = datetime.fromisoformat(noted["until"]) if noted else codes.until()
        note(until=expires_at.isoformat())
        code = codes.issue_until(who.citizen_id, expires_at, act_secret("visit_code"))
        log_act(Action.VISIT_CODE_ISSUED, who.citizen_id)
        return {"visit_code": f"{code[:5]}-{code[5:]}", "qr": qr_text(code), "expires_at": expires_at}


@consents.route("/consent-requests")
class Requests(MethodView):
    """Who asks."""

    @consents.doc(operationId="listConsentRequests")
    @consents.arguments(PageQuery, location="query")
    @consents.response(200, ConsentRequestPage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Requests, newest first."""
        who = subject(citizen)
        whose = who.citizen_id
        return dated_page(
            "consent-requests",
            whose,
            query,
            lambda limit, before: requests_seen(who, limit, before),
            lambda each: (each.created_at, each.id),
            _request_view,
        )


@consents.route("/consent-requests/<request_id>")
class OneRequest(MethodView):
    """One request."""

    @consents.doc(operationId="getConsentRequest")
    @consents.response(200, ConsentRequestSchema)
    def get(self, citizen: str, request_id: str) -> dict[str, Any]:
        """Who asks for what, for how long, and why."""
        return _request_view(request_seen(subject(citizen), request_id))


@consents.route("/consent-requests/<request_id>/preview")
class Preview(MethodView):
    """A dry run of a request."""

    @consents.doc(operationId="previewConsentRequest")
    @consents.response(200, PreviewSchema)
    def get(self, citizen: str, request_id: str) -> dict[str, Any]:
        """Exactly the records the asker would see today, were the request granted as asked."""
        scope = request_seen(subject(citizen), request_id).scope
        return preview_view(reader(citizen).preview(scope))


@consents.route("/consent-requests/<request_id>/approval")
class Approval(MethodView):
    """Saying yes."""

    @consents.doc(operationId="approveConsentRequest")
    @consents.arguments(AnswerSchema, example=examples.APPROVAL)
    @consents.response(201, GrantSchema)
    @consents.alt_response(202, schema=ConsentRequestSchema, description="The other yes is still needed.")
    @consents.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, request_id: str) -> Any:
        """Grant as asked, or narrower. Needs a sign-in of the last five minutes.

        For a child of seven or more this is the first of two yeses: 202, and the request stays open.
        """
        step_up()
        who, grant_id = subject(citizen), act_id("grant")
        if again() is not None:
            with suppress(GrantNotFound):
                return view_of(services().consent.grant(who.citizen_id, grant_id))
        check_request(who, request_id)
        answer, acting = answer_of(form), signing_actor(who)
        if takes_two(acting):
            return _signed(who.citizen_id, request_id, answer, acting)
        grant = services().consent.approve(
            who.citizen_id, request_id, answer, acting, journal_of("own_act"), grant_id
        )
        return view_of(still_acting(who, grant))


def _signed(citizen_id: str, request_id: str, answer: Answer, acting: Actor) -> Response:
    signed = services().consent.sign(citizen_id, request_id, answer, acting)
    scope = signed.scope
    log_act(
        Action.CONSENT_SIGNED,
        citizen_id,
        organisation_id=scope.organisation_id,
        purpose=scope.purpose,
        categories=tuple(scope.categories),
    )
    return make_response(ConsentRequestSchema().dump(_request_view(signed)), 202)


@consents.route("/consent-requests/<request_id>/refusal")
class Refusing(MethodView):
    """Saying no."""

    @consents.doc(operationId="refuseConsentRequest")
    @consents.arguments(RefusalSchema)
    @consents.response(200, ConsentRequestSchema)
    @consents.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, request_id: str) -> dict[str, Any]:
        """Refuse. The asker cannot tell it from no answer."""
        who = subject(citizen)
        check_request(who, request_id)
        if again() is not None:
            known = services().consent.request(who.citizen_id, request_id)
            if known.state == "refused":
                return _request_view(known)
        refused = services().consent.refuse(who.citizen_id, request_id, form["reason"], actor(who))
        log_act(
            Action.CONSENT_REFUSED,
            who.citizen_id,
            organisation_id=refused.scope.organisation_id,
            purpose=refused.scope.purpose,
        )
        return _request_view(refused)
