"""Ops: who may no longer sign in, or may again. A registrar acts on what they were shown or told.

The person is named by their number, in the body: a registrar has it from the paper or from the call, and
learns nothing of the person but that there is one. Each try leaves a row.
"""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.identity.errors import CitizenUnknown
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.phones import forget_phones
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.accounts import AccountChangeForm, AccountChangeSchema

accounts = GuardedBlueprint(
    "accounts",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Accounts: locked and unlocked.",
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
        """Lock an account, which ends its sessions and pushes to its phones at once, or unlock it.

        Doing it again changes nothing. Records and consents stay as they are.
        """
        change, evidence = form["change"], form["evidence_kind"]
        citizen_id = _known(form["national_id"])
        people, reason = services().identity.people, f"{change}_{evidence}"
        if change == "unlock":
            log_act(Action.ACCOUNT_CHANGED, citizen_id, reason=reason)
            people.unlock(citizen_id)
        else:
            people.lock(citizen_id)
            log_act(Action.ACCOUNT_CHANGED, citizen_id, reason=reason)
            forget_phones(citizen_id)
        return {"change": change}


def _known(national_id: str) -> str:
    found = services().identity.people.whose("national_id", national_id)
    if found is None:
        log_act(Action.ACCOUNT_CHANGED, None, reason="unknown_number", refused=True)
        raise CitizenUnknown("no such citizen")
    return services().identity.people.living_as(found)  # by an older book's number the same person is meant
