"""Ops: the desk for rights requests. Reviewers answer them in legal time; no book is opened here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import language
from wallet_api.infra.clock import vn_day
from wallet_api.records.pages import bound
from wallet_api.rights.desk import Journal
from wallet_api.rights.model import RightsRequest
from wallet_api.rights.processing import REGISTER
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.rights import (
    AcknowledgementForm,
    CompletionForm,
    ExtensionForm,
    OpsRightsPage,
    OpsRightsRequestSchema,
    ProcessingPage,
    RightsQuery,
    RightsRefusalForm,
    activity_view,
    ops_rights_view,
)

rights_desk = GuardedBlueprint(
    "rights-desk",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("reviewer"),
    budget="ops",
    description="The desk for requests about personal data, with their legal clocks.",
)
_ETAG = {"ETag": "ETag"}


@rights_desk.route("/processing-register")
class ProcessingRegister(MethodView):
    """What is done with whose data."""

    @rights_desk.doc(operationId="getProcessingRegister")
    @rights_desk.response(200, ProcessingPage)
    def get(self) -> dict[str, Any]:
        """Every kind of processing with its purpose, ground, law, recipients, retention and flows abroad."""
        items = [activity_view(each, language()) for each in REGISTER.activities]
        return listed(items) | {"read": REGISTER.law["read"]}


@rights_desk.route("/rights-requests")
class RightsDesk(MethodView):
    """What is to be answered."""

    @rights_desk.doc(operationId="listAllRightsRequests")
    @rights_desk.arguments(RightsQuery, location="query")
    @rights_desk.response(200, OpsRightsPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Everybody's requests, the nearest deadline first, and how many are overdue."""
        log_act(Action.RIGHTS_READ, None, reason="desk")
        binding = bound("rights-desk", viewer(), "", query["state"])
        state = services().pages.after(query["cursor"], binding)
        after = str(state["after"]) if state is not None else None
        desk, limit = services().rights, query["limit"]
        found = desk.by_deadline(open=query["state"] == "open", after=after, limit=limit + 1)
        shown = found[:limit]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"after": shown[-1].due_place}, binding)
        overdue = desk.overdue(vn_day(services().now()))
        return listed([_view(each) for each in shown], more) | {"overdue": overdue}


@rights_desk.route("/rights-requests/<rights_id>")
class OneAtTheDesk(MethodView):
    """One request."""

    @rights_desk.doc(operationId="getRightsRequestAtDesk")
    @rights_desk.response(200, OpsRightsRequestSchema, headers=_ETAG)
    def get(self, rights_id: str) -> Any:
        """What was asked and done. The ETag is what a step must name."""
        found = services().rights.get(rights_id)
        _journal(Action.RIGHTS_READ)(found)
        return _tagged(found)


@rights_desk.route("/rights-requests/<rights_id>/acknowledgement")
class Acknowledgement(MethodView):
    """Taking it on."""

    @rights_desk.doc(operationId="acknowledgeRightsRequest", parameters=["If-Match"])
    @rights_desk.arguments(AcknowledgementForm, example=examples.RIGHTS_ACKNOWLEDGEMENT)
    @rights_desk.response(200, OpsRightsRequestSchema, headers=_ETAG)
    @rights_desk.alt_response(409)
    @rights_desk.alt_response(412)
    @rights_desk.alt_response(428)
    def post(self, form: dict[str, Any], rights_id: str) -> Any:
        """Acknowledge, and say whether processors or third parties must act too, which gives more time."""

        def step(request: RightsRequest, at: datetime) -> RightsRequest:
            return request.acknowledged(
                caller().subject_id, at, with_others=form["with_others"], reason=form["note"]
            )

        journal = _journal(Action.RIGHTS_ACKNOWLEDGED)
        return _tagged(services().rights.move(rights_id, if_match(), step, journal))


@rights_desk.route("/rights-requests/<rights_id>/extension")
class Extension(MethodView):
    """More time."""

    @rights_desk.doc(operationId="extendRightsRequest", parameters=["If-Match"])
    @rights_desk.arguments(ExtensionForm, example=examples.RIGHTS_EXTENSION)
    @rights_desk.response(200, OpsRightsRequestSchema, headers=_ETAG)
    @rights_desk.alt_response(409)
    @rights_desk.alt_response(412)
    @rights_desk.alt_response(428)
    def post(self, form: dict[str, Any], rights_id: str) -> Any:
        """Take more time, once, while the first still runs; the person reads why."""

        def step(request: RightsRequest, at: datetime) -> RightsRequest:
            return request.prolonged(caller().subject_id, at, form["note"])

        journal = _journal(Action.RIGHTS_EXTENDED)
        return _tagged(services().rights.move(rights_id, if_match(), step, journal))


@rights_desk.route("/rights-requests/<rights_id>/completion")
class Completion(MethodView):
    """Carrying out."""

    @rights_desk.doc(operationId="completeRightsRequest", parameters=["If-Match"])
    @rights_desk.arguments(CompletionForm, example=examples.RIGHTS_COMPLETION)
    @rights_desk.response(200, OpsRightsRequestSchema, headers=_ETAG)
    @rights_desk.alt_response(409)
    @rights_desk.alt_response(412)
    @rights_desk.alt_response(428)
    def post(self, form: dict[str, Any], rights_id: str) -> Any:
        """Carry it out. A restriction is in force and consents are withdrawn when this answers.

        An erasure destroys keys at once and is `completed` when no process can hold one open any more, which
        the worker sees to; sent again, this goes on with one that was broken off.
        """
        who, journal = caller().subject_id, _journal(Action.RIGHTS_COMPLETED)
        return _tagged(services().rights.complete(rights_id, if_match(), who, form["note"], journal))


@rights_desk.route("/rights-requests/<rights_id>/refusal")
class RightsRefusal(MethodView):
    """Refusing."""

    @rights_desk.doc(operationId="refuseRightsRequest", parameters=["If-Match"])
    @rights_desk.arguments(RightsRefusalForm, example=examples.RIGHTS_REFUSAL)
    @rights_desk.response(200, OpsRightsRequestSchema, headers=_ETAG)
    @rights_desk.alt_response(409)
    @rights_desk.alt_response(412)
    @rights_desk.alt_response(428)
    def post(self, form: dict[str, Any], rights_id: str) -> Any:
        """Refuse, for a reason the law knows; the person reads it with the law it rests on."""

        def step(request: RightsRequest, at: datetime) -> RightsRequest:
            return request.refused(caller().subject_id, at, form["code"], form["note"])

        journal = _journal(Action.RIGHTS_REFUSED)
        return _tagged(services().rights.move(rights_id, if_match(), step, journal))


def _journal(action: Action) -> Journal:
    def journal(request: RightsRequest) -> None:
        erased = action is Action.RIGHTS_COMPLETED and request.erasure is not None
        told = Action.DATA_ERASED if erased else action
        log_act(told, request.citizen_id, reason=request.state, detail=request.log_detail())

    return journal


def _view(request: RightsRequest) -> dict[str, Any]:
    return ops_rights_view(request, services().now(), language())


def _tagged(request: RightsRequest) -> Any:
    return _view(request), {"ETag": f'"{request.version}"'}
