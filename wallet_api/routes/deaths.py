"""Ops: deaths. A registrar reports one with its paper, a reviewer confirms it; a mistake is undone whole."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.identity.deaths import RULES, Death
from wallet_api.identity.errors import CitizenUnknown, DeathUnknown
from wallet_api.identity.model import Guardianship
from wallet_api.infra.clock import vn_day
from wallet_api.records.pages import bound
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.deaths import (
    DeathCaseSchema,
    DeathDecisionForm,
    DeathForm,
    DeathPage,
    DeathSchema,
    DeathsQuery,
    case_view,
    death_view,
)
from wallet_api.routes.schemas.heirs import heir_view

death_reports = GuardedBlueprint(
    "death-reports",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Deaths, as registrars report them.",
)
death_reviews = GuardedBlueprint(
    "death-reviews",
    __name__,
    url_prefix="/api/v1/ops/deaths",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Deaths, as reviewers confirm them or undo them.",
)
_REASONS = {"confirm": (), "refuse": RULES.refusal_reasons, "reverse": RULES.reversal_reasons}


@death_reports.route("/deaths")
class DeathReports(MethodView):
    """Reporting."""

    @death_reports.doc(operationId="reportDeath")
    @death_reports.arguments(DeathForm, example=examples.DEATH)
    @death_reports.response(201, DeathSchema)
    @death_reports.alt_response(404)
    @death_reports.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Report a death with the paper that says so. It changes nothing until a reviewer confirms it.

        The person is told, in case it is a mistake.
        """
        kit, death_id = services(), act_id("death")
        if again() is not None:
            with suppress(DeathUnknown):
                return death_view(kit.deaths.get(death_id))
        citizen_id = _known(form)
        if not form["birth_date"] <= form["died_on"] <= vn_day(kit.now()):
            raise Refusal("invalid_fields", 422, [_fault("/died_on", "day_range")])
        by, kind = caller().subject_id, form["evidence_kind"]
        made = kit.deaths.report(death_id, citizen_id, form["died_on"], kind, form["paper_number"], by)
        log_act(Action.DEATH_REPORTED, citizen_id, reason=kind)
        tell("death_reported", [citizen_id], citizen_id, act_id("message"))
        return death_view(made)


@death_reviews.route("")
class Deaths(MethodView):
    """The lists."""

    @death_reviews.doc(operationId="listDeaths")
    @death_reviews.arguments(DeathsQuery, location="query")
    @death_reviews.response(200, DeathPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Reports in one state, the oldest first; `due` lists whose book is to be erased."""
        log_act(Action.DEATH_READ, None, reason=query["state"])
        kit, limit, state = services(), query["limit"], query["state"]
        if state == "due":
            return listed([death_view(each) for each in kit.deaths.due(limit)])
        binding = bound("deaths", viewer(), "", state)
        ended = kit.pages.after(query["cursor"], binding)
        after = str(ended["after"]) if ended is not None else None
        found = kit.deaths.listed(state, after, limit + 1)
        shown = found[:limit]
        more = kit.pages.next({"after": shown[-1].place}, binding) if len(found) > len(shown) else None
        return listed([death_view(each) for each in shown], more)


@death_reviews.route("/<death_id>")
class OneDeath(MethodView):
    """One report."""

    @death_reviews.doc(operationId="getDeath")
    @death_reviews.response(200, DeathCaseSchema)
    def get(self, death_id: str) -> dict[str, Any]:
        """Who is said to have died, on which paper, and who is left without a guardian by it."""
        found = services().deaths.get(death_id)
        log_act(Action.DEATH_READ, found.citizen_id, reason="case")
        return _case(found)


@death_reviews.route("/<death_id>/decision")
class DeathDecisions(MethodView):
    """The decision."""

    @death_reviews.doc(operationId="decideDeath")
    @death_reviews.arguments(DeathDecisionForm, example=examples.DEATH_DECISION)
    @death_reviews.response(200, DeathCaseSchema)
    @death_reviews.alt_response(409)
    @once
    def post(self, form: dict[str, Any], death_id: str) -> dict[str, Any]:
        """Confirm it, refuse it, or reverse what was confirmed. Whoever reported it does not decide.

        Confirmed: sessions end, no organisation and no guardian reads, consents are suspended, reminders
        stop, and the guardianships of both sides end; all in force when this answers. Reversed: all of that
        is as it was. Records are kept, and go on coming in. The same again finishes what was broken off.
        """
        decision, reason = form["decision"], form["reason"]
        if reason not in (_REASONS[decision] or (None,)):
            raise Refusal("invalid_fields", 422, [_fault("/reason", "not_listed")])
        kit, by = services(), caller().subject_id
        before = kit.deaths.get(death_id)
        if decision == "reverse" and before.state != "reversed":
            before.decided(decision, by, kit.now(), reason)  # what is refused is not said to be done
            # Logged before it is in force: nothing is opened that the log does not tell of.
            log_act(Action.DEATH_REVERSED, before.citizen_id, reason=reason)
        decided = kit.deaths.decide(death_id, decision, by, reason)
        if before.state != decided.state or not before.done:
            _follow(decided)
        return _case(decided)


def _known(form: dict[str, Any]) -> str:
    """Whose number it is or was, if the birth date fits. Raises CitizenUnknown, and each try leaves a row."""
    people = services().identity.people
    found = people.whose("national_id", form["national_id"])
    if found is None or people.facts(found).born != form["birth_date"]:
        log_act(Action.DEATH_REPORTED, None, reason="unknown_person", refused=True)
        raise CitizenUnknown("no such citizen")
    return people.living_as(found)  # by an older book's number the same person is meant


def _follow(found: Death) -> None:
    """The rows of the logs it touched, and the messages to whom it concerns."""
    whose = found.citizen_id
    if found.state == "refused":
        log_act(Action.DEATH_REFUSED, whose, reason=str(found.history[-1].reason))
        return
    died = found.state == "confirmed"
    if died:
        log_act(Action.ACCOUNT_CLOSED, whose, reason=f"death_{found.evidence_kind}")
    else:
        tell("death_reversed", [whose], whose)
    for each in found.grants:
        action = Action.CONSENT_SUSPENDED if died else Action.CONSENT_RESUMED
        grant = services().consent.grant(each.citizen_id, each.grant_id)
        if grant.state != ("suspended" if died else "granted"):
            continue  # it had ended by itself, or somebody ended it
        log_act(
            action,
            each.citizen_id,
            reason="death" if died else "death_reversed",
            grant_id=grant.id,
            organisation_id=grant.scope.organisation_id,
            purpose=grant.scope.purpose,
        )
    for relation in _relations(found):
        if relation.state != ("ended" if died else "active"):
            continue
        action = Action.GUARDIANSHIP_ENDED if died else Action.GUARDIANSHIP_STARTED
        log_act(action, relation.dependent_id, reason="death" if died else "death_reversed")
        tell(*_news(relation, whose, died=died))


def _news(relation: Guardianship, whose: str, *, died: bool) -> tuple[str, list[str], str]:
    """What is told to whom of a relation that ended, or stands again."""
    ward = relation.dependent_id
    guardians = services().identity.family.guardians_of(ward, services().now())
    others = [one.guardian_id for one in guardians if one.guardian_id != whose]
    if not died:
        return "guardianship_started", [*others, relation.guardian_id], ward
    if ward == whose:
        return "guardianship_ended", [relation.guardian_id], ward
    return "guardian_died", [*others, ward], ward


def _relations(found: Death) -> list[Guardianship]:
    return [services().identity.family.get(each) for each in found.relations]


def _case(found: Death) -> dict[str, Any]:
    kit, now = services(), services().now()
    profile = kit.identity.people.profile(found.citizen_id)
    person = {"name": profile.name, "birth_date": profile.birth_date}
    wards = {each.dependent_id for each in _relations(found)} - {found.citizen_id}
    left = [
        {"citizen_id": each, "guardians": len(kit.identity.family.guardians_of(each, now))}
        for each in sorted(wards)
    ]
    heirs = [heir_view(each) for each in kit.heirs.of_death(found.id)]
    return case_view(found, person, left, heirs)


def _fault(pointer: str, code: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": ""}
