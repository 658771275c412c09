"""A person's requests to have a record corrected: ask, send evidence, see where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import request
from flask.views import MethodView

from consent.decision import decide_guardian
from consent.predicate import COMPANIONS
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.corrections.desk import Asked, Journal
from wallet_api.corrections.errors import CorrectionNotFound, VersionUnknown
from wallet_api.corrections.model import Correction, Dispute, EvidenceFile, Line
from wallet_api.errors import language
from wallet_api.identity.errors import IdentityError
from wallet_api.identity.evidence import MOST_BYTES, kind_of
from wallet_api.records.pages import bound
from wallet_api.routes.edge import takes
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import PageQuery, listed
from wallet_api.routes.schemas.bundles import EVIDENCE_FILE
from wallet_api.routes.schemas.corrections import (
    CorrectionForm,
    CorrectionPage,
    CorrectionSchema,
    asked_view,
    correction_view,
    file_view,
)
from wallet_api.routes.schemas.family import EvidenceFileSchema
from wallet_api.routes.subjects import Subject, organisation_view, reader, subject

corrections = GuardedBlueprint(
    "corrections",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/correction-requests",
    guard=citizen_only,
    budget="citizen",
    description="Requests to correct a record, answered by the organisation that wrote it.",
)
# A record that is in dispute is hidden from everybody: that must not take back what a guardian asked of it.
_PAGE = 100
_COMPANION = decide_guardian(acts_for=True).predicate.hidden_or_not().also_hidden_from(COMPANIONS)


@corrections.route("")
class Corrections(MethodView):
    """What was asked."""

    @corrections.doc(operationId="listCorrectionRequests")
    @corrections.arguments(PageQuery, location="query")
    @corrections.response(200, CorrectionPage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """The requests, newest first. A guardian sees those that guardians made."""
        who = subject(citizen)
        binding = bound("corrections", viewer(), who.citizen_id)
        state = services().pages.after(query["cursor"], binding)
        before = str(state["before"]) if state is not None else None
        found = services().correcting.desk.listed(who.citizen_id, who.relation, before, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"before": shown[-1].place}, binding)
        return listed([_view(each) for each in shown if in_sight(who, each)], more)

    @corrections.doc(operationId="requestCorrection")
    @corrections.arguments(CorrectionForm, example=examples.CORRECTION)
    @corrections.response(201, CorrectionSchema)
    @corrections.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Say what is wrong with a version of a record. Whoever wrote it must answer in legal time."""
        who, desk, made_id = subject(citizen), services().correcting.desk, act_id("correction")
        if again() is not None:
            with suppress(CorrectionNotFound):
                return _view(desk.of_person(who.citizen_id, made_id, who.relation))
        about = reader(citizen).about(form["record_id"])
        if form["record_version"] > about.version:
            raise VersionUnknown(about.id)
        asked = Asked(
            id=made_id,
            citizen_id=who.citizen_id,
            organisation_id=about.source.organisation_id,
            record_id=about.id,
            record_version=form["record_version"],
            kind=form["kind"],
            details=form["details"],
            by=caller().subject_id,
            relation=who.relation,
        )
        return _view(desk.ask(asked, journal(Action.CORRECTION_REQUESTED)))


@corrections.route("/<correction_id>")
class OneCorrection(MethodView):
    """One request."""

    @corrections.doc(operationId="getCorrectionRequest")
    @corrections.response(200, CorrectionSchema)
    def get(self, citizen: str, correction_id: str) -> dict[str, Any]:
        """Where it stands, by when it must be answered, and who did what."""
        return _view(_found(subject(citizen), correction_id))


@corrections.route("/<correction_id>/evidence")
class CorrectionEvidence(MethodView):
    """Proof."""

    @corrections.doc(operationId="sendCorrectionEvidence", requestBody=EVIDENCE_FILE)
    @corrections.response(201, EvidenceFileSchema)
    @corrections.alt_response(409)
    @takes(body=True, limit=MOST_BYTES)
    @once
    def post(self, citizen: str, correction_id: str) -> dict[str, Any]:
        """Send a JPEG, PNG or PDF of at most 5 MiB while there is no answer; five files at the most.

        The organisation that was asked can open it. It is known by its content, not by what it is called.
        """
        who, file_id = subject(citizen), act_id("file")
        found = _found(who, correction_id)
        spend("correction_file", caller().subject_id)
        raw, now = request.get_data(cache=False), services().now()
        sent = EvidenceFile(file_id, found.id, found.citizen_id, kind_of(raw), len(raw), now, raw)
        return file_view(
            services().correcting.desk.add_file(found, sent, journal(Action.CORRECTION_EVIDENCE))
        )


def in_sight(who: Subject, about: Correction | Dispute) -> bool:
    """Whether a reader may know of it: a guardian not of what is hidden or flagged since."""
    if who.relation == "self":
        return True
    return services().book.readers.admits(who.citizen_id, about.record_id, _COMPANION)


def corrections_of(who: Subject) -> Iterator[dict[str, Any]]:
    """All requests that this reader may know of, newest first, in their wire form."""
    before, desk = None, services().correcting.desk
    while page := desk.listed(who.citizen_id, who.relation, before, _PAGE):
        yield from (CorrectionSchema().dump(_view(each)) for each in page if in_sight(who, each))
        before = page[-1].place


def journal(action: Action) -> Journal:
    """Logs an act about a request, with the organisation it is put to, or the one that acts."""

    def write(found: Correction) -> None:
        # A successor acts in its own name.
        about = caller().organisation_id or found.organisation_id
        detail = found.log_detail()
        log_act(action, found.citizen_id, reason=found.state, organisation_id=about, detail=detail)

    return write


def answered_by(line: Line) -> str | None:
    """The name of the practitioner who answered; their id when they are on no roster any more."""
    if line.organisation_id is None:
        return None
    try:
        roster = services().identity.organisations.roster(line.organisation_id)
    except IdentityError:
        return line.by
    return next((each.name for each in roster if each.id == line.by), line.by)


def _found(who: Subject, correction_id: str) -> Correction:
    found = services().correcting.desk.of_person(who.citizen_id, correction_id, who.relation)
    if not in_sight(who, found):
        raise CorrectionNotFound(correction_id)
    return found


def _view(found: Correction) -> dict[str, Any]:
    files, now = services().correcting.desk.files(found), services().now()
    view = asked_view(found, files, found.record_id, now, language(), answered_by)
    return correction_view(view, found, organisation_view(found.organisation_id), answered_by)
