"""A person's grants as FHIR R4 Consents (IHE PCF), and a Consent brought along as a standing grant."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Response
from flask.views import MethodView

from consent.errors import GrantNotFound
from consent.fhir.exporting import Surroundings, consent_of
from consent.fhir.proposing import Proposed, proposal_of
from consent.model import Grant
from wallet_api.context import caller, services, viewer
from wallet_api.errors import Refusal, language
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.records.pages import bound
from wallet_api.routes.companions import grant_seen, grants_seen
from wallet_api.routes.edge import takes
from wallet_api.routes.fhir_answers import (
    FHIR,
    PatientQuery,
    everybody,
    fhir,
    fhir_blueprint,
    patient,
    search_set,
    url,
)
from wallet_api.routes.grants import journal_of, to_somebody
from wallet_api.routes.guarded import body_json, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas.fhir import CONSENT, CONSENT_BODY, SEARCH_SET
from wallet_api.routes.subjects import ME, Subject, actor

fhir_consents = fhir_blueprint(
    "fhir-consents", __name__, citizen_only, "Grants as FHIR R4 Consents, as IHE PCF has them."
)


def _resource(grant: Grant) -> dict[str, Any]:
    wanted = grant.scope.organisation_id
    try:
        found = services().identity.organisations.get(wanted)
        name = found.name_vi if language() == "vi" else found.name_en
    except OrganisationUnknown:
        name = wanted
    around = Surroundings(services().settings.public_url, name)
    return consent_of(grant, grant.state_at(services().now()), around)


@fhir_consents.route("/Consent")
class Consents(MethodView):
    """What was granted."""

    @fhir_consents.doc(operationId="searchFhirConsents")
    @fhir_consents.arguments(PatientQuery, location="query")
    @fhir_consents.response(200, SEARCH_SET, content_type=FHIR)
    @fhir_consents.alt_response(404)
    def get(self, query: dict[str, Any]) -> Response:
        """A person's grants as Consents, newest first, those that are over too."""
        who = patient(query["patient"])
        binding, pages = bound("grants", viewer(), who.citizen_id), services().pages
        state = pages.after(query["cursor"], binding)
        before = (datetime.fromisoformat(state["at"]), str(state["id"])) if state is not None else None
        found = grants_seen(who, query["count"] + 1, before)
        shown, more = found[: query["count"]], None
        if len(found) > len(shown):
            more = pages.next({"at": shown[-1].granted_at.isoformat(), "id": shown[-1].id}, binding)
        return fhir(search_set("Consent", map(_resource, shown), query, more))

    @fhir_consents.doc(operationId="bringFhirConsent", requestBody=CONSENT_BODY)
    @fhir_consents.response(201, CONSENT, content_type=FHIR)
    @fhir_consents.alt_response(404)
    @fhir_consents.alt_response(409)
    @takes(body=True)
    @once
    def post(self) -> Response:
        """Take a Consent over as a standing grant, whole or not at all. Needs a fresh sign-in.

        Only the person, or who represents them, can bring one: the performer must be the caller.
        """
        step_up()
        proposed = proposal_of(body_json(), services().settings.public_url, services().now())
        who, grant_id = _performing(proposed), act_id("grant")
        if again() is not None:
            with suppress(GrantNotFound):
                return _created(services().consent.grant(who.citizen_id, grant_id))
        given = services().consent.give(
            who.citizen_id,
            to_somebody(proposed.scope),
            proposed.answer,
            actor(who),
            journal_of("standing"),
            grant_id,
        )
        return _created(given)


@fhir_consents.route("/Consent/<grant_id>")
class OneConsent(MethodView):
    """One grant."""

    @fhir_consents.doc(operationId="readFhirConsent")
    @fhir_consents.response(200, CONSENT, content_type=FHIR)
    def get(self, grant_id: str) -> Response:
        """One grant of the caller, or of whom the caller is guardian of, as a Consent."""
        for who in everybody():
            with suppress(GrantNotFound):
                return fhir(_resource(grant_seen(who, grant_id)))
        raise GrantNotFound(grant_id)


def _performing(proposed: Proposed) -> Subject:
    """Whose consent it is to be, if it is the caller who performs it.

    Raises:
        RecordNotFound: somebody the caller has nothing to do with. Refusal: the act of somebody else.
    """
    who = patient(proposed.patient)
    own = caller().subject_id
    kind = "Patient" if who.relation == "self" else "RelatedPerson"
    if not set(proposed.performers) <= {f"{kind}/{own}", f"{kind}/{ME}"}:
        raise Refusal("forbidden", 403)
    return who


def _created(grant: Grant) -> Response:
    answer = fhir(_resource(grant), 201)
    answer.headers["Location"] = url(f"Consent/{grant.id}")
    return answer
