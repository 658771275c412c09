"""A person says that a record is somebody else's: it is hidden at once, and they see what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.corrections.disputes import Journal, NotMine
from wallet_api.corrections.errors import DisputeNotFound
from wallet_api.corrections.model import Dispute
from wallet_api.errors import language
from wallet_api.records.pages import bound
from wallet_api.routes.corrections import in_sight
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.idempotency import once
from wallet_api.routes.schemas.base import PageQuery, listed
from wallet_api.routes.schemas.corrections import DisputePage, DisputeSchema, NotMineForm, dispute_view
from wallet_api.routes.subjects import Subject, organisation_view, reader, subject

disputes = GuardedBlueprint(
    "disputes",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Records that are somebody else's.",
)
_PAGE = 100


@disputes.route("/disputes")
class Disputes(MethodView):
    """What was said to be somebody else's."""

    @disputes.doc(operationId="listDisputes")
    @disputes.arguments(PageQuery, location="query")
    @disputes.response(200, DisputePage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """The disputes and what became of them, newest first. A guardian sees those that guardians opened."""
        who = subject(citizen)
        binding = bound("disputes", viewer(), who.citizen_id)
        state = services().pages.after(query["cursor"], binding)
        before = str(state["before"]) if state is not None else None
        desk = services().correcting.disputes
        found = desk.listed(who.citizen_id, who.relation, before, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"before": shown[-1].place}, binding)
        return listed([_view(each) for each in shown if in_sight(who, each)], more)


@disputes.route("/records/<record_id>/not-mine")
class NotMineMark(MethodView):
    """One record."""

    @disputes.doc(operationId="disputeRecord")
    @disputes.arguments(NotMineForm)
    @disputes.response(200, DisputeSchema)
    @disputes.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, record_id: str) -> dict[str, Any]:
        """Say that a record is somebody else's. When this answers nobody but its author sees it any more.

        Reminders no longer count it. A reviewer decides; until then it can be taken back. Saying it again
        changes nothing.
        """
        who, desk = subject(citizen), services().correcting.disputes
        known = _open(who, record_id)
        if known is not None:
            category, author = known.category, known.organisation_id
        else:
            about = reader(citizen).about(record_id)
            category, author = about.category, about.source.organisation_id
        said = NotMine(who.citizen_id, record_id, category, author, caller().subject_id, who.relation)
        return _view(desk.open(said, journal(Action.DISPUTE_OPENED)))

    @disputes.doc(operationId="takeBackDispute")
    @disputes.response(200, DisputeSchema)
    @disputes.alt_response(409)
    def delete(self, citizen: str, record_id: str) -> dict[str, Any]:
        """Take it back while nobody has decided: the record is shown again. A guardian only what one said."""
        who = subject(citizen)
        found = _found(who, record_id)
        by, log = caller().subject_id, journal(Action.DISPUTE_TAKEN_BACK)
        return _view(services().correcting.disputes.take_back(found, who.relation, by, log))


def disputes_of(who: Subject) -> Iterator[dict[str, Any]]:
    """All disputes that this reader may know of, newest first, in their wire form."""
    before, desk = None, services().correcting.disputes
    while page := desk.listed(who.citizen_id, who.relation, before, _PAGE):
        yield from (DisputeSchema().dump(_view(each)) for each in page if in_sight(who, each))
        before = page[-1].place


def journal(action: Action) -> Journal:
    """Logs an act about a dispute; the state it comes to is its reason."""

    def write(found: Dispute) -> None:
        log_act(
            action,
            found.citizen_id,
            reason=found.state,
            organisation_id=found.organisation_id,
            detail=found.log_detail(),
        )

    return write


def _found(who: Subject, record_id: str) -> Dispute:
    found = services().correcting.disputes.about(who.citizen_id, record_id, who.relation)
    if not in_sight(who, found):
        raise DisputeNotFound(record_id)
    return found


def _open(who: Subject, record_id: str) -> Dispute | None:
    """The dispute that is open about a record, if this reader may know of it: the record itself is hidden."""
    try:
        found = _found(who, record_id)
    except DisputeNotFound:
        return None
    return found if found.open else None


def _view(found: Dispute) -> dict[str, Any]:
    organisation = None if found.organisation_id is None else organisation_view(found.organisation_id)
    return dispute_view(found, organisation, language())
