"""Heirs: proposed by a registrar, decided by a reviewer, and what they may see: the summary, for a while."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.identity.errors import CitizenUnknown, HeirUnknown
from wallet_api.identity.heirs import Heir
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, ops_only, step_up
from wallet_api.routes.handover import hold_until
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.pages import names_of
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.heirs import (
    BequestPage,
    HeirDecisionForm,
    HeirForm,
    HeirSchema,
    heir_view,
)
from wallet_api.routes.schemas.pages import SummarySchema, sections_view
from wallet_api.routes.subjects import own_id

heir_reports = GuardedBlueprint(
    "heir-reports",
    __name__,
    url_prefix="/api/v1/ops/deaths/<death_id>/heirs",
    guard=ops_only("registrar"),
    budget="ops",
    description="Heirs, as registrars propose them.",
)
heir_reviews = GuardedBlueprint(
    "heir-reviews",
    __name__,
    url_prefix="/api/v1/ops/deaths/<death_id>/heirs/<heir_id>",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Heirs, as reviewers decide about them.",
)
bequests = GuardedBlueprint(
    "bequests",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/bequests",
    guard=citizen_only,
    budget="citizen",
    description="Summaries of the dead, for their heirs.",
)
_DECIDED = {"give": "given", "refuse": "refused", "end": "ended"}


@heir_reports.route("")
class HeirReports(MethodView):
    """Proposing."""

    @heir_reports.doc(operationId="proposeHeir")
    @heir_reports.arguments(HeirForm, example=examples.HEIR)
    @heir_reports.response(201, HeirSchema)
    @heir_reports.alt_response(409)
    @once
    def post(self, form: dict[str, Any], death_id: str) -> dict[str, Any]:
        """Put down who asks for the summary, after a confirmed death. It gives nothing yet."""
        kit, made_id = services(), act_id("heir")
        death = kit.deaths.get(death_id)
        if again() is not None:
            with suppress(HeirUnknown):
                return heir_view(kit.heirs.get(death_id, made_id))
        people = kit.identity.people
        person = people.whose("national_id", form["national_id"])
        if person is None or people.facts(person).born != form["birth_date"]:
            log_act(Action.HEIR_PROPOSED, death.citizen_id, reason="unknown_person", refused=True)
            raise CitizenUnknown("no such citizen")
        kind, by = form["evidence_kind"], caller().subject_id
        made = kit.heirs.propose(made_id, death, person, form["relation"], kind, by)
        log_act(Action.HEIR_PROPOSED, death.citizen_id, reason=kind)
        return heir_view(made)


@heir_reviews.route("/decision")
class HeirDecisions(MethodView):
    """Deciding."""

    @heir_reviews.doc(operationId="decideHeir")
    @heir_reviews.arguments(HeirDecisionForm, example=examples.HEIR_DECISION)
    @heir_reviews.response(200, HeirSchema)
    @heir_reviews.alt_response(409)
    @once
    def post(self, form: dict[str, Any], death_id: str, heir_id: str) -> dict[str, Any]:
        """Give what was proposed, refuse it, or end it. Whoever proposed it does not decide."""
        kit, decision = services(), form["decision"]
        death, found = kit.deaths.get(death_id), kit.heirs.get(death_id, heir_id)
        if again() is not None and found.state == _DECIDED[decision]:
            return heir_view(found)
        if decision == "give":
            found.decided(decision, caller().subject_id, kit.now())  # what is refused is not said to be done
            # Logged before it is in force: nothing is opened that the log does not tell of.
            log_act(Action.HEIR_DECIDED, death.citizen_id, reason=decision)
        decided = kit.heirs.decide(death, heir_id, decision, caller().subject_id)
        if decision != "give":
            log_act(Action.HEIR_DECIDED, death.citizen_id, reason=decision)
        tell(f"heir_{decided.state}", [decided.heir_id], decided.heir_id, act_id("message"))
        return heir_view(decided)


@bequests.route("")
class Bequests(MethodView):
    """Whose summary I may see."""

    @bequests.doc(operationId="listBequests")
    @bequests.response(200, BequestPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Those of the dead whose summary the caller may see as an heir today."""
        found = services().heirs.standing(own_id(citizen))
        return listed([_bequest(each) for each in found])


@bequests.route("/<bequest_id>/summary")
class BequestSummary(MethodView):
    """The summary."""

    @bequests.doc(operationId="getBequestSummary")
    @bequests.response(200, SummarySchema)
    def get(self, citizen: str, bequest_id: str) -> dict[str, Any]:
        """The summary of a dead person's book. Needs a recent sign-in; each look is logged.

        What a label restricts, and what the person had hidden from family or providers, is not in it.
        """
        own = own_id(citizen)
        found = services().heirs.seen_by(own, bequest_id)
        step_up()
        hold_until(lambda: _ended(own, bequest_id))
        front = services().book.readers.of_heir(viewer(), found.citizen_id).front()
        profile = services().identity.people.profile(found.citizen_id)
        shown = [line.record for lines, _ in front.values() for line in lines]
        return {
            "id": found.id,
            "name": profile.name,
            "birth_date": profile.birth_date,
            "sex": profile.sex,
            "insurance": [],
            "made_at": services().now(),
            "sections": sections_view(front, names_of(shown)),
        }


def _ended(own: str, bequest_id: str) -> Exception | None:
    try:
        services().heirs.seen_by(own, bequest_id)
    except HeirUnknown as why:
        return why
    return None


def _bequest(found: Heir) -> dict[str, Any]:
    name = services().identity.people.profile(found.citizen_id).name
    return {"id": found.id, "name": name, "relation": found.relation, "until": found.until}
