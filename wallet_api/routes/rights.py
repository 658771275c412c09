"""A person's requests about the own data: ask, see where it stands, take back, fetch the copy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Response, stream_with_context
from flask.views import MethodView

from consent.rules import check_actor
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import language
from wallet_api.records.pages import bound
from wallet_api.rights.desk import Asked, Journal
from wallet_api.rights.errors import RightsRequestNotFound, RightsStepRefused
from wallet_api.rights.model import RightsRequest
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.rights_copy import copy_of
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import PageQuery, listed
from wallet_api.routes.schemas.rights import (
    CopySchema,
    RightsCancellationForm,
    RightsForm,
    RightsPage,
    RightsRequestSchema,
    rights_view,
)
from wallet_api.routes.subjects import Subject, actor, subject

rights = GuardedBlueprint(
    "rights",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/rights-requests",
    guard=citizen_only,
    budget="citizen",
    description="Requests about one's own data, with the legal time limits for answering them.",
)


@rights.route("")
class RightsRequests(MethodView):
    """What was asked."""

    @rights.doc(operationId="listRightsRequests")
    @rights.arguments(PageQuery, location="query")
    @rights.response(200, RightsPage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """The requests, newest first. A guardian sees those that guardians made."""
        who = subject(citizen)
        binding = bound("rights", viewer(), who.citizen_id)
        state = services().pages.after(query["cursor"], binding)
        before = str(state["before"]) if state is not None else None
        found = services().rights.listed(who.citizen_id, who.relation, before, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"before": shown[-1].place}, binding)
        return listed([_view(each) for each in shown], more)

    @rights.doc(operationId="makeRightsRequest")
    @rights.arguments(RightsForm, example=examples.RIGHTS_REQUEST)
    @rights.response(201, RightsRequestSchema)
    @rights.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Ask. To have data erased needs a sign-in of the last five minutes.

        For a child of seven or more a guardian cannot ask for erasure alone.
        """
        if form["kind"] == "erase":
            step_up()
        who = subject(citizen)
        if form["kind"] == "erase":
            check_actor(actor(who), services().now())
        made_id = act_id("rights")
        if again() is not None:
            with suppress(RightsRequestNotFound):
                return _view(services().rights.of_person(who.citizen_id, made_id, who.relation))
        asked = Asked(
            made_id, who.citizen_id, form["kind"], form["details"], caller().subject_id, who.relation
        )
        return _view(services().rights.ask(asked, _journal(Action.RIGHTS_REQUESTED)))


@rights.route("/<rights_id>")
class OneRightsRequest(MethodView):
    """One request."""

    @rights.doc(operationId="getRightsRequest")
    @rights.response(200, RightsRequestSchema)
    def get(self, citizen: str, rights_id: str) -> dict[str, Any]:
        """Where it stands, and by when what must be done."""
        return _view(_found(subject(citizen), rights_id))


@rights.route("/<rights_id>/cancellation")
class RightsCancellation(MethodView):
    """Taking it back."""

    @rights.doc(operationId="takeBackRightsRequest")
    @rights.arguments(RightsCancellationForm)
    @rights.response(200, RightsRequestSchema)
    @rights.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, rights_id: str) -> dict[str, Any]:
        """Take a waiting request back, or lift a restriction that is in force.

        Lifting opens: it needs a sign-in of the last five minutes, and a guardian cannot do it for a child of
        seven or more, nor lift what the child asked for.
        """
        who = subject(citizen)
        found = _found(who, rights_id)

        def may_open() -> None:
            step_up()
            check_actor(actor(who), services().now())

        journal = _journal(Action.RIGHTS_TAKEN_BACK)
        return _view(services().rights.take_back(found, who.relation, caller().subject_id, may_open, journal))


@rights.route("/<rights_id>/copy")
class RightsCopy(MethodView):
    """The copy."""

    @rights.doc(operationId="getRightsCopy")
    @rights.response(200, CopySchema)
    @rights.alt_response(409)
    def get(self, citizen: str, rights_id: str) -> Any:
        """Everything held that the reader may see, made now and kept nowhere. Needs a fresh sign-in.

        Only for a request to see or to get a copy that was carried out.
        """
        step_up()
        who = subject(citizen)
        found = _found(who, rights_id)
        if found.rule.acts != "copy" or found.state != "completed":
            raise RightsStepRefused(found.id)
        log_act(
            Action.RECORD_EXPORTED,
            who.citizen_id,
            reason="guardian" if who.relation == "guardian" else "own_record",
            detail=found.log_detail(),
        )
        body = stream_with_context(copy_of(citizen, who))
        return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _found(who: Subject, rights_id: str) -> RightsRequest:
    return services().rights.of_person(who.citizen_id, rights_id, who.relation)


def _journal(action: Action) -> Journal:
    def journal(request: RightsRequest) -> None:
        log_act(action, request.citizen_id, detail=request.log_detail())

    return journal


def _view(request: RightsRequest) -> dict[str, Any]:
    return rights_view(request, services().now(), language())
