"""Ops: what was sent about nobody the wallet knows. Reviewers find out who is meant, never what is in it."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.records.pages import bound
from wallet_api.records.parked import Parked
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.parked import (
    ParkedPage,
    ParkedQuery,
    ParkedSchema,
    RejectForm,
    ReleaseForm,
    parked_view,
)
from wallet_api.routes.subjects import organisation_view

parked = GuardedBlueprint(
    "parked",
    __name__,
    url_prefix="/api/v1/ops/parked-intakes",
    guard=ops_only("reviewer"),
    budget="ops",
    description="What was sent with a number and a birth date that fit nobody.",
)
_ETAG = {"ETag": "ETag"}


@parked.route("")
class ParkedIntakes(MethodView):
    """The queue."""

    @parked.doc(operationId="listParkedIntakes")
    @parked.arguments(ParkedQuery, location="query")
    @parked.response(200, ParkedPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """What waits in one state, the oldest first."""
        log_act(Action.INTAKE_READ, None, reason="queue")
        binding = bound("parked-intakes", viewer(), "", query["state"])
        state = services().pages.after(query["cursor"], binding)
        after = str(state["after"]) if state is not None else None
        limit = query["limit"]
        found = services().parking.queue(query["state"], after, limit + 1)
        shown = found[:limit]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"after": shown[-1].place}, binding)
        return listed([_view(each) for each in shown], more)


@parked.route("/<parked_id>")
class OneParkedIntake(MethodView):
    """One of them."""

    @parked.doc(operationId="getParkedIntake")
    @parked.response(200, ParkedSchema, headers=_ETAG)
    def get(self, parked_id: str) -> Any:
        """Who sent it, when, and what keeps it from fitting. The ETag is what a decision must name."""
        found = services().parking.get(parked_id)
        log_act(Action.INTAKE_READ, None, reason=found.state, **_about(found))
        return _tagged(found)


@parked.route("/<parked_id>/release")
class Release(MethodView):
    """Whom it is about."""

    @parked.doc(operationId="releaseParkedIntake", parameters=["If-Match"])
    @parked.arguments(ReleaseForm, example=examples.PARKED_RELEASE)
    @parked.response(200, ParkedSchema, headers=_ETAG)
    @parked.alt_response(409)
    @parked.alt_response(412)
    @parked.alt_response(428)
    def post(self, form: dict[str, Any], parked_id: str) -> Any:
        """Name the person. It takes two reviewers: the first proposes, the second names the same, and it is
        filed in that person's book. Where they differ it is open again: 409 `release_disagrees`.

        The person must have the number or the birth date that was sent. The sender is told nothing.
        """
        whom, who = form["citizen"], caller().subject_id
        number, born = whom["national_id"], whom["birth_date"]
        desk = services().parking
        return _tagged(desk.release(parked_id, if_match(), number, born, form["evidence"], who, _decided))


@parked.route("/<parked_id>/reject")
class Reject(MethodView):
    """Never to be filed."""

    @parked.doc(operationId="rejectParkedIntake", parameters=["If-Match"])
    @parked.arguments(RejectForm, example=examples.PARKED_REJECT)
    @parked.response(200, ParkedSchema, headers=_ETAG)
    @parked.alt_response(409)
    @parked.alt_response(412)
    @parked.alt_response(428)
    def post(self, form: dict[str, Any], parked_id: str) -> Any:
        """Say that it will never be filed. Its sender finds each row `identity_rejected` in the report.

        That is the same whether the number is unknown or the birth date another.
        """
        who = caller().subject_id
        return _tagged(services().parking.reject(parked_id, if_match(), form["reason"], who, _decided))


def _decided(found: Parked, citizen_id: str | None) -> None:
    """Log a decision: in the book's own log when something is filed, else in that of ops alone."""
    if citizen_id is None:
        log_act(Action.REVIEW_DECIDED, None, reason=found.reason or found.state, **_about(found))
    else:
        log_act(
            Action.INTAKE_MATCHED, citizen_id, reason="reviewed", record_count=found.rows, **_about(found)
        )


def _about(found: Parked) -> dict[str, Any]:
    return {"organisation_id": found.organisation_id, "detail": {"intake": found.id}}


def _view(found: Parked) -> dict[str, Any]:
    return parked_view(found, services().parking.why(found), organisation_view(found.organisation_id))


def _tagged(found: Parked) -> Any:
    return _view(found), {"ETag": f'"{found.version}"'}
