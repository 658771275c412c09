"""Ops: what becomes of registered organisations. What closes acts before it is logged, what opens after."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from consent.errors import StaleVersion
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.identity.errors import ClientUnknown, OffRoster, OrganisationUnknown
from wallet_api.identity.model import Licence, Organisation, Practitioner
from wallet_api.identity.organisations import narrower
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.ops import RosterSchema
from wallet_api.routes.schemas.registry import (
    LicenceForm,
    LostKeyForm,
    MergerForm,
    ReasonForm,
    RegistryEntrySchema,
    RevokedSchema,
    entry_view,
)

organisations = GuardedBlueprint(
    "organisations",
    __name__,
    url_prefix="/api/v1/ops/organisations",
    guard=ops_only("registrar"),
    budget="ops",
    description="Organisations after registration: verified, narrowed, suspended, merged, without a key.",
)


@organisations.route("/<organisation_id>")
class OneOrganisation(MethodView):
    """One organisation."""

    @organisations.doc(operationId="getRegisteredOrganisation")
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    def get(self, organisation_id: str) -> Any:
        """Its entry, and what is missing before it can work. The ETag is what a change must name."""
        return _tagged(services().identity.organisations.get(organisation_id))


@organisations.route("/<organisation_id>/verification")
class Verification(MethodView):
    """Seeing who it is."""

    @organisations.doc(operationId="verifyOrganisation", parameters=["If-Match"])
    @organisations.arguments(ReasonForm, example=examples.REGISTRY_REASON)
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    @organisations.alt_response(409)
    @organisations.alt_response(412)
    @organisations.alt_response(428)
    def post(self, form: dict[str, Any], organisation_id: str) -> Any:
        """Say that it is who it says: evidence was seen. Citizens are shown so from now on."""
        expected = _expected(organisation_id)
        _log("verified", organisation_id)
        return _tagged(services().identity.organisations.verify(organisation_id, expected=expected))


@organisations.route("/<organisation_id>/licence")
class LicenceChange(MethodView):
    """What it may do."""

    @organisations.doc(operationId="changeLicence", parameters=["If-Match"])
    @organisations.arguments(LicenceForm, example=examples.LICENCE)
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    @organisations.alt_response(409)
    @organisations.alt_response(412)
    @organisations.alt_response(428)
    def put(self, form: dict[str, Any], organisation_id: str) -> Any:
        """Replace the licence. What is narrowed ends within five seconds, whatever was granted."""
        registry, expected = services().identity.organisations, _expected(organisation_id)
        licence = Licence(*(frozenset(form[name]) for name in LicenceForm().fields))
        opens = not narrower(licence, registry.get(organisation_id).licence)
        if opens:
            _log("licence", organisation_id)
        changed = registry.license(organisation_id, licence, expected=expected)
        if not opens:
            _log("licence", organisation_id)
        return _tagged(changed)


@organisations.route("/<organisation_id>/suspension")
class Suspension(MethodView):
    """Stopping it."""

    @organisations.doc(operationId="suspendOrganisation")
    @organisations.arguments(ReasonForm, example=examples.REGISTRY_REASON)
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    @organisations.alt_response(409)
    def post(self, form: dict[str, Any], organisation_id: str) -> Any:
        """Suspend it: its keys and tokens have stopped working when this answers."""
        changed = services().identity.organisations.set_status(organisation_id, "suspended")
        _log("suspended", organisation_id)
        return _tagged(changed)


@organisations.route("/<organisation_id>/readmission")
class Readmission(MethodView):
    """Letting it back."""

    @organisations.doc(operationId="readmitOrganisation")
    @organisations.arguments(ReasonForm, example=examples.REGISTRY_REASON)
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    @organisations.alt_response(409)
    def post(self, form: dict[str, Any], organisation_id: str) -> Any:
        """Let a suspended organisation work again, with the keys it had. A merged one never comes back."""
        services().identity.organisations.get(organisation_id)
        _log("readmitted", organisation_id)
        return _tagged(services().identity.organisations.set_status(organisation_id, "active"))


@organisations.route("/<organisation_id>/merger")
class Merger(MethodView):
    """One organisation becoming part of another."""

    @organisations.doc(operationId="mergeOrganisation")
    @organisations.arguments(MergerForm, example=examples.MERGER)
    @organisations.response(200, RegistryEntrySchema, headers={"ETag": "ETag"})
    @organisations.alt_response(409)
    def post(self, form: dict[str, Any], organisation_id: str) -> Any:
        """Merge it into another. It is suspended for good; its successor reads back what it wrote. Consents
        stay where they were given: the successor asks anew.
        """
        registry = services().identity.organisations
        for each in (organisation_id, form["into"]):
            registry.get(each)
        # It closes one and opens its writings to the other: nothing is opened that the log does not tell of.
        _log("merged", organisation_id, into=form["into"])
        return _tagged(registry.merge(organisation_id, form["into"]))


@organisations.route("/<organisation_id>/keys/<client_id>/revocation")
class LostKey(MethodView):
    """A key that others may have."""

    @organisations.doc(operationId="revokeOrganisationKey")
    @organisations.arguments(LostKeyForm, example=examples.LOST_KEY)
    @organisations.response(200, RevokedSchema)
    @organisations.alt_response(409)
    def post(self, form: dict[str, Any], organisation_id: str, client_id: str) -> dict[str, Any]:
        """Revoke a lost key: what it signs, and every token the client holds, is refused from this answer on.

        Without another key, or without naming one, the client is suspended: register new keys for it.
        """
        clients = services().identity.clients
        if clients.get(client_id).organisation_id != organisation_id:
            raise ClientUnknown("no such client of this organisation")
        left = clients.revoke_key(client_id, form["kid"])
        _log("key_revoked", organisation_id)
        keys = left.jwks["keys"] if left.status == "active" else []
        return {"client_id": left.id, "status": left.status, "keys": len(keys)}  # type: ignore[arg-type]  # a list, checked when it was registered


@organisations.route("/<organisation_id>/roster/<practitioner_id>/departure")
class Departure(MethodView):
    """A practitioner who leaves."""

    @organisations.doc(operationId="recordDeparture")
    @organisations.arguments(ReasonForm, example=examples.REGISTRY_REASON)
    @organisations.response(200, RosterSchema)
    def post(self, form: dict[str, Any], organisation_id: str, practitioner_id: str) -> Practitioner:
        """Take somebody off the roster at once: their tokens and access sessions end with the next read."""
        registry = services().identity.organisations
        registry.get(organisation_id)
        try:
            gone = registry.dismiss(organisation_id, practitioner_id)
        except OffRoster as why:
            raise OrganisationUnknown("nobody of that id ever worked there") from why
        log_act(Action.ROSTER_CHANGED, None, reason="left", detail={"organisation": organisation_id})
        return gone


def _expected(organisation_id: str) -> int:
    """The version the caller has seen. Raises StaleVersion if the entry has changed since."""
    seen, current = if_match(), services().identity.organisations.get(organisation_id).version
    if str(current) not in seen:
        raise StaleVersion(organisation_id)
    return current


def _log(reason: str, organisation_id: str, **more: str) -> None:
    log_act(
        Action.ORGANISATION_CHANGED, None, reason=reason, detail={"organisation": organisation_id, **more}
    )


def _tagged(found: Organisation) -> Any:
    identity = services().identity
    clients = identity.clients.of_organisation(found.id)
    there = {
        "keys": any(each.status == "active" for each in clients),
        "roster": bool(identity.organisations.roster(found.id)),
        "verification": found.verified,
    }
    missing = [step for step, done in there.items() if not done]
    return entry_view(found, missing), {"ETag": f'"{found.version}"'}
