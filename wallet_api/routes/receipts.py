"""The signed proof of one version of a grant, with the names behind its ids."""

from __future__ import annotations

import hashlib

import rfc8785

from consent.errors import RequestNotFound, UnknownCode
from consent.model import Grant, Scope
from consent.notices import notice_for
from consent.receipt import Party, content, signed
from wallet_api.context import services
from wallet_api.identity.errors import OrganisationUnknown


def receipt_of(grant: Grant) -> str:
    """The receipt as a compact JWS, verifiable offline with the published keys."""
    return signed(_content(grant), services().receipt_signing())


def receipt_digest(grant: Grant) -> str:
    """The SHA-256 of what is signed in the receipt of this version of a grant: of the JWS's payload, hex.

    Not of the whole JWS, which is another each time it is signed (ECDSA) and after each change of keys.
    """
    return hashlib.sha256(rfc8785.dumps(_content(grant))).hexdigest()  # type: ignore[arg-type]  # recursive


def _content(grant: Grant) -> dict[str, object]:
    url = services().settings.public_url
    controller = Party(url, "Health wallet", "controller", address=url, contact=f"{url}/api/docs/")
    return content(grant, controller, _recipient(grant), _text(grant), _asked(grant))


def _recipient(grant: Grant) -> Party:
    """The organisation as the registry knows it; one that is gone keeps its id.

    The registry keeps no postal addresses: the facility code is what the ministry's own list, which has
    them, is searched by.
    """
    wanted = grant.scope.organisation_id
    contact = f"{services().settings.public_url}/api/v1/organisations"
    try:
        found = services().identity.organisations.get(wanted)
    except OrganisationUnknown:
        return Party(wanted, wanted, "recipient", address=wanted, contact=contact)
    address = f"mã cơ sở {found.facility_code}" if found.facility_code else found.name_vi
    return Party(found.id, found.name_vi, "recipient", address=address, contact=contact)


def _text(grant: Grant) -> str:
    """The text the person saw, if it is still to be had in exactly those words; else its digest must do."""
    shown = grant.notice
    try:
        notice = notice_for(grant.scope.purpose, shown.locale, shown.version)
    except UnknownCode:
        return ""
    return notice.text if notice.sha256 == shown.sha256 else ""


def _asked(grant: Grant) -> Scope | None:
    """The scope of the request that was answered; None where there was none, or it is gone."""
    if grant.request_id is None:
        return None
    try:
        return services().consent.request(grant.citizen_id, grant.request_id).scope
    except RequestNotFound:
        return None
