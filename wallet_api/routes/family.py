"""Whom I act for and who acts for me: asked for with evidence, verified by a registrar, ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from flask import request
from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.errors import Refusal
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.errors import CitizenUnknown, GuardianshipRefused, GuardianshipUnknown
from wallet_api.identity.evidence import MOST_BYTES, EvidenceFile, kind_of
from wallet_api.identity.family import Claim
from wallet_api.identity.guardianship import RULES
from wallet_api.identity.identifiers import look_up_key
from wallet_api.identity.model import Guardianship
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.ids import id_from_bytes
from wallet_api.routes.custody import close_guardianship, concerned
from wallet_api.routes.edge import takes
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import StrictSchema, listed
from wallet_api.routes.schemas.bundles import EVIDENCE_FILE
from wallet_api.routes.schemas.family import (
    ClaimSchema,
    EvidenceFileSchema,
    RelativePage,
    RelativeSchema,
    file_view,
    relation_view,
)
from wallet_api.routes.subjects import own_id

family = GuardedBlueprint(
    "family",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/family",
    guard=citizen_only,
    budget="citizen",
    description="Guardianships: asked for with evidence, verified by a registrar.",
)
_SHOWN_AFTER_ITS_END = timedelta(days=30)


@family.route("")
class Family(MethodView):
    """Whom I act for, and who acts for me."""

    @family.doc(operationId="listFamily")
    @family.response(200, RelativePage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Guardianships that stand or begin soon, and the caller's own requests, refused ones too."""
        own, today = own_id(citizen), vn_day(services().now())
        found = services().identity.family.of(own)
        return listed([_relative(each, own) for each in found if _is_shown(each, own, today)])

    @family.doc(operationId="claimGuardianship")
    @family.arguments(ClaimSchema, example=examples.CLAIM)
    @family.response(201, RelativeSchema)
    @family.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Ask to act for somebody. Gives nothing until a registrar has confirmed it. Needs a recent sign-in.

        The answer does not tell whether there is such a person.
        """
        step_up()
        own, claimed_id = own_id(citizen), act_id("guardianship")
        kin = services().identity.family
        if again() is not None:
            with suppress(GuardianshipUnknown):
                return _relative(kin.get(claimed_id), own)
        spend("family_claim", own)
        meant = _meant(own, form)
        claim = Claim(own, meant, form["birth_date"], form["relation"], form["evidence_kind"], claimed_id)
        asked = kin.claim(claim)
        log_act(Action.GUARDIANSHIP_CLAIMED, meant, reason=asked.evidence_kind)
        tell("guardianship_claimed", concerned(asked), meant)
        return _relative(asked, own)


@family.route("/<guardianship_id>")
class Relative(MethodView):
    """One guardianship."""

    @family.doc(operationId="getRelative")
    @family.response(200, RelativeSchema)
    def get(self, citizen: str, guardianship_id: str) -> dict[str, Any]:
        """One guardianship that concerns the caller."""
        own = own_id(citizen)
        return _relative(_mine(guardianship_id, own), own)


@family.route("/<guardianship_id>/evidence")
class Evidence(MethodView):
    """Proof."""

    @family.doc(operationId="sendEvidence", requestBody=EVIDENCE_FILE)
    @family.response(201, EvidenceFileSchema)
    @takes(body=True, limit=MOST_BYTES)
    @once
    def post(self, citizen: str, guardianship_id: str) -> dict[str, Any]:
        """Send a JPEG, PNG or PDF of at most 5 MiB. It is known by its content, not by what it is called.

        Only whoever asked may, while it waits. Needs a recent sign-in.
        """
        step_up()
        own, file_id = own_id(citizen), act_id("file")
        asked = _mine(guardianship_id, own)
        if asked.guardian_id != own:
            raise GuardianshipUnknown("no such guardianship")
        if asked.state != "proposed":
            raise GuardianshipRefused("only what waits takes evidence")
        spend("family_file", own)
        raw = request.get_data(cache=False)
        sent = EvidenceFile(file_id, asked.id, own, kind_of(raw), len(raw), services().now(), raw)
        kept = services().evidence.add(sent, RULES.most_files)
        log_act(Action.GUARDIANSHIP_EVIDENCE, own, reason=kept.media_type.replace("/", "_"))
        return file_view(kept)


@family.route("/<guardianship_id>/end")
class Ending(MethodView):
    """Ending one."""

    @family.doc(operationId="endRelation")
    @family.arguments(StrictSchema)
    @family.response(200, RelativeSchema)
    @once
    def post(self, form: dict[str, Any], citizen: str, guardianship_id: str) -> dict[str, Any]:
        """End a guardianship: the guardian at any time, the person acted for from 18. Needs a recent sign-in.

        What the guardian had consented to for the other is suspended at once.
        """
        step_up()
        own = own_id(citizen)
        found = _mine(guardianship_id, own)
        by_ward = found.dependent_id == own
        if by_ward and not _of_age(own):
            raise Refusal("forbidden", 403)
        ended = close_guardianship(found, "by_ward" if by_ward else "by_guardian")
        return _relative(ended, own)


def _mine(guardianship_id: str, own: str) -> Guardianship:
    """A guardianship the caller is part of, and may know of.

    Raises:
        GuardianshipUnknown: absent, other people's, or one that the caller is only claimed by.
    """
    found = services().identity.family.get(guardianship_id)
    if own == found.guardian_id or (own == found.dependent_id and found.verified_by is not None):
        return found
    raise GuardianshipUnknown("no such guardianship")


def _is_shown(found: Guardianship, own: str, today: date) -> bool:
    if found.state == "active":
        return found.valid_to is None or found.valid_to >= today
    if found.guardian_id != own or found.claimed_at is None:
        return False
    return not found.over or services().now() - found.claimed_at < _SHOWN_AFTER_ITS_END


def _relative(found: Guardianship, own: str) -> dict[str, Any]:
    role = "dependent" if found.guardian_id == own else "guardian"
    other = found.dependent_id if role == "dependent" else found.guardian_id
    name = None
    if found.state == "active":
        with suppress(CitizenUnknown):
            name = services().identity.people.profile(other).name
    shown = relation_view(found) | {"name": name, "role": role}
    # Until a registrar has said who is who, an id would tell that there is somebody.
    return shown if found.state in ("active", "ended") else shown | {"dependent_id": None}


def _meant(own: str, form: dict[str, Any]) -> str:
    """Whom number and birth date fit; else the id of nobody, the same for the same claim of this person."""
    if len(form["dependent"]) != 1:
        fault = {"pointer": "/dependent", "code": "exactly_one", "message": ""}
        raise Refusal("invalid_fields", 422, [fault])
    ((kind, value),) = form["dependent"].items()
    people = services().identity.people
    found = people.whose(kind, value)
    nobody = services().blind.label_token(f"nobody|claim|{own}|{kind}|{look_up_key(kind, value)}")
    if found is None:
        return id_from_bytes(from_base64url(nobody))
    fits = people.facts(found).born == form["birth_date"]
    return found if fits else id_from_bytes(from_base64url(nobody))


def _of_age(own: str) -> bool:
    born = services().identity.people.facts(own).born
    return has_reached(born, AGES.full_age, vn_day(services().now()))
