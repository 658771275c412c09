"""Ops: the review of emergency accesses. Reviewers see who opened what and why, never a record."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from consent.emergency import Emergency
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.identity.errors import IdentityError
from wallet_api.infra.logs import say_error
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.emergency import (
    EmergencyReviewSchema,
    LiftingForm,
    ReviewPage,
    ReviewQuery,
    VerdictForm,
    review_view,
)
from wallet_api.routes.subjects import organisation_view

reviews = GuardedBlueprint(
    "emergency-reviews",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Emergency accesses that wait for a review, and what was decided.",
)


@reviews.route("/emergency-reviews")
class EmergencyReviews(MethodView):
    """The queue."""

    @reviews.doc(operationId="listEmergencyReviews")
    @reviews.arguments(ReviewQuery, location="query")
    @reviews.response(200, ReviewPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The accesses in one state: those that wait with the one due soonest first, others newest first."""
        log_act(Action.EMERGENCY_REVIEWED, None, reason="queue")
        found = services().emergencies.service.queue(query["state"], query["limit"])
        return listed([_view(each) for each in found])


@reviews.route("/emergency-reviews/<emergency_id>/decision")
class ReviewDecision(MethodView):
    """The verdict."""

    @reviews.doc(operationId="decideEmergencyReview")
    @reviews.arguments(VerdictForm, example=examples.VERDICT)
    @reviews.response(200, EmergencyReviewSchema)
    @reviews.alt_response(409)
    def post(self, form: dict[str, Any], emergency_id: str) -> dict[str, Any]:
        """Say whether it was justified. If not, what the practitioner has open is over, and nothing new is
        opened until that is lifted. The citizen reads the outcome in the access log.
        """
        kit = services().emergencies
        decided = kit.service.decide(emergency_id, form["verdict"], form["reason"], caller().subject_id)
        _log(decided, decided.state)
        try:
            kit.tell_outcome(decided)
        except Exception as why:  # it stands, and the log tells of it
            say_error("outcome_not_told", why)
        return _view(decided)


@reviews.route("/emergency-reviews/<emergency_id>/lifting")
class Lifting(MethodView):
    """Giving the right back."""

    @reviews.doc(operationId="liftEmergencySuspension")
    @reviews.arguments(LiftingForm, example=examples.LIFTING)
    @reviews.response(200, EmergencyReviewSchema)
    @reviews.alt_response(409)
    def post(self, form: dict[str, Any], emergency_id: str) -> dict[str, Any]:
        """Let the practitioner whom this review suspended open emergencies again."""
        kit = services().emergencies
        log_act(
            Action.EMERGENCY_REVIEWED,
            None,
            reason="lifted",
            detail={"review": kit.service.get(emergency_id).id},
        )
        return _view(kit.service.lift(emergency_id, form["reason"], caller().subject_id))


def _log(decided: Emergency, outcome: str) -> None:
    log_act(
        Action.EMERGENCY_REVIEWED,
        decided.told_id or decided.citizen_id,
        reason=outcome,
        organisation_id=decided.organisation_id,
        grant_id=decided.id if decided.met == "person" else None,
    )


def _view(found: Emergency) -> dict[str, Any]:
    organisation = organisation_view(found.organisation_id)
    return review_view(found, services().now(), organisation, _name)


def _name(organisation_id: str, practitioner_id: str) -> str:
    try:
        roster = services().identity.organisations.roster(organisation_id)
    except IdentityError:
        return practitioner_id
    return next((each.name for each in roster if each.id == practitioner_id), practitioner_id)
