"""Ops: records said to be somebody else's. Reviewers see who wrote what kind when, never what is in it."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.corrections.model import Dispute
from wallet_api.errors import language
from wallet_api.infra.logs import say_error
from wallet_api.records.pages import bound
from wallet_api.routes.disputes import journal
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.corrections import (
    DecisionForm,
    MismatchPage,
    MismatchQuery,
    MismatchSchema,
    mismatch_view,
)
from wallet_api.routes.subjects import organisation_view

mismatches = GuardedBlueprint(
    "mismatches",
    __name__,
    url_prefix="/api/v1/ops/mismatches",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Records that were said to be somebody else's.",
)
_ETAG = {"ETag": "ETag"}


@mismatches.route("")
class Mismatches(MethodView):
    """The queue."""

    @mismatches.doc(operationId="listMismatches")
    @mismatches.arguments(MismatchQuery, location="query")
    @mismatches.response(200, MismatchPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The disputes in one state, the oldest first."""
        log_act(Action.DISPUTE_READ, None, reason="queue")
        binding = bound("mismatches", viewer(), "", query["state"])
        state = services().pages.after(query["cursor"], binding)
        after = str(state["after"]) if state is not None else None
        limit, desk = query["limit"], services().correcting.disputes
        found = desk.queue(open=query["state"] == "open", after=after, limit=limit + 1)
        shown = found[:limit]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"after": shown[-1].place}, binding)
        return listed([_view(each) for each in shown], more)


@mismatches.route("/<dispute_id>")
class OneMismatch(MethodView):
    """One dispute."""

    @mismatches.doc(operationId="getMismatch")
    @mismatches.response(200, MismatchSchema, headers=_ETAG)
    def get(self, dispute_id: str) -> Any:
        """Who wrote the record and what was done. The ETag is what a decision must name."""
        found = services().correcting.disputes.get(dispute_id)
        journal(Action.DISPUTE_READ)(found)
        return _tagged(found)


@mismatches.route("/<dispute_id>/decision")
class MismatchDecision(MethodView):
    """The decision."""

    @mismatches.doc(operationId="decideMismatch", parameters=["If-Match"])
    @mismatches.arguments(DecisionForm, example=examples.MISMATCH_DECISION)
    @mismatches.response(200, MismatchSchema, headers=_ETAG)
    @mismatches.alt_response(409)
    @mismatches.alt_response(412)
    @mismatches.alt_response(428)
    def post(self, form: dict[str, Any], dispute_id: str) -> Any:
        """Decide once: `keep` shows the record again, `remove` keeps it from everybody but its author.

        Whoever said so is told, and reads the reason.
        """
        kit, who = services().correcting, caller().subject_id
        log = journal(Action.DISPUTE_DECIDED)
        decided = kit.disputes.decide(dispute_id, if_match(), form["decision"], form["reason"], who, log)
        try:
            kit.tell_decision(decided)
        except Exception as why:  # it stands, and is seen where it was said
            say_error("decision_not_told", why)
        return _tagged(decided)


def _view(found: Dispute) -> dict[str, Any]:
    organisation = None if found.organisation_id is None else organisation_view(found.organisation_id)
    return mismatch_view(found, organisation, language())


def _tagged(found: Dispute) -> Any:
    return _view(found), {"ETag": f'"{found.version}"'}
