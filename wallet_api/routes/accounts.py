"""Ops: who may no longer sign in, or may again. A registrar acts on what they were shown or told.

The person is named by their number, in the body: a registrar has it from the paper or from the call, and
learns nothing of the person but that there is one. Each try leaves a row.
"""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.errors import Refusal
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.infra.clock import vn_day
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.accounts import AccountChangeForm, AccountChangeSchema

accounts = GuardedBlueprint(
    "accounts",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Accounts: locked, unlocked, closed by a death.",
)


@accounts.route("/account-changes")
class AccountChanges(MethodView):
    """What became of an account."""

    @accounts.doc(operationId="changeAccount")
    @accounts.arguments(AccountChangeForm, example=examples.ACCOUNT_CHANGE)
    @accounts.response(201, AccountChangeSchema)
    @accounts.alt_response(404)
    @accounts.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Lock an account, unlock it, or close it by a death; all but unlocking end its sessions at once.

        Doing it again changes nothing. Records and consents stay as they are.
        """
        change, day, evidence = form["change"], form["died_on"], form["evidence_kind"]
        if (change == "death") != (day is not None):
            code = "missing" if day is None else "unsupported"
            raise Refusal("invalid_fields", 422, [{"pointer": "/died_on", "code": code, "message": ""}])
        citizen_id = _known(form["national_id"])
        people, reason = services().identity.people, f"{change}_{evidence}"
        if change == "unlock":
            log_act(Action.ACCOUNT_CHANGED, citizen_id, reason=reason)
            people.unlock(citizen_id)
        elif change == "lock":
            people.lock(citizen_id)
            log_act(Action.ACCOUNT_CHANGED, citizen_id, reason=reason)
        else:
            if not people.profile(citizen_id).birth_date <= day <= vn_day(services().now()):
                fault = {"pointer": "/died_on", "code": "day_range", "message": ""}
                raise Refusal("invalid_fields", 422, [fault])
            people.record_death(citizen_id, day)
            log_act(Action.ACCOUNT_CLOSED, citizen_id, reason=reason)
        return {"change": change, "died_on": day}


def _known(national_id: str) -> str:
    found = services().identity.people.whose("national_id", national_id)
    if found is None:
        log_act(Action.ACCOUNT_CHANGED, None, reason="unknown_number", refused=True)
        raise CitizenUnknown("no such citizen")
    return found
