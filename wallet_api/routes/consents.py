"""The citizen's consents: who asks, what to grant, what was granted, and its end."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from flask.views import MethodView

from consent.errors import GrantNotFound
from consent.model import ConsentRequest, Grant
from consent.receipt import Party, content, signed
from consent.service import Journal
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services, viewer
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, act_secret, again, note, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import StrictSchema, listed
from wallet_api.routes.schemas.consents import (
    AnswerSchema,
    ConsentRequestSchema,
    GrantSchema,
    NarrowingSchema,
    PreviewSchema,
    RefusalSchema,
    answer_of,
    grant_view,
    request_view,
)
from wallet_api.routes.schemas.lists import ConsentRequestPage, GrantPage, ReceiptSchema, VisitCodeSchema
from wallet_api.routes.subjects import actor, organisation_view, subject

consents = GuardedBlueprint(
    "consents",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Who asks, who may read, and how to end it.",
)


def _request_view(found: ConsentRequest) -> dict[str, Any]:
    state = found.state_at(services().now())
    return request_view(found, state, organisation_view(found.scope.organisation_id))


def _grant_view(found: Grant) -> dict[str, Any]:
    state = found.state_at(services().now())
    return grant_view(found, state, organisation_view(found.scope.organisation_id))


def _grant_fields(grant: Grant) -> dict[str, Any]:
    scope = grant.scope
    return {
        "grant_id": grant.id,
        "organisation_id": scope.organisation_id,
        "purpose": scope.purpose,
        "categories": tuple(scope.categories),
    }


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
        return {"visit_code": f"{code[:5]}-{code[5:]}", "expires_at": expires_at}


@consents.route("/consent-requests")
class Requests(MethodView):
    """Who asks."""

    @consents.doc(operationId="listConsentRequests")
    @consents.response(200, ConsentRequestPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """The newest hundred requests, newest first."""
        found = services().consent.requests(subject(citizen).citizen_id)
        return listed([_request_view(each) for each in found])


@consents.route("/consent-requests/<request_id>")
class OneRequest(MethodView):
    """One request."""

    @consents.doc(operationId="getConsentRequest")
    @consents.response(200, ConsentRequestSchema)
    def get(self, citizen: str, request_id: str) -> dict[str, Any]:
        """Who asks for what, for how long, and why."""
        return _request_view(services().consent.request(subject(citizen).citizen_id, request_id))


@consents.route("/consent-requests/<request_id>/preview")
class Preview(MethodView):
    """A dry run of a request."""

    @consents.doc(operationId="previewConsentRequest")
    @consents.response(200, PreviewSchema)
    def get(self, citizen: str, request_id: str) -> dict[str, Any]:
        """Which records the asker would see today: the counts, and the newest twenty."""
        who = subject(citizen)
        scope = services().consent.request(who.citizen_id, request_id).scope
        seen = services().book.readers.of_person(viewer(), who.citizen_id, who.relation).preview(scope)
        return {
            "counts": seen.counts,
            "records": [
                {"id": each.id, "category": each.category, "occurred_on": each.occurred_on.text}
                for each in seen.newest
            ],
        }


@consents.route("/consent-requests/<request_id>/approval")
class Approval(MethodView):
    """Saying yes."""

    @consents.doc(operationId="approveConsentRequest")
    @consents.arguments(AnswerSchema, example=examples.APPROVAL)
    @consents.response(201, GrantSchema)
    @consents.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, request_id: str) -> dict[str, Any]:
        """Grant as asked, or narrower. Needs a sign-in of the last five minutes."""
        step_up()
        who, grant_id = subject(citizen), act_id("grant")
        if again() is not None:
            with suppress(GrantNotFound):
                return _grant_view(services().consent.grant(who.citizen_id, grant_id))
        answer = answer_of(form)
        grant = services().consent.approve(
            who.citizen_id, request_id, answer, actor(who), _journal("own_act"), grant_id
        )
        return _grant_view(grant)


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


@consents.route("/grants")
class Grants(MethodView):
    """What was granted."""

    @consents.doc(operationId="listGrants")
    @consents.response(200, GrantPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """The newest hundred grants, newest first, those that are over too."""
        return listed([_grant_view(each) for each in services().consent.grants(subject(citizen).citizen_id)])


@consents.route("/grants/<grant_id>")
class OneGrant(MethodView):
    """One grant."""

    @consents.doc(operationId="getGrant")
    @consents.response(200, GrantSchema, headers={"ETag": "ETag"})
    def get(self, citizen: str, grant_id: str) -> Any:
        """What exactly was granted, and its state. The ETag is what a narrowing must name."""
        found = services().consent.grant(subject(citizen).citizen_id, grant_id)
        return _grant_view(found), {"ETag": f'"{found.version}"'}

    @consents.doc(operationId="narrowGrant", parameters=["If-Match"])
    @consents.arguments(NarrowingSchema, example=examples.NARROWING)
    @consents.response(200, GrantSchema)
    @consents.alt_response(412)
    @consents.alt_response(428)
    def patch(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Take part of it back; never widens. The answer is the grant that takes its place."""
        who = subject(citizen)
        expected = _expected_version(who.citizen_id, grant_id)
        new = services().consent.narrow(
            who.citizen_id, grant_id, answer_of(form), expected, actor(who), _journal("narrowed")
        )
        return _grant_view(new)


@consents.route("/grants/<grant_id>/receipt")
class Receipt(MethodView):
    """The proof of a grant."""

    @consents.doc(operationId="getReceipt")
    @consents.response(200, ReceiptSchema)
    def get(self, citizen: str, grant_id: str) -> Any:
        """The signed receipt, verifiable offline with the published keys."""
        who = subject(citizen)
        grant = services().consent.grant(who.citizen_id, grant_id)
        notice = services().consent.notice(grant.scope.purpose, grant.notice.locale)
        recipient = services().identity.organisations.get(grant.scope.organisation_id)
        fields = content(
            grant,
            Party(services().settings.public_url, "Health wallet", "controller"),
            Party(recipient.id, recipient.name_vi, "recipient"),
            notice.text if notice.sha256 == grant.notice.sha256 else "",
        )
        log_act(Action.CONSENT_RECEIPT_READ, who.citizen_id, grant_id=grant.id)
        return {"receipt": signed(fields, services().receipt_signing())}, {"Cache-Control": "no-store"}


@consents.route("/grants/<grant_id>/withdrawal")
class Withdrawal(MethodView):
    """The end of a grant."""

    @consents.doc(operationId="withdrawGrant")
    @consents.arguments(RefusalSchema)
    @consents.response(200, GrantSchema)
    @once
    def post(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Withdraw. It has stopped working, everywhere, when this answers. Never needs a new sign-in."""
        who = subject(citizen)
        ended = services().consent.withdraw(who.citizen_id, grant_id, form["reason"], actor(who))
        log_act(Action.CONSENT_WITHDRAWN, who.citizen_id, **_grant_fields(ended))
        return _grant_view(ended)


def _journal(reason: str) -> Journal:
    def journal(grant: Grant) -> None:
        log_act(Action.CONSENT_GRANTED, grant.citizen_id, reason=reason, **_grant_fields(grant))

    return journal


def _expected_version(citizen_id: str, grant_id: str) -> int:
    """The version the caller has seen; 0, which no grant has, if it is none of those named."""
    seen = if_match()
    current = services().consent.grant(citizen_id, grant_id).version
    return current if str(current) in seen else 0
