"""At the station: what a practitioner hears and attests, of a child and of a person without a phone."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

from flask import Response
from flask.views import MethodView

from consent.assisted import CHANNEL, assisted_scope, check_of_age
from consent.errors import GrantNotFound
from consent.model import Evidence, Grant, Period, Scope
from consent.signatures import ATTESTED
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.idempotency import act_id, again, note, once
from wallet_api.routes.limits import spend
from wallet_api.routes.meant import Meant, meant
from wallet_api.routes.printing import assisted_sheet
from wallet_api.routes.provider import outcome_view
from wallet_api.routes.receipts import receipt_digest
from wallet_api.routes.references import open_for_caller, organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.consents import OutcomeSchema, notice_of, period_of
from wallet_api.routes.schemas.station import AssentSchema, AssistedConsentSchema
from wallet_api.routes.subjects import born

station = GuardedBlueprint(
    "station",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="What practitioners attest face to face: a child's yes, consent without a phone.",
)


@station.route("/consent-requests/<request_ref>/assent-attestation")
class AssentAttestation(MethodView):
    """A child's own yes, heard in person."""

    @station.doc(operationId="attestAssent")
    @station.arguments(AssentSchema, example=examples.ASSENT)
    @station.response(202, OutcomeSchema)
    @station.alt_response(409)
    @once
    def post(self, form: dict[str, Any], request_ref: str) -> dict[str, Any]:
        """Attest that the child said yes. Opens nothing: its representative agrees after it, in the app.

        The answer is the same whoever the request is about. For children from 7 to 13; for anybody else it
        is written down and changes nothing.
        """
        practitioner_only()
        citizen_id, request_id = open_for_caller("request", request_ref)
        consent = services().consent
        found = consent.request_of_organisation(organisation_id(), citizen_id, request_id)
        if again() is None:
            heard = _heard(citizen_id, ATTESTED, "in_person")
            consent.attest(citizen_id, request_id, _born(citizen_id), notice_of(form), heard)
            log_act(Action.CONSENT_ATTESTED, citizen_id, purpose=found.scope.purpose)
        return outcome_view(found, request_ref)


@station.route("/assisted-consents")
class AssistedConsents(MethodView):
    """Consent by word of mouth."""

    @station.doc(operationId="attestConsent")
    @station.arguments(AssistedConsentSchema, example=examples.ASSISTED)
    @station.response(201, OutcomeSchema)
    @station.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Attest that a person without a phone consented: to treatment, to look, for a day.

        The person is told at the next sign-in. The answer is the same whoever is meant, existing or not.
        """
        practitioner_only()
        check_of_age(form["birth_date"], services().now())
        noted, grant_id = again(), act_id("grant")
        if noted:
            with suppress(GrantNotFound):
                return _assisted_view(services().consent.grant(noted["citizen"], grant_id))
        spend("assisted", f"{organisation_id()}|{caller().practitioner_id}")
        who = _same_person(meant(form["citizen"], _count), form["birth_date"])
        note(citizen=who)
        scope = _scope(form)
        heard = _heard(who, CHANNEL, f"in_person:{form['known_by']}")
        given = services().assisted.attest(who, scope, notice_of(form), heard, _journal, grant_id)
        tell("assisted_consent", [who], who, act_id("message"))
        return _assisted_view(given)


@station.route("/assisted-consents/<assisted_ref>/print")
class AssistedPrint(MethodView):
    """The sheet to sign."""

    @station.doc(operationId="printAssistedConsent")
    @station.response(200, content_type="text/plain")
    def get(self, assisted_ref: str) -> Response:
        """The consent as a page of Vietnamese text, for the person to keep. It names no patient."""
        practitioner_only()
        citizen_id, grant_id = open_for_caller("assisted", assisted_ref)
        found = services().consent.grant(citizen_id, grant_id)
        log_act(Action.CONSENT_RECEIPT_READ, citizen_id, grant_id=found.id)
        sheet = Response(assisted_sheet(found), 200, mimetype="text/plain")
        sheet.headers["Cache-Control"] = "no-store"
        sheet.headers["Content-Disposition"] = 'inline; filename="phieu-dong-y.txt"'
        return sheet


def _scope(form: dict[str, Any]) -> Scope:
    period = period_of(form["record_period"]) or Period()
    return assisted_scope(organisation_id(), frozenset(form["categories"]), period, services().now())


def _same_person(found: Meant, born_on: date) -> str:
    """Whose number it is, if the birth date fits and the person lives; else nobody's id."""
    if found.person_id is None:
        return found.nobody_id
    known = services().identity.people.facts(found.person_id)
    return found.person_id if known.born == born_on and not known.deceased else found.nobody_id


def _count(asked: str) -> None:
    spend("assisted_person", f"{organisation_id()}|{asked}")


def _heard(citizen_id: str, channel: str, how: str) -> Evidence:
    me = caller()
    return Evidence(
        person_id=citizen_id,
        relation="self",
        session_id=me.session_id,
        client_id=me.client_id,
        authenticated_at=services().now(),
        assurance=how,
        channel=channel,
        attested_by=me.practitioner_id,
    )


def _born(citizen_id: str) -> date | None:
    try:
        return born(citizen_id)
    except CitizenUnknown:
        return None


def _journal(grant: Grant) -> None:
    scope = grant.scope
    log_act(
        Action.CONSENT_ASSISTED,
        grant.citizen_id,
        grant_id=grant.id,
        purpose=scope.purpose,
        categories=tuple(scope.categories),
        detail={"receipt_sha256": receipt_digest(grant)},
    )


def _assisted_view(grant: Grant) -> dict[str, Any]:
    whose = grant.citizen_id
    return {
        "id": seal_for_caller("assisted", whose, grant.id),
        "state": "granted",
        "grant_id": seal_for_caller("grant", whose, grant.id),
        "citizen_ref": seal_for_caller("citizen", whose),
        "expires_at": grant.scope.expires_at,
    }
