"""The registrar's desk for guardianships: the evidence, and what is made of it."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.identity.errors import CitizenUnknown, EvidenceUnknown
from wallet_api.identity.guardianship import RULES
from wallet_api.identity.model import Guardianship
from wallet_api.routes.custody import close_guardianship, concerned
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import StrictSchema
from wallet_api.routes.schemas.family import (
    EndingSchema,
    GuardianshipFileSchema,
    RefusingSchema,
    file_view,
    relation_view,
)
from wallet_api.routes.schemas.lists import GuardianshipSchema

family_desk = GuardedBlueprint(
    "family-desk",
    __name__,
    url_prefix="/api/v1/ops/guardianships/<guardianship_id>",
    guard=ops_only("registrar"),
    budget="ops",
    description="Verifying guardianships.",
)


@family_desk.route("")
class GuardianshipCase(MethodView):
    """One guardianship."""

    @family_desk.doc(operationId="getGuardianshipCase")
    @family_desk.response(200, GuardianshipFileSchema)
    def get(self, guardianship_id: str) -> dict[str, Any]:
        """Who asks to act for whom, as known here, and what was sent to prove it."""
        found = services().identity.family.get(guardianship_id)
        log_act(Action.GUARDIANSHIP_EVIDENCE, found.dependent_id, reason="looked_at")
        files = [file_view(each) for each in services().evidence.of(found.id)]
        parties = {"guardian": _party(found.guardian_id), "dependent": _party(found.dependent_id)}
        return relation_view(found) | parties | {"files": files, "objected": found.objected_by is not None}


@family_desk.route("/evidence/<file_id>")
class EvidenceContent(MethodView):
    """A file."""

    @family_desk.doc(operationId="getEvidence")
    @family_desk.response(200, content_type="application/octet-stream")
    def get(self, guardianship_id: str, file_id: str) -> Response:
        """The file, to be saved: no browser is to show it in place."""
        found = services().identity.family.get(guardianship_id)
        file = services().evidence.get(found.id, file_id)
        if file is None:
            raise EvidenceUnknown(file_id)
        log_act(Action.GUARDIANSHIP_EVIDENCE, found.dependent_id, reason="opened")
        ending = {"image/jpeg": "jpg", "image/png": "png"}.get(file.media_type, "pdf")
        sent = Response(file.content, 200, mimetype="application/octet-stream")
        sent.headers["Content-Disposition"] = f'attachment; filename="evidence-{file.id}.{ending}"'
        sent.headers["Cache-Control"] = "no-store"
        return sent


@family_desk.route("/confirmation")
class Confirming(MethodView):
    """Yes."""

    @family_desk.doc(operationId="confirmGuardianship")
    @family_desk.arguments(StrictSchema)
    @family_desk.response(200, GuardianshipSchema)
    @family_desk.alt_response(409)
    @once
    def post(self, form: dict[str, Any], guardianship_id: str) -> Guardianship:
        """The evidence is right. What was asked for in the app stands after the waiting period.

        Where somebody objected, another registrar than the first decides; what they confirm stands at once.
        """
        kin = services().identity.family
        found = kin.get(guardianship_id)
        if again() is not None and found.state == "active":
            return found
        log_act(Action.GUARDIANSHIP_STARTED, found.dependent_id, reason=found.evidence_kind)
        heard = found.objected_by is not None
        wait = RULES.waiting_days if found.claimed_at is not None and not heard else 0
        made = kin.confirm(found.id, verified_by=caller().subject_id, wait_days=wait)
        tell("guardianship_started", [*concerned(made), made.guardian_id], made.dependent_id)
        services().reminding.planning.replan(made.dependent_id)
        return made


@family_desk.route("/refusal")
class RefusingClaim(MethodView):
    """No."""

    @family_desk.doc(operationId="refuseGuardianship")
    @family_desk.arguments(RefusingSchema, example=examples.GUARDIANSHIP_REFUSAL)
    @family_desk.response(200, GuardianshipSchema)
    @family_desk.alt_response(409)
    @once
    def post(self, form: dict[str, Any], guardianship_id: str) -> Guardianship:
        """It is not confirmed, with the reason that whoever asked is told."""
        kin = services().identity.family
        found = kin.get(guardianship_id)
        if again() is not None and found.state == "refused":
            return found
        made = kin.refuse(found.id, verified_by=caller().subject_id, reason=form["reason"])
        log_act(Action.GUARDIANSHIP_REFUSED, made.dependent_id, reason=form["reason"])
        tell("guardianship_refused", [made.guardian_id], made.guardian_id)
        return made


@family_desk.route("/end")
class EndingRelation(MethodView):
    """The end."""

    @family_desk.doc(operationId="endGuardianship")
    @family_desk.arguments(EndingSchema)
    @family_desk.response(200, GuardianshipSchema)
    @once
    def post(self, form: dict[str, Any], guardianship_id: str) -> Guardianship:
        """End it now, by a custody order say; what the guardian consented to is suspended at once."""
        found = services().identity.family.get(guardianship_id)
        return close_guardianship(found, form["reason"] or "custody_order")


def _party(citizen_id: str) -> dict[str, Any]:
    try:
        found = services().identity.people.profile(citizen_id)
    except CitizenUnknown:
        return {"id": citizen_id, "name": None, "birth_date": None}
    return {"id": citizen_id, "name": found.name, "birth_date": found.birth_date}
