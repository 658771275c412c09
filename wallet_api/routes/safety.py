"""Raising and lifting safety flags. Nothing here ever tells of one to whom it protects against."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import fields

from consent.decision import decide_author
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.safety import SafetyFlag
from wallet_api.routes.guarded import GuardedBlueprint, ops_only, practitioner_only, provider_only
from wallet_api.routes.idempotency import act_id, once
from wallet_api.routes.references import open_for_caller, organisation_id
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import Code, Instant, ReplySchema, StrictSchema, Text
from wallet_api.routes.schemas.published import ID_PATTERN

KINDS = ("domestic_violence", "child_abuse")
flagging = GuardedBlueprint(
    "flagging",
    __name__,
    url_prefix="/api/v1/provider/safety-flags",
    guard=provider_only,
    budget="provider",
    description="Keeping a visit from those who come along.",
)
safety_desk = GuardedBlueprint(
    "safety-desk",
    __name__,
    url_prefix="/api/v1/ops/safety-flags",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Safety flags: raised on word of the protection services, lifted after review.",
)


class FlagSchema(StrictSchema):
    """A practitioner's flag over the person one of the organisation's own records is about."""

    record_ref = Text(
        longest=256, required=True, metadata={"description": "the `id` of one of the own records"}
    )
    kind = Code(KINDS, required=True)
    since = Instant(required=True, metadata={"description": "what came before stays as visible as it was"})


class OpsFlagSchema(StrictSchema):
    """A flag over what one organisation does for one person."""

    citizen_id = Text(longest=26, required=True, metadata={"pattern": ID_PATTERN})
    organisation_id = Text(longest=26, required=True, metadata={"pattern": ID_PATTERN})
    kind = Code(KINDS, required=True)
    since = Instant(required=True)


class FlaggedSchema(ReplySchema):
    """A flag that stands."""

    id = fields.String()
    since = Instant()


@flagging.route("")
class Flagging(MethodView):
    """A practitioner's flag."""

    @flagging.doc(operationId="raiseSafetyFlag")
    @flagging.arguments(FlagSchema, example=examples.FLAG)
    @flagging.response(201, FlaggedSchema)
    @flagging.alt_response(404)
    @once
    def post(self, form: dict[str, Any]) -> SafetyFlag:
        """Hide what this organisation does for the person, from an instant on, from all who act for them.

        No guardian can tell: not from lists, the log, reminders or anything else. Only ops lift it.
        """
        practitioner_only()
        whose, record_id = open_for_caller("record", form["record_ref"])
        wrote = decide_author(organisation_id()).predicate
        if not services().book.readers.admits(whose, record_id, wrote):
            raise RecordNotFound(record_id)
        return _raised(whose, organisation_id(), form, caller().practitioner_id or "")


@safety_desk.route("")
class FlagsOfOps(MethodView):
    """A flag raised by ops."""

    @safety_desk.doc(operationId="raiseSafetyFlagByOps")
    @safety_desk.arguments(OpsFlagSchema, example=examples.FLAG_OF_OPS)
    @safety_desk.response(201, FlaggedSchema)
    @safety_desk.alt_response(404)
    @once
    def post(self, form: dict[str, Any]) -> SafetyFlag:
        """Raise a flag on word of the police, a court or the child helpline."""
        known = services().identity.people.citizen(form["citizen_id"])
        about = services().identity.organisations.get(form["organisation_id"])
        return _raised(known.id, about.id, form, caller().subject_id)


@safety_desk.route("/<flag_id>")
class OneFlag(MethodView):
    """One flag."""

    @safety_desk.doc(operationId="liftSafetyFlag")
    @safety_desk.response(204)
    @safety_desk.alt_response(404)
    def delete(self, flag_id: str) -> None:
        """Lift it: what it covered is shown again, unless the person hid it."""
        log_act(Action.SAFETY_FLAG_LIFTED, None, detail={"flag": flag_id})
        lifted = services().safety.lift(flag_id, services().now())
        _replan(lifted.citizen_id)


def _raised(whose: str, organisation: str, form: dict[str, Any], by: str) -> SafetyFlag:
    """In force before it is logged, and logged where only ops look: the person's own log tells nobody."""
    now = services().now()
    flag = SafetyFlag(act_id("flag"), whose, organisation, form["kind"], form["since"], by, now)
    made = services().safety.set(flag)
    _replan(whose)
    log_act(Action.SAFETY_FLAG_SET, None, detail={"flag": made.id, "subject": whose})
    return made


def _replan(whose: str) -> None:
    services().reminding.planning.replan(whose)  # guardians are reminded by what they know
