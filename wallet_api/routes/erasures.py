"""What holders owe when a consent to keep copies is over: for the holder, the citizen, and ops."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import language
from wallet_api.events.attestations import statement_id, verified_statement
from wallet_api.events.duties import Attestation
from wallet_api.events.model import Duty
from wallet_api.infra.clock import vn_day
from wallet_api.records.pages import bound
from wallet_api.routes.companions import CompanionView
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, ops_only, provider_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.references import open_for_caller, organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.events import (
    AttestationForm,
    DutyPage,
    DutyQuery,
    HeldDutyPage,
    HeldDutySchema,
    OpsDutyPage,
    OpsDutyQuery,
    duty_view,
    held_duty_view,
    ops_duty_view,
)
from wallet_api.routes.subjects import organisation_view, subject

holders = GuardedBlueprint(
    "holders",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="Erasures an organisation owes, and its word that they were done.",
)
erasures = GuardedBlueprint(
    "erasures",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Who must erase copies, by when, and who has not.",
)
overdue = GuardedBlueprint(
    "overdue-erasures",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Organisations that owe erasures.",
)


@holders.route("/erasure-duties")
class HeldDuties(MethodView):
    """What the organisation owes."""

    @holders.doc(operationId="listErasureDuties")
    @holders.arguments(DutyQuery, location="query")
    @holders.response(200, HeldDutyPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Copies that must be erased, the most pressing first. What was attested wholly is not listed."""
        own, now = organisation_id(), services().now()
        services().telling.feed.settle_organisation(own)
        binding = bound("erasure-duties", viewer(), own)
        after = _after(query["cursor"], binding)
        found = services().telling.duties.of_organisation(own, after, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = _next(shown[-1], binding) if len(found) > len(shown) else None
        return listed([held_duty_view(each, now, seal_for_caller) for each in shown], more)


@holders.route("/erasure-attestations")
class Attestations(MethodView):
    """Its word that it was done."""

    @holders.doc(operationId="attestErasure")
    @holders.arguments(AttestationForm, example=examples.ATTESTATION)
    @holders.response(201, HeldDutySchema)
    @holders.alt_response(404)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """State under signature that copies were erased. The same statement again changes nothing."""
        own, text, now = organisation_id(), form["attestation"], services().now()
        duties = services().telling.duties
        duty = duties.taken(own, statement_id(text)) or _attest(own, text)
        return held_duty_view(duty, now, seal_for_caller)


@erasures.route("/erasure-duties")
class CitizenDuties(MethodView):
    """Who must erase."""

    @erasures.doc(operationId="listErasuresOwed")
    @erasures.response(200, DutyPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """The newest hundred: who kept copies, by when they must be gone, and whether that was attested."""
        who, now = subject(citizen), services().now()
        services().telling.feed.settle_citizen(who.citizen_id)
        duties = services().telling.duties.of_citizen(who.citizen_id)
        view = None if who.relation == "self" else CompanionView(who.citizen_id)
        found = [
            each for each in duties if view is None or not view.flagged(each.organisation_id, each.ended_at)
        ]
        return listed(
            [duty_view(each, now, organisation_view(each.organisation_id), language()) for each in found]
        )


@overdue.route("/erasure-duties")
class OpsDuties(MethodView):
    """Who owes."""

    @overdue.doc(operationId="listOverdueErasures")
    @overdue.arguments(OpsDutyQuery, location="query")
    @overdue.response(200, OpsDutyPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Erasures owed, the most pressing first; with `overdue=true` those whose last day has passed.

        A consent that ran out by itself within the last minute may not have left its duty yet.
        """
        now = services().now()
        day = vn_day(now) if query["overdue"] == "true" else None
        log_act(Action.ERASURES_READ, None, reason="overdue" if day else "owed")
        binding = bound("ops-erasure-duties", viewer(), "", query["overdue"])
        after = _after(query["cursor"], binding)
        found = services().telling.duties.owed_before(day, after, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = _next(shown[-1], binding) if len(found) > len(shown) else None
        items = [ops_duty_view(each, now, organisation_view(each.organisation_id)) for each in shown]
        return listed(items, more)


def _attest(own: str, text: str) -> Duty:
    telling, now = services().telling, services().now()
    client = services().identity.clients.get(caller().client_id)
    said = verified_statement(text, client.id, client.jwks, services().settings.public_url, now)
    citizen_id, grant_id = open_for_caller("grant", said.grant_ref)
    telling.feed.settle_organisation(own)
    statement = Attestation(
        id=said.id,
        grant_id=grant_id,
        organisation_id=own,
        client_id=client.id,
        extent=said.extent,
        erased_at=said.erased_at,
        received_at=now,
        text=text,
        key=said.key,
    )

    def journal(duty: Duty) -> None:
        log_act(Action.ERASURE_ATTESTED, citizen_id, reason=said.extent, grant_id=duty.grant_id)

    return telling.duties.attest(statement, journal)


def _after(cursor: str | None, binding: tuple[str, ...]) -> tuple[date, str] | None:
    state = services().pages.after(cursor, binding)
    return None if state is None else (date.fromisoformat(state["owed_by"]), str(state["id"]))


def _next(last: Duty, binding: tuple[str, ...]) -> str:
    owed_by = last.owed_by.isoformat() if last.owed_by is not None else ""
    return services().pages.next({"owed_by": owed_by, "id": last.grant_id}, binding)
