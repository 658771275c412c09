"""Ops: programmes, runs and delivery figures; the registry of organisations, rosters and guardianships.

No route here can read a record: ops people hold no window on any book.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.errors import Refusal
from wallet_api.identity.errors import ClientUnknown, GuardianshipUnknown, OrganisationUnknown
from wallet_api.identity.model import Licence, Organisation, Practitioner
from wallet_api.infra.clock import vn_day
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, note, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import LimitQuery, listed
from wallet_api.routes.schemas.lists import GuardianshipSchema
from wallet_api.routes.schemas.ops import (
    DeliverySchema,
    GuardianshipForm,
    GuardianshipPage,
    KeysForm,
    KeysSchema,
    OrganisationForm,
    ProgrammeDetailSchema,
    ProgrammePage,
    RegisteredSchema,
    RosterForm,
    RosterSchema,
    RunForm,
    RunSchema,
    funnel_view,
    programme_detail,
    programme_view,
)

ops = GuardedBlueprint(
    "ops",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("operator", "reviewer", "registrar"),
    budget="ops",
    description="Reminder programmes and their delivery.",
)
registry = GuardedBlueprint(
    "registry",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Organisations, their keys and rosters, and guardianships.",
)


@ops.route("/programmes")
class Programmes(MethodView):
    """What is reminded of."""

    @ops.doc(operationId="listProgrammes")
    @ops.response(200, ProgrammePage)
    def get(self) -> dict[str, Any]:
        """Every programme with its sources, its validity, its version and what it is today."""
        planning, today = services().reminding.planning, vn_day(services().now())
        items = [programme_view(each, today) for each in planning.programmes.values()]
        return listed(items) | {"rules": planning.rules}


@ops.route("/programmes/<programme_id>")
class OneProgramme(MethodView):
    """One programme."""

    @ops.doc(operationId="getProgramme")
    @ops.response(200, ProgrammeDetailSchema)
    def get(self, programme_id: str) -> dict[str, Any]:
        """A programme as it is in force here: every series and dose with its source and confidence."""
        found = services().reminding.planning.programmes.get(programme_id)
        if found is None:
            raise Refusal("not_found", 404)
        return programme_detail(found, vn_day(services().now()))


@ops.route("/delivery")
class DeliveryFigures(MethodView):
    """How sending goes."""

    @ops.doc(operationId="getDeliveryFigures")
    @ops.response(200, DeliverySchema)
    def get(self) -> dict[str, Any]:
        """Reminders and batches by state, pushes by what the channel answered, and each programme's funnel.

        Counts only. How each campaign goes stands with the campaign.
        """
        log_act(Action.COVERAGE_READ, None, reason="delivery")
        return {**services().reminding.figures(), "funnel": funnel_view(services().reminding.funnel())}


@ops.route("/reminder-runs")
class Runs(MethodView):
    """Running the reminders of a day."""

    @ops.doc(operationId="startReminderRun")
    @ops.arguments(RunForm)
    @ops.response(202, RunSchema)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Plan and queue what is due today; the worker sends it. Running it twice sends nothing twice."""
        spend("ops_run")
        today: date = vn_day(services().now())
        log_act(Action.REMINDER_PLANNED, None, reason="ops_run")
        services().reminding.wake(today)
        return {"day": today, "state": "queued"}


@registry.route("/organisations")
class Organisations(MethodView):
    """The registry of providers."""

    @registry.doc(operationId="registerOrganisation")
    @registry.arguments(OrganisationForm, example=examples.ORGANISATION)
    @registry.response(201, RegisteredSchema)
    @registry.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> Organisation:
        """Register an organisation with its licence."""
        made_id = act_id("organisation")
        if again() is not None:
            with suppress(OrganisationUnknown):
                return services().identity.organisations.get(made_id)
        licence = Licence(
            frozenset(form["purposes"]),
            frozenset(form["read_categories"]),
            frozenset(form["write_categories"]),
        )
        made = services().identity.organisations.register(
            Organisation(
                id=made_id,
                name_vi=form["name_vi"],
                name_en=form["name_en"],
                kind=form["kind"],
                licence=licence,
                facility_code=form["facility_code"],
                gln=form["gln"],
            )
        )
        log_act(Action.ORGANISATION_CHANGED, None, reason="registered", detail={"organisation": made.id})
        return made


@registry.route("/organisations/<organisation_id>/keys")
class Keys(MethodView):
    """The key an organisation's system signs with."""

    @registry.doc(operationId="registerOrganisationKeys")
    @registry.arguments(KeysForm, example=examples.KEYS)
    @registry.response(201, KeysSchema)
    @once
    def post(self, form: dict[str, Any], organisation_id: str) -> dict[str, str]:
        """Register a client system of the organisation by its public keys (a JWK set)."""
        known = services().identity.organisations.get(organisation_id)
        made_id = act_id("client")
        if again() is not None:
            with suppress(ClientUnknown):
                return {"client_id": services().identity.clients.get(made_id).id}
        made = services().identity.clients.register(
            made_id, "provider", known.name_vi, organisation_id=known.id, jwks=form["jwks"]
        )
        log_act(Action.ORGANISATION_CHANGED, None, reason="keys", detail={"organisation": known.id})
        return {"client_id": made.id}


@registry.route("/organisations/<organisation_id>/roster")
class Roster(MethodView):
    """Who works there."""

    @registry.doc(operationId="enrollPractitioner")
    @registry.arguments(RosterForm, example=examples.ROSTER)
    @registry.response(201, RosterSchema)
    @once
    def post(self, form: dict[str, Any], organisation_id: str) -> Practitioner:
        """Put a practitioner on the roster from a day, until a day or for good."""
        known = services().identity.organisations.get(organisation_id)
        made = services().identity.organisations.enroll(
            Practitioner(
                id=form["id"],
                organisation_id=known.id,
                name=form["name"],
                role=form["role"],
                valid_from=form["valid_from"],
                valid_to=form["valid_to"],
            )
        )
        log_act(Action.ROSTER_CHANGED, None, detail={"organisation": known.id})
        return made


@registry.route("/guardianships")
class Guardianships(MethodView):
    """Who acts for whom."""

    @registry.doc(operationId="listProposedGuardianships")
    @registry.arguments(LimitQuery, location="query")
    @registry.response(200, GuardianshipPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Proposed guardianships that wait for a registrar."""
        return {"items": services().identity.family.waiting(query["limit"]), "next_cursor": None}

    @registry.doc(operationId="recordGuardianship")
    @registry.arguments(GuardianshipForm, example=examples.GUARDIANSHIP)
    @registry.response(201, GuardianshipSchema)
    @registry.alt_response(404)
    @registry.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> Any:
        """Record a guardianship seen in evidence (birth certificate, court order). It stands at once."""
        noted = again()
        if noted is not None:
            with suppress(GuardianshipUnknown):
                return services().identity.family.get(noted.get("guardianship", act_id("guardianship")))
        # Before it stands: the dependent's log may tell of a guardian who then was not, never the reverse.
        log_act(Action.GUARDIANSHIP_STARTED, form["dependent_id"], reason=form["evidence_kind"])
        made = services().identity.family.establish(
            **form, verified_by=caller().subject_id, new_id=act_id("guardianship")
        )
        note(guardianship=made.id)
        services().reminding.planning.replan(made.dependent_id)
        return made
