"""Providers: ask, open an access session, read what is covered, write, read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request
from flask.views import MethodView

from consent.access import AccessSession
from consent.codes import uses_of
from consent.model import ConsentRequest, Period, Scope
from consent.service import Proposal
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.infra.ids import new_id
from wallet_api.records.errors import SessionRefused
from wallet_api.records.reader import RecordReader
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.handover import hold
from wallet_api.routes.references import open_for_caller, organisation_id, seal_for_caller
from wallet_api.routes.schemas.base import ProblemSchema, listed
from wallet_api.routes.schemas.consents import OutcomeSchema, ProposalSchema, period_of
from wallet_api.routes.schemas.records import (
    AccessSessionQuery,
    AccessSessionSchema,
    RecordPageSchema,
    RecordSchema,
    RecordsQuery,
    filter_of,
    record_view,
)

provider = GuardedBlueprint(
    "provider",
    __name__,
    url_prefix="/api/v1/provider",
    guard=provider_only,
    description="For hospitals, commune stations and insurers.",
)


@provider.route("/consent-requests")
class Proposals(MethodView):
    """Asking a citizen."""

    @provider.arguments(ProposalSchema)
    @provider.response(202, OutcomeSchema)
    @provider.alt_response(403, schema=ProblemSchema)
    @provider.alt_response(422, schema=ProblemSchema)
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Put a request before a citizen. The answer is the same whoever is meant, existing or not."""
        practitioner_only()
        scope = Scope(
            organisation_id=organisation_id(),
            practitioner_id=caller().practitioner_id if form["only_me"] else None,
            purpose=form["purpose"],
            categories=frozenset(form["categories"]),
            record_period=period_of(form["record_period"]) or Period(),
            expires_at=form["expires_at"],
            uses=uses_of(form["frequency"]),
            labels=frozenset(form["labels"]),
        )
        services().consent.check(scope)
        citizen_id, in_visit = _meant(form["citizen"])  # last, because it spends the visit code
        asker = caller().practitioner_id or caller().subject_id
        made = services().consent.propose(Proposal(citizen_id, scope, asker, form["reason"], in_visit))
        log_act(
            Action.CONSENT_REQUESTED, citizen_id, purpose=scope.purpose, categories=tuple(scope.categories)
        )
        return {"id": seal_for_caller("request", citizen_id, made.id), "state": "requested"}


@provider.route("/consent-requests/<request_ref>")
class Outcome(MethodView):
    """What became of a request."""

    @provider.response(200, OutcomeSchema)
    @provider.alt_response(404, schema=ProblemSchema)
    def get(self, request_ref: str) -> dict[str, Any]:
        """requested, granted or closed. Refused and expired look alike."""
        citizen_id, request_id = open_for_caller("request", request_ref)
        found = services().consent.request_of_organisation(organisation_id(), citizen_id, request_id)
        return _outcome(found, request_ref)


@provider.route("/access-sessions")
class AccessSessions(MethodView):
    """Counting one use."""

    @provider.arguments(AccessSessionQuery)
    @provider.response(201, AccessSessionSchema)
    @provider.alt_response(403, schema=ProblemSchema)
    @provider.alt_response(404, schema=ProblemSchema)
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Open an access session: one use. Pages and retries inside it count no further use."""
        (citizen_id,) = open_for_caller("citizen", form["citizen_ref"])
        with _logged_if_refused(citizen_id, Action.ACCESS_STARTED):
            practitioner_only()
        opened = services().book.readers.open_session(viewer(), citizen_id, form["purpose"])
        return {"id": _session_text(opened), "expires_at": opened.expires_at}


@provider.route("/citizens/<citizen_ref>/records")
class GrantedRecords(MethodView):
    """Reading under consent."""

    @provider.arguments(RecordsQuery, location="query")
    @provider.response(200, RecordPageSchema)
    @provider.alt_response(403, schema=ProblemSchema)
    @provider.alt_response(404, schema=ProblemSchema)
    @provider.doc(parameters=[{"in": "header", "name": "Access-Session", "schema": {"type": "string"}}])
    def get(self, query: dict[str, Any], citizen_ref: str) -> dict[str, Any]:
        """What the consent covers, newest first. Needs the header `Access-Session`."""
        reader = _granted(citizen_ref)
        page = reader.page(filter_of(query), query["cursor"], query["limit"])
        whose = reader.citizen_id
        items = [record_view(each, seal_for_caller("record", whose, each.id)) for each in page.records]
        return listed(items, page.next_cursor)


@provider.route("/citizens/<citizen_ref>/records/<record_ref>")
class GrantedRecord(MethodView):
    """Reading one record under consent."""

    @provider.response(200, RecordSchema)
    @provider.alt_response(403, schema=ProblemSchema)
    @provider.alt_response(404, schema=ProblemSchema)
    @provider.doc(parameters=[{"in": "header", "name": "Access-Session", "schema": {"type": "string"}}])
    def get(self, citizen_ref: str, record_ref: str) -> dict[str, Any]:
        """One record that the consent covers. Needs the header `Access-Session`."""
        reader = _granted(citizen_ref)
        whose, record_id = open_for_caller("record", record_ref)
        if whose != reader.citizen_id:
            record_id = new_id()  # another book's record: looked for, and logged, as one that is absent
        return record_view(reader.get(record_id), record_ref)


def _meant(form: dict[str, str]) -> tuple[str, bool]:
    if len(form) != 1:
        raise Refusal("invalid_fields", 422, [{"pointer": "/citizen", "code": "exactly_one", "message": ""}])
    ((kind, value),) = form.items()
    if kind == "visit_code":
        return services().visit_codes.redeem(value), True
    known = services().identity.people.resolve(kind, value)  # type: ignore[arg-type]  # the schema names the kinds
    # Nobody's id takes the place of an unknown person's, so that all that follows is the same.
    return known or new_id(), False


def _outcome(found: ConsentRequest, reference: str) -> dict[str, Any]:
    state = found.state_at(services().now())
    if state == "requested" or (state == "refused" and services().now() < found.closes_at):
        # A refusal is told no sooner than an expiry would be: nobody's requests end only by time.
        return {"id": reference, "state": "requested"}
    if state != "granted" or found.grant_id is None:
        return {"id": reference, "state": "closed"}
    grant = services().consent.grant(found.citizen_id, found.grant_id)
    return {
        "id": reference,
        "state": "granted",
        "grant_id": seal_for_caller("grant", found.citizen_id, grant.id),
        "citizen_ref": seal_for_caller("citizen", found.citizen_id),
        "expires_at": grant.scope.expires_at,
    }


def _session_text(opened: AccessSession) -> str:
    state = {
        "citizen": opened.citizen_id,
        "purpose": opened.purpose,
        "grants": sorted(opened.grant_ids),
        "expires_at": opened.expires_at.isoformat(),
    }
    return services().cursors.seal(state, bound_to=_binding(), expires=opened.expires_at)


def _binding() -> tuple[str, ...]:
    return ("access-session", organisation_id(), caller().practitioner_id or "")


def _granted(citizen_ref: str) -> RecordReader:
    (citizen_id,) = open_for_caller("citizen", citizen_ref)
    with _logged_if_refused(citizen_id, Action.RECORD_READ):
        practitioner_only()
        session = _session(request.headers.get("Access-Session", ""))
        if session.citizen_id != citizen_id:
            raise SessionRefused("citizen")
    return services().book.readers.granted(viewer(), session, hold)


@contextmanager
def _logged_if_refused(citizen_id: str, action: Action) -> Iterator[None]:
    """An attempt refused before consent is even asked stands in the citizen's log all the same."""
    try:
        yield
    except (Refusal, SessionRefused) as why:
        log_act(action, citizen_id, refused=True, reason=why.code)
        raise


def _session(text: str) -> AccessSession:
    who, now = caller(), services().now()
    try:
        state = services().cursors.open(text, _binding(), now)
    except BadCursor as why:
        raise SessionRefused("access_session") from why
    return AccessSession(
        citizen_id=state["citizen"],
        organisation_id=organisation_id(),
        practitioner_id=who.practitioner_id or "",
        purpose=state["purpose"],
        grant_ids=frozenset(state["grants"]),
        expires_at=now.fromisoformat(state["expires_at"]),
    )
