"""Providers: ask, open an access session, read what is covered, write, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request
from flask.views import MethodView

from consent.access import AccessSession, Act
from consent.codes import uses_of
from consent.errors import RequestNotFound
from consent.model import ConsentRequest, Period, Scope
from consent.ports import Spend
from consent.service import Proposal
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.identity.identifiers import look_up_key
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.infra.ids import new_id
from wallet_api.records.errors import SessionRefused
from wallet_api.records.reader import RecordReader
from wallet_api.routes.guarded import GuardedBlueprint, practitioner_only, provider_only
from wallet_api.routes.handover import hold
from wallet_api.routes.idempotency import act_id, act_token, again, done, note, once
from wallet_api.routes.limits import refund, spend
from wallet_api.routes.references import open_for_caller, organisation_id, seal_for_caller
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
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
        )
        services().consent.check(scope)
        meant = _meant(form["citizen"])
        citizen_id, request_id = meant.citizen_id, act_id("request")
        note(citizen=citizen_id, request=request_id)
        asker = caller().practitioner_id or caller().subject_id
        proposal = Proposal(
            citizen_id, scope, asker, form["reason"], meant.spend is not None, request_id, meant.spend
        )
        made = services().consent.propose(proposal)
        if meant.spend is not None:
            refund("visit_guess")
        _log_asking(made)
        return {"id": seal_for_caller("request", citizen_id, made.id), "state": "requested"}


@provider.route("/consent-requests/<request_ref>")
class Outcome(MethodView):
    """What became of a request."""

    @provider.doc(operationId="getConsentOutcome")
    @provider.response(200, OutcomeSchema)
    def get(self, request_ref: str) -> dict[str, Any]:
        """requested, granted or closed. Refused and expired look alike."""
        citizen_id, request_id = open_for_caller("request", request_ref)
        found = services().consent.request_of_organisation(organisation_id(), citizen_id, request_id)
        return _outcome(found, request_ref)


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
        (citizen_id,) = open_for_caller("citizen", form["citizen_ref"])
        with _logged_if_refused(citizen_id, Action.ACCESS_STARTED):
            practitioner_only()
            _count_subject(citizen_id)
        act = Act(act_token(), _note_session)
        noted = again()
        begun = _session_of({**noted, "grants": noted["grants"].split()}) if noted else None
        opened = services().book.readers.open_session(viewer(), citizen_id, form["purpose"], act, begun)
        return {"id": _session_text(opened), "expires_at": opened.expires_at}


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


@dataclass(frozen=True)
class _Meant:
    """Whom a request is for, and what it costs to have been told so."""

    citizen_id: str
    spend: Spend | None = None


def _meant(form: dict[str, str]) -> _Meant:
    if len(form) != 1:
        raise Refusal("invalid_fields", 422, [{"pointer": "/citizen", "code": "exactly_one", "message": ""}])
    ((kind, value),) = form.items()
    if kind == "visit_code":
        return _shown(value)
    spend("lookup")
    # Counted by what was asked, never by whose it is: the absent are asked as often as anybody.
    _count_asking(f"{kind}|{look_up_key(kind, value)}")  # type: ignore[arg-type]  # the schema names the kinds
    known = services().identity.people.resolve(kind, value)  # type: ignore[arg-type]  # as above
    # Nobody's id takes the place of an unknown person's, so that all that follows is the same.
    return _Meant(known or act_id("nobody"))


def _shown(code: str) -> _Meant:
    """Whose visit code it is. A guess counts until it has turned out right."""
    spend("visit_try")
    spend("visit_guess")
    codes = services().visit_codes
    shown = codes.shown(code)
    _count_asking(shown.citizen_id)
    return _Meant(shown.citizen_id, lambda unit: codes.use(shown, unit))


def _count_asking(whom: str) -> None:
    """One organisation asks one person only so often, in an hour and in the days a request stays open."""
    for budget in ("ask_again", "ask_open"):
        spend(budget, f"{organisation_id()}|{whom}")


def _count_subject(citizen_id: str) -> None:
    """How many people one practitioner begins to look at in an hour; the same person counts once."""
    who = f"{organisation_id()}|{caller().practitioner_id}"
    if services().limits.first("new_subject", who, citizen_id):
        spend("new_subject", who)


def _log_asking(made: ConsentRequest) -> None:
    scope = made.scope
    log_act(
        Action.CONSENT_REQUESTED, made.citizen_id, purpose=scope.purpose, categories=tuple(scope.categories)
    )


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
        _log_asking(found)
    return _outcome(found, seal_for_caller("request", found.citizen_id, found.id))


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
    return services().cursors.seal(_session_state(opened), bound_to=_binding(), expires=opened.expires_at)


def _session_state(opened: AccessSession) -> dict[str, Any]:
    return {
        "citizen": opened.citizen_id,
        "purpose": opened.purpose,
        "grants": sorted(opened.grant_ids),
        "expires_at": opened.expires_at.isoformat(),
    }


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
    try:
        state = services().cursors.open(text, _binding(), services().now())
    except BadCursor as why:
        raise SessionRefused("access_session") from why
    return _session_of(state)


def _note_session(opened: AccessSession) -> None:
    state = _session_state(opened)
    note(**state | {"grants": " ".join(state["grants"])})


def _session_of(state: Mapping[str, Any]) -> AccessSession:
    return AccessSession(
        citizen_id=state["citizen"],
        organisation_id=organisation_id(),
        practitioner_id=caller().practitioner_id or "",
        purpose=state["purpose"],
        grant_ids=frozenset(state["grants"]),
        expires_at=datetime.fromisoformat(state["expires_at"]),
    )
