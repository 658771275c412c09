"""Break-glass: a practitioner opens the smallest set of a book in an emergency."""

from __future__ import annotations

from typing import Any

from flask import Response, after_this_request
from flask.views import MethodView

from consent.access import AccessSession, Act
from consent.emergency import Emergency, Need
from consent.emergency_rules import PURPOSE, RULES
from consent.errors import EmergencyNotFound, EmergencyRightSuspended, NotLicensed
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.infra.logs import say_error
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.idempotency import act_id, act_token, again, done, note, once
from wallet_api.routes.limits import refund, spend
from wallet_api.routes.meant import Meant, meant
from wallet_api.routes.references import organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.emergency import EmergencyAccessSchema, EmergencyForm
from wallet_api.routes.session_texts import session_text

emergency = GuardedBlueprint(
    "emergency",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="Access in an emergency, without asking: short, small, told and reviewed.",
)


@emergency.route("/emergency-access")
class EmergencyAccess(MethodView):
    """Breaking the glass."""

    @emergency.doc(operationId="openEmergencyAccess")
    @emergency.arguments(EmergencyForm, example=examples.EMERGENCY)
    @emergency.response(201, EmergencyAccessSchema)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Open a book for an hour without asking. The person is told at once, and the access is reviewed.

        The answer is the same whoever is meant: an empty book does not say that there is nothing to know.
        """
        practitioner_id = _practitioner()
        opened = _opened_before()
        if opened is None:
            _count(practitioner_id)
            opened = _open(form, meant(form["citizen"], _count_person), practitioner_id)
        _tell_after_answering(opened)
        return _view(opened, _session(opened))


def _open(form: dict[str, Any], person: Meant, practitioner_id: str) -> Emergency:
    need = Need(
        id=act_id("emergency"),
        organisation_id=organisation_id(),
        practitioner_id=practitioner_id,
        person_id=person.person_id,
        nobody_id=person.nobody_id,
        reason_code=form["reason_code"],
        reason=form["reason"],
        session_id=caller().session_id,
        client_id=caller().client_id,
    )
    service = services().emergencies.service
    try:
        service.check_right(need.organisation_id, practitioner_id)
    except (NotLicensed, EmergencyRightSuspended) as why:
        # The attempt stands in the log of whoever was meant, be it somebody or nobody.
        log_act(Action.EMERGENCY_OPENED, person.citizen_id, refused=True, reason=why.code, purpose=PURPOSE)
        raise
    note(emergency=need.id)
    opened = service.open(need, _journal, person.spend)
    if person.spend is not None:
        refund("visit_guess")
    return opened


def _journal(opened: Emergency) -> None:
    """One row, in the log of who was meant; nothing is told there of a book that nobody has."""
    shut = opened.met in ("blocked", "restricted")
    log_act(
        Action.EMERGENCY_OPENED,
        opened.told_id or opened.citizen_id,
        refused=shut,
        reason=opened.met if shut else opened.reason_code,
        purpose=PURPOSE,
        grant_id=None if shut else opened.id,
        categories=tuple(RULES.categories),
    )


def _practitioner() -> str:
    practitioner_only()
    found = caller().practitioner_id
    if found is None:
        raise Refusal("practitioner_needed", 403)
    return found


def _count(practitioner_id: str) -> None:
    """How many emergencies one practitioner, and one organisation, may open in a day, found or not."""
    spend("emergency", f"{organisation_id()}|{practitioner_id}")
    spend("emergency_organisation", organisation_id())


def _count_person(asked: str) -> None:
    """How often one organisation may open the same book in a day, counted by what was asked for."""
    spend("emergency_person", f"{organisation_id()}|{asked}")


def _opened_before() -> Emergency | None:
    """The access that an earlier run of this act opened."""
    noted = again()
    if not noted:
        return None
    try:
        found = services().emergencies.service.get(noted["emergency"])
    except EmergencyNotFound:
        return None  # it was broken off before
    if not done():
        _journal(found)
    return found


def _session(opened: Emergency) -> AccessSession:
    act = Act(act_token())
    return services().book.readers.open_session(viewer(), opened.citizen_id, PURPOSE, act)


def _view(opened: Emergency, session: AccessSession) -> dict[str, Any]:
    return {
        "id": seal_for_caller("grant", opened.citizen_id, opened.id),
        # Of this access alone: were it the person's usual one, it would tell who exists, and who blocks.
        "citizen_ref": seal_for_caller("citizen", opened.citizen_id, opened.id),
        "purpose": PURPOSE,
        "categories": sorted(RULES.categories),
        "expires_at": opened.expires_at,
        "access_session": {"id": session_text(session), "expires_at": session.expires_at},
    }


def _tell_after_answering(opened: Emergency) -> None:
    """Tell the person when the answer is out: how long that takes tells whether there is anybody to tell.

    A process that dies in between leaves it to the worker, which looks every few seconds.
    """
    tell = services().emergencies.tell

    def telling() -> None:
        try:
            tell(opened)
        except Exception as why:  # the answer is out; the worker tells instead
            say_error("emergency_not_told", why)

    @after_this_request
    def then(answer: Response) -> Response:
        answer.call_on_close(telling)
        return answer
