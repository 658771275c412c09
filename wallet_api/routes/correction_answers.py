"""Providers: what citizens say is wrong in what the organisation wrote, and its answer."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.corrections.errors import VersionUnknown
from wallet_api.corrections.model import Answer, Correction
from wallet_api.errors import language
from wallet_api.infra.logs import say_error
from wallet_api.records.pages import bound
from wallet_api.routes.corrections import answered_by, journal
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.references import organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.corrections import (
    AnswerForm,
    AskedCorrectionPage,
    AskedCorrectionSchema,
    CorrectionQuery,
    asked_view,
)

correction_answers = GuardedBlueprint(
    "correction-answers",
    __name__,
    url_prefix="/api/v1/provider/correction-requests",
    guard=provider_only,
    budget="provider",
    description="Requests to correct what the organisation wrote.",
)
_ETAG = {"ETag": "ETag"}


@correction_answers.route("")
class PutToUs(MethodView):
    """What we were asked."""

    @correction_answers.doc(operationId="listCorrectionsAsked")
    @correction_answers.arguments(CorrectionQuery, location="query")
    @correction_answers.response(200, AskedCorrectionPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Requests about the organisation's own records, the nearest last day first.

        Those put to organisations that were merged into it as well. A read names its practitioner.
        """
        practitioner_only()
        binding = bound("correction-answers", viewer(), "", query["state"])
        state = services().pages.after(query["cursor"], binding)
        after = str(state["after"]) if state is not None else None
        found = services().correcting.desk.put_to(
            _ours(), open=query["state"] == "open", after=after, limit=query["limit"] + 1
        )
        shown = found[: query["limit"]]
        for whose in dict.fromkeys(each.citizen_id for each in shown):
            log_act(Action.CORRECTION_READ, whose, reason="author")
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"after": shown[-1].due_place}, binding)
        return listed([_view(each) for each in shown], more)


@correction_answers.route("/<correction_id>")
class OnePutToUs(MethodView):
    """One request."""

    @correction_answers.doc(operationId="getCorrectionAsked")
    @correction_answers.response(200, AskedCorrectionSchema, headers=_ETAG)
    def get(self, correction_id: str) -> Any:
        """What is said to be wrong, with the evidence sent. The ETag is what an answer must name."""
        practitioner_only()
        found = _found(correction_id)
        journal(Action.CORRECTION_READ)(found)
        return _tagged(found)


@correction_answers.route("/<correction_id>/evidence/<file_id>")
class EvidenceSent(MethodView):
    """A file."""

    @correction_answers.doc(operationId="getCorrectionEvidence")
    @correction_answers.response(200, content_type="application/octet-stream")
    def get(self, correction_id: str, file_id: str) -> Response:
        """The file, to be saved: no browser is to show it in place."""
        practitioner_only()
        found = _found(correction_id)
        file = services().correcting.desk.file(found, file_id)
        journal(Action.CORRECTION_READ)(found)
        ending = {"image/jpeg": "jpg", "image/png": "png"}.get(file.media_type, "pdf")
        sent = Response(file.content, 200, mimetype="application/octet-stream")
        sent.headers["Content-Disposition"] = f'attachment; filename="evidence-{file.id}.{ending}"'
        sent.headers["Cache-Control"] = "no-store"
        return sent


@correction_answers.route("/<correction_id>/answer")
class CorrectionAnswer(MethodView):
    """Our answer."""

    @correction_answers.doc(operationId="answerCorrectionRequest", parameters=["If-Match"])
    @correction_answers.arguments(AnswerForm, example=examples.CORRECTION_ANSWER)
    @correction_answers.response(200, AskedCorrectionSchema, headers=_ETAG)
    @correction_answers.alt_response(409)
    @correction_answers.alt_response(412)
    @correction_answers.alt_response(428)
    def post(self, form: dict[str, Any], correction_id: str) -> Any:
        """Answer once: corrected, with the newer version that was sent in before, or refused with a reason.

        Whoever asked is told, without a word about the record.
        """
        practitioner_only()
        found, tags = _found(correction_id), if_match()
        if form["outcome"] == "corrected":
            _check_version(found, form["corrected_version"])
        answer = Answer(form["corrected_version"], form["refusal"], form["note"])
        by = organisation_id(), str(caller().practitioner_id)
        kit = services().correcting
        answered = kit.desk.answer(found, tags, answer, by, journal(Action.CORRECTION_ANSWERED))
        try:
            kit.tell_answer(answered)
        except Exception as why:  # it stands, and is seen where it was asked
            say_error("correction_not_told", why)
        return _tagged(answered)


def _check_version(found: Correction, version: int) -> None:
    """It is newer than what was complained of, and was written by who is asked. Raises VersionUnknown."""
    newer = version > found.record_version
    readers = services().book.readers
    if not newer or readers.written(found.citizen_id, found.record_id, version, _ours()) is None:
        raise VersionUnknown(found.record_id)


def _ours() -> list[str]:
    """The calling organisation and those merged into it: somebody must be able to answer for these."""
    own = organisation_id()
    return [own, *services().identity.organisations.predecessors(own)]


def _found(correction_id: str) -> Correction:
    return services().correcting.desk.of_organisation(correction_id, _ours())


def _view(found: Correction) -> dict[str, Any]:
    record_ref = seal_for_caller("record", found.citizen_id, found.record_id)
    files, now = services().correcting.desk.files(found), services().now()
    return asked_view(found, files, record_ref, now, language(), answered_by)


def _tagged(found: Correction) -> Any:
    return _view(found), {"ETag": f'"{found.version}"'}
