"""Guardianships that somebody asked for: seen and objected to by those they concern."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.identity.model import Guardianship
from wallet_api.routes.custody import concerned
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.schemas.base import StrictSchema, listed
from wallet_api.routes.schemas.family import ComingGuardianshipSchema, ComingPage
from wallet_api.routes.subjects import subject

objections = GuardedBlueprint(
    "objections",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/coming-guardianships",
    guard=citizen_only,
    budget="citizen",
    description="Guardianships asked for, and objections to them.",
)


@objections.route("")
class Coming(MethodView):
    """What was asked for."""

    @objections.doc(operationId="listComingGuardianships")
    @objections.response(200, ComingPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Guardianships over this person that somebody asked for and that do not stand yet."""
        found = services().identity.objections.coming(subject(citizen).citizen_id)
        own = caller().subject_id
        return listed([_view(each) for each in found if each.guardian_id != own])


@objections.route("/<coming_id>/objection")
class Objecting(MethodView):
    """No."""

    @objections.doc(operationId="objectToGuardianship")
    @objections.arguments(StrictSchema)
    @objections.response(200, ComingGuardianshipSchema)
    @objections.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, coming_id: str) -> dict[str, Any]:
        """Object: it does not begin, and another registrar looks again. By the person, or who acts for them.

        Like a withdrawal it needs no fresh sign-in.
        """
        whose, own = subject(citizen).citizen_id, caller().subject_id
        desk = services().identity.objections
        coming = {each.id: each for each in desk.coming(whose)}
        before = coming.get(coming_id)
        if before is not None and before.objected_by is not None:
            return _view(before)
        made = desk.object(whose, coming_id, own)
        log_act(Action.GUARDIANSHIP_OBJECTED, whose, reason=made.evidence_kind)
        told = [each for each in (*concerned(made), made.guardian_id) if each != own]
        tell("guardianship_objected", told, whose)
        return _view(made)


def _view(found: Guardianship) -> dict[str, Any]:
    known, name = found.state == "active", None
    if known:
        with suppress(CitizenUnknown):
            name = services().identity.people.profile(found.guardian_id).name
    shown = {each: getattr(found, each) for each in ("id", "relation", "evidence_kind", "claimed_at")}
    return shown | {
        "begins_on": found.valid_from if known else None,
        "guardian_name": name,
        "objected": found.objected_by is not None,
    }
