"""Providers: ask, open an access session, read what is covered, write, read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, after_this_request, request
from flask.views import MethodView

from consent.access import AccessSession, Act
from consent.codes import uses_of
from consent.errors import RequestNotFound
from consent.model import ConsentRequest, Period, Scope
from consent.service import Proposal
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.infra.ids import new_id
from wallet_api.records.errors import SessionRefused
from wallet_api.records.reader import RecordReader
from wallet_api.routes.asking import place, state_told
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.handover import hold
from wallet_api.routes.idempotency import act_id, act_token, again, done, note, once
from wallet_api.routes.limits import refund, spend
from wallet_api.routes.meant import meant
from wallet_api.routes.pages import names_of
from wallet_api.routes.references import open_citizen, open_for_caller, organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.consents import OutcomeSchema, ProposalSchema, period_of
from wallet_api.routes.schemas.pages import GrantedSummarySchema, sections_view
from wallet_api.routes.schemas.records import (
    AccessSessionQuery,
    AccessSessionSchema,
    RecordPageSchema,
    RecordSchema,
    RecordsQuery,
    filter_of,
    record_view,
)
from wallet_api.routes.session_texts import note_session, noted_session, session_in, session_text

provider = GuardedBlueprint(
    "provider",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    budget="provider",
    description="For hospitals, commune stations and insurers.",
)


@provider.route("/consent-requests")
class Proposals(MethodView):
    """Asking a citizen."""

    @provider.doc(operationId="askForConsent")
    @provider.arguments(ProposalSchema, example=examples.PROPOSAL)
    @provider.response(202, OutcomeSchema)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Put a request before a citizen. The answer is the same whoever is meant, existing or not."""
        practitioner_only()
        made = _asked_before()
        return made if made is not None else self._ask(form)

    def _ask(self, form: dict[str, Any]) -> dict[str, Any]:
        scope = Scope(
            organisation_id=organisation_id(),
            practitioner_id=caller().practitioner_id if form["only_me"] else None,
            purpose=form["purpose"],
            categories=frozenset(form["categories"]),
            record_period=period_of(form["record_period"]) or Period(),
            expires_at=form["expires_at"],
            uses=uses_of(form["frequency"]),
            labels=frozenset(form["labels"]),
            mode=form["mode"],
        )
        services().consent.check(scope)
        person, request_id = meant(form["citizen"], _count_asking), act_id("request")
        put = place(person, scope, request_id)
        if put.same is not None:
            same = seal_for_caller("request", put.same.citizen_id, put.same.request_id)
            return {"id": same, "state": "requested"}
        citizen_id = put.citizen_id
        note(citizen=citizen_id, request=request_id)
        asker = caller().practitioner_id or caller().subject_id
        proposal = Proposal(
            citizen_id, scope, asker, form["reason"], person.spend is not None, request_id, person.spend
        )
        made = services().consent.propose(proposal)
        if person.spend is not None:
            refund("visit_guess")
        _log_asking(made, person.citizen_id)
        return {"id": _reference(made), "state": "requested"}


@provider.route("/consent-requests/<request_ref>")
class Outcome(MethodView):
    """What became of a request."""

    @provider.doc(operationId="getConsentOutcome")
    @provider.response(200, OutcomeSchema)
    def get(self, request_ref: str) -> dict[str, Any]:
        """requested, granted, closed or ended. Refused and expired look alike; so do all ends of a grant."""
        citizen_id, request_id = open_for_caller("request", request_ref)
        found = services().consent.request_of_organisation(organisation_id(), citizen_id, request_id)
        return outcome_view(found, request_ref)


@provider.route("/access-sessions")
class AccessSessions(MethodView):
    """Counting one use."""

    @provider.doc(operationId="openAccessSession")
    @provider.arguments(AccessSessionQuery, example=examples.ACCESS)
    @provider.response(201, AccessSessionSchema)
    @provider.alt_response(404)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Open an access session: one use. Pages and retries inside it count no further use."""
        citizen_id = open_citizen(form["citizen_ref"])
        with _logged_if_refused(citizen_id, Action.ACCESS_STARTED):
            practitioner_only()
            _count_subject(citizen_id)
        act, begun = Act(act_token(), note_session), noted_session(again())
        readers, purpose = services().book.readers, form["purpose"]
        opened = readers.open_session(viewer(), citizen_id, purpose, act, begun, form["mode"])
        return {"id": session_text(opened), "expires_at": opened.expires_at}


@provider.route("/citizens/<citizen_ref>/records")
class GrantedRecords(MethodView):
    """Reading under consent."""

    @provider.doc(operationId="listGrantedRecords", parameters=["Access-Session"])
    @provider.arguments(RecordsQuery, location="query")
    @provider.response(200, RecordPageSchema)
    def get(self, query: dict[str, Any], citizen_ref: str) -> dict[str, Any]:
        """What the consent covers, newest first. Needs the header `Access-Session`."""
        reader = _granted(citizen_ref)
        page = reader.page(filter_of(query), query["cursor"], query["limit"])
        whose = reader.citizen_id
        items = [record_view(each, seal_for_caller("record", whose, each.id)) for each in page.records]
        return listed(items, page.next_cursor)


@provider.route("/citizens/<citizen_ref>/summary")
class GrantedSummary(MethodView):
    """The front page under consent."""

    @provider.doc(operationId="getGrantedSummary", parameters=["Access-Session"])
    @provider.response(200, GrantedSummarySchema)
    def get(self, citizen_ref: str) -> dict[str, Any]:
        """The front page of what the consent covers, as if there were no more. Needs `Access-Session`."""
        reader = _granted(citizen_ref)
        front, whose = reader.pages.front(), reader.citizen_id
        names = names_of(line.record for lines, _ in front.values() for line in lines)
        sections = sections_view(front, names, lambda record_id: seal_for_caller("record", whose, record_id))
        return {"made_at": services().now(), "sections": sections}


@provider.route("/citizens/<citizen_ref>/records/<record_ref>")
class GrantedRecord(MethodView):
    """Reading one record under consent."""

    @provider.doc(operationId="getGrantedRecord", parameters=["Access-Session"])
    @provider.response(200, RecordSchema)
    def get(self, citizen_ref: str, record_ref: str) -> dict[str, Any]:
        """One record that the consent covers. Needs the header `Access-Session`."""
        reader = _granted(citizen_ref)
        whose, record_id = open_for_caller("record", record_ref)
        if whose != reader.citizen_id:
            record_id = new_id()  # another book's record: looked for, and logged, as one that is absent
        return record_view(reader.get(record_id), record_ref)


def _count_asking(whom: str) -> None:
    """One organisation asks one person only so often, in an hour and in the days a request stays open."""
    for budget in ("ask_again", "ask_open"):
        spend(budget, f"{organisation_id()}|{whom}")


def _count_subject(citizen_id: str) -> None:
    """How many people one practitioner begins to look at in an hour; the same person counts once."""
    who = f"{organisation_id()}|{caller().practitioner_id}"
    if services().limits.first("new_subject", who, citizen_id):
        spend("new_subject", who)


def _log_asking(made: ConsentRequest, meant_id: str) -> None:
    """In the log of who was meant, even where a pause keeps the request from them."""
    scope, paused = made.scope, made.citizen_id != meant_id
    log_act(
        Action.CONSENT_REQUESTED,
        meant_id,
        refused=paused,
        reason="cooling_off" if paused else "own_act",
        purpose=scope.purpose,
        categories=tuple(scope.categories),
    )


def _reference(made: ConsentRequest) -> str:
    return seal_for_caller("request", made.citizen_id, made.id)


def _asked_before() -> dict[str, Any] | None:
    """The request an earlier run of this act put before somebody, as its asker may see it now."""
    noted = again()
    if not noted:
        return None
    try:
        found = services().consent.request_of_organisation(
            organisation_id(), noted["citizen"], noted["request"]
        )
    except RequestNotFound:
        return None  # it was broken off before
    if not done():
        _log_asking(found, found.citizen_id)
    return outcome_view(found, _reference(found))


def outcome_view(found: ConsentRequest, reference: str) -> dict[str, Any]:
    """A request as its asker may see it."""
    state = state_told(found)
    if state != "granted" or found.grant_id is None:
        return {"id": reference, "state": state}
    grant = services().consent.held_by(found)
    if grant is None:
        return {"id": reference, "state": "ended"}
    return {
        "id": reference,
        "state": "granted",
        "grant_id": seal_for_caller("grant", found.citizen_id, grant.id),
        "citizen_ref": seal_for_caller("citizen", found.citizen_id),
        "expires_at": grant.scope.expires_at,
    }


def _granted(citizen_ref: str) -> RecordReader:
    return granted(open_citizen(citizen_ref))[0]


def granted(citizen_id: str) -> tuple[RecordReader, AccessSession]:
    """The calling practitioner's window on a book under the access session in the header.

    Raises:
        Refusal, SessionRefused, ConsentEnded, AccessRefused: it is none; the attempt is in the book's log.
    """
    with _logged_if_refused(citizen_id, Action.RECORD_READ):
        practitioner_only()
        session = named_session()
        if session.citizen_id != citizen_id:
            raise SessionRefused("citizen")
    if session.mode == "VIEW":
        after_this_request(_not_kept)
    return services().book.readers.granted(viewer(), session, hold), session


def named_session() -> AccessSession:
    """The access session in the header. Raises SessionRefused: it is none of the caller's, or over."""
    return session_in(request.headers.get("Access-Session", ""))


def _not_kept(answer: Response) -> Response:
    """Who may only look keeps nothing, not even in a cache."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


@contextmanager
def _logged_if_refused(citizen_id: str, action: Action) -> Iterator[None]:
    """An attempt refused before consent is even asked stands in the citizen's log all the same."""
    try:
        yield
    except (Refusal, SessionRefused) as why:
        log_act(action, citizen_id, refused=True, reason=why.code)
        raise
