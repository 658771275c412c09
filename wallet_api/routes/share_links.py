"""What a viewer of a share link asks (HL7 SMART Health Links): the manifest, and the file it names.

Whoever holds the link is nobody the wallet knows. The link's 256 bits, the passcode and the counts are the
guard; the answer is encrypted to a key that only the link holds, and made of what may be seen now.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any, Final

from flask import Response
from flask.views import MethodView

from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.context import request_id, services
from wallet_api.errors import problem_of
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.crypto.jwe import encrypt_compact
from wallet_api.infra.ids import id_from_bytes
from wallet_api.records.model import Record
from wallet_api.records.shared import Selection, Whose
from wallet_api.records.windows import Viewer
from wallet_api.routes.document_parts import PASSCODE
from wallet_api.routes.guarded import GuardedBlueprint, anybody
from wallet_api.routes.handover import hold_until
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.shares import ManifestForm, ManifestSchema
from wallet_api.shares.errors import PasscodeRefused, ShareBusy, ShareNotFound
from wallet_api.shares.model import Relation, Share, Wanted, declared
from wallet_api.shares.rules import RULES

FHIR: Final = "application/fhir+json"
JOSE: Final = "application/jose"
PATH: Final = "/api/v1/share-links"
_LINK = re.compile(r"[A-Za-z0-9_-]{43}")
_ORIGINS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Expose-Headers": "Retry-After",
    "Access-Control-Max-Age": "600",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Viewers run in a browser at any address, without cookies or tokens: they hold the key to what they read."""

share_links = GuardedBlueprint(
    "share-links",
    __name__,
    url_prefix=PATH,
    guard=anybody,
    budget="public",
    description="What whoever holds a share link asks: manifest and file of SMART Health Links.",
)


@share_links.route("/<link>")
class Manifest(MethodView):
    """The manifest behind a link."""

    @share_links.doc(operationId="openShareLink")
    @share_links.arguments(ManifestForm, example=examples.MANIFEST)
    @share_links.response(200, ManifestSchema)
    @share_links.alt_response(401, response=PASSCODE.name)
    def post(self, form: dict[str, Any], link: str) -> Any:
        """What the link shows now, counted as one use.

        A link that is expired, used up, locked or revoked is answered like one that never was. With 401
        `remainingAttempts` says how many wrong passcodes may still follow.
        """
        desk, share_id = services().sharing.desk, _checked(link)
        share = desk.knock(share_id, form["passcode"], declared(form["recipient"]), _log_refused)
        try:
            file = _file(share)
            answer = _manifest(share, link, file, form["embedded_length_max"])
        except Exception:
            desk.give_back(share)
            raise
        return answer, {"Cache-Control": "no-store"}


@share_links.route("/<link>/files/<ticket>")
class SharedFile(MethodView):
    """The file a manifest names."""

    @share_links.doc(operationId="getSharedFile")
    @share_links.response(200, {"type": "string"}, content_type=JOSE)
    def get(self, link: str, ticket: str) -> Response:
        """The encrypted file, for some minutes after its manifest and as part of the same use."""
        share_id = _checked(link)
        try:
            services().cursors.open(ticket, _bound(share_id), services().now())
        except BadCursor as why:
            raise ShareNotFound(share_id) from why
        share = services().sharing.desk.still_shows(share_id)
        if share is None:
            raise ShareNotFound(share_id)
        return Response(_file(share), mimetype=JOSE, headers={"Cache-Control": "no-store"})


@share_links.after_request
def _for_any_origin(answer: Response) -> Response:
    answer.headers.update(_ORIGINS)
    return answer


@share_links.errorhandler(PasscodeRefused)
def _passcode_refused(why: PasscodeRefused) -> Response:
    """The problem, with the count where the standard wants it."""
    answer = problem_of(why)
    answer.set_data(json.dumps(answer.get_json() | {"remainingAttempts": why.remaining}, ensure_ascii=False))
    answer.headers["WWW-Authenticate"] = "Passcode"
    return answer


def share_id_of(link: str) -> str:
    """The id of the share a link leads to: a keyed digest, so that nothing stored leads to the link."""
    return id_from_bytes(from_base64url(services().blind.label_token(f"share|{link}")))


def manifest_url(link: str) -> str:
    """Where a viewer asks."""
    return f"{services().settings.public_url}{PATH}/{link}"


def selection(wanted: Wanted, relation: Relation) -> Selection:
    """What is wanted, as the health book reads it."""
    named = wanted.record_ids if wanted.kind == "records" else None
    return Selection(
        named, wanted.seen_categories, wanted.first, wanted.last, by_guardian=relation == "guardian"
    )


def _checked(link: str) -> str:
    """The id of the share a link leads to, whether or not there is one; what is asked is counted."""
    if not _LINK.fullmatch(link):
        raise ShareNotFound("form")
    share_id = share_id_of(link)
    spend("share_view", f"share:{share_id}")
    return share_id


def _file(share: Share) -> str:
    """What the share shows now, encrypted to its key. In the access log when this returns."""
    sharing, chosen = services().sharing, selection(share.wanted, share.relation)
    found = sharing.reader.look(_holder(share), share.citizen_id, chosen, share.log_detail(share.knocked))
    _hold(share, chosen, found)
    profile = services().identity.people.profile(share.citizen_id)
    whose = Whose(profile.name, profile.birth_date, profile.sex)
    bundle = sharing.reader.bundle(share.id, whose, found, services().now())
    plain = json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()
    return encrypt_compact(from_base64url(share.key), plain, content_type=FHIR)


def _manifest(share: Share, link: str, file: str, longest: int | None) -> dict[str, Any]:
    named: dict[str, str] = {"content_type": FHIR}
    if longest is None or len(file) <= longest:
        named["embedded"] = file
    else:
        until = services().now() + timedelta(minutes=RULES.bounds.location_minutes)
        ticket = services().cursors.seal({}, bound_to=_bound(share.id), expires=until)
        named["location"] = f"{manifest_url(link)}/files/{ticket}"
    status = "can-change" if share.uses < share.use_limit else "finalized"
    return {"status": status, "files": [named]}


def _bound(share_id: str) -> tuple[str, ...]:
    return ("shared file", share_id)


def _hold(share: Share, chosen: Selection, found: list[Record]) -> None:
    """The last look: the link still serves, and nothing shown was hidden, corrected or erased meanwhile."""

    def check() -> Exception | None:
        if services().sharing.desk.still_shows(share.id) is None:
            services().log.append(_refusal(share, "ended_while_reading"))
            return ShareNotFound(share.id)
        if not services().sharing.reader.unchanged(share.citizen_id, chosen, found):
            services().log.append(_refusal(share, "changed_while_reading"))
            return ShareBusy(share.id)
        return None

    hold_until(check)


def _log_refused(share: Share, outcome: str) -> None:
    services().log.append(_refusal(share, outcome))


def _refusal(share: Share, reason: str) -> AuditEvent:
    """The log's words for somebody who came and was shown nothing."""
    holder = _holder(share)
    return AuditEvent(
        at=services().now(),
        request_id=holder.request_id,
        action=Action.SHARE_VIEWED,
        actor_kind=holder.kind,
        actor_id=holder.id,
        decision="refuse",
        reason=reason,
        citizen_id=share.citizen_id,
        detail=share.log_detail(share.knocked),
    )


def _holder(share: Share) -> Viewer:
    return Viewer(ActorKind.LINK, share.id, request_id(), "")
