"""Second signatures: a child and who represents it both agree, one after the other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from consent.errors import GrantNotFound
from consent.model import Grant
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.companions import check_grant, check_request
from wallet_api.routes.grants import journal_of, view_of
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.consents import (
    AnswerSchema,
    GrantSchema,
    NoticeOnlySchema,
    answer_of,
    notice_of,
)
from wallet_api.routes.signing import signing_actor
from wallet_api.routes.subjects import Subject, subject

co_consents = GuardedBlueprint(
    "co-consents",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Where a child's consent needs two yeses: the second one, and confirming it at an age.",
)


@co_consents.route("/consent-requests/<request_id>/co-approval")
class CoApproval(MethodView):
    """The second yes."""

    @co_consents.doc(operationId="coApproveConsentRequest")
    @co_consents.arguments(AnswerSchema, example=examples.APPROVAL)
    @co_consents.response(201, GrantSchema)
    @co_consents.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, request_id: str) -> dict[str, Any]:
        """Agree as the second; what both agreed to is granted, never more. Needs a recent sign-in."""
        step_up()
        who, grant_id = subject(citizen), act_id("grant")
        if again() is not None:
            with suppress(GrantNotFound):
                return view_of(services().consent.grant(who.citizen_id, grant_id))
        check_request(who, request_id)
        made = services().consent.complete(
            who.citizen_id,
            request_id,
            answer_of(form),
            signing_actor(who),
            journal_of("co_consent"),
            grant_id,
        )
        return view_of(still_acting(who, made))


@co_consents.route("/grants/<grant_id>/resumption")
class Resumption(MethodView):
    """Confirming what an age, or the end of a custody, has suspended."""

    @co_consents.doc(operationId="resumeGrant")
    @co_consents.arguments(NoticeOnlySchema, example=examples.RESUMPTION)
    @co_consents.response(200, GrantSchema)
    @co_consents.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Agree that a suspended grant works again; with the last yes of `needs` it does. Recent sign-in."""
        step_up()
        who = subject(citizen)
        check_grant(who, grant_id)
        if again() is not None:
            return view_of(services().consent.grant(who.citizen_id, grant_id))
        signed = services().consent.confirm_suspended(
            who.citizen_id, grant_id, notice_of(form), signing_actor(who), _resuming
        )
        if signed.state_at(services().now()) == "suspended":
            _log(Action.CONSENT_SIGNED, signed)
            return view_of(signed)
        return view_of(still_acting(who, signed))


def still_acting(who: Subject, made: Grant) -> Grant:
    """The grant, suspended again if the guardian who signed it was one no more when it came into force.

    Ending a guardianship suspends what stands by then; what was under way meanwhile is caught here.
    """
    if who.relation == "self":
        return made
    try:
        subject(who.citizen_id)
    except RecordNotFound:
        held = services().consent.suspend(made.citizen_id, made.id, "custody_ended", made.evidence.person_id)
        _log(Action.CONSENT_SUSPENDED, held)
        raise
    return made


def _resuming(grant: Grant) -> None:
    _log(Action.CONSENT_RESUMED, grant)


def _log(action: Action, grant: Grant) -> None:
    scope = grant.scope
    log_act(
        action,
        grant.citizen_id,
        grant_id=grant.id,
        organisation_id=scope.organisation_id,
        purpose=scope.purpose,
        categories=tuple(scope.categories),
    )
