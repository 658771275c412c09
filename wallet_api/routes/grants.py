"""The citizen's grants: given, looked through, narrowed, proven, withdrawn."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from consent.errors import GrantNotFound, UnknownCode
from consent.lifecycle import Journal
from consent.model import Grant, Scope
from consent.periods import PERIODS
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.identity.errors import OffRoster
from wallet_api.routes.companions import check_grant, grant_seen, grants_seen, in_sight
from wallet_api.routes.dated_pages import dated_page
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.receipts import receipt_digest, receipt_of
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import PageQuery, StrictSchema, listed
from wallet_api.routes.schemas.consents import (
    GrantDetailSchema,
    GrantPreviewSchema,
    GrantSchema,
    NarrowingSchema,
    PreviewSchema,
    StandingGrantSchema,
    WithdrawalSchema,
    answer_of,
    grant_view,
    history_view,
    notice_of,
    preview_view,
    reviewed_view,
    standing_scope_of,
)
from wallet_api.routes.schemas.lists import GrantPage, GrantReviewPage, ReceiptSchema
from wallet_api.routes.signing import signed_grant
from wallet_api.routes.subjects import actor, organisation_view, reader, subject

grants = GuardedBlueprint(
    "grants",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/grants",
    guard=citizen_only,
    budget="citizen",
    description="Who may read, what exactly, and how to end it.",
)


def view_of(found: Grant) -> dict[str, Any]:
    """A grant as the citizen sees it now."""
    state = found.state_at(services().now())
    shown = grant_view(found, state, organisation_view(found.scope.organisation_id))
    return shown | signed_grant(found)


def journal_of(reason: str) -> Journal:
    """What writes a coming grant into the access log, with its receipt's digest; durable when it returns."""

    def journal(grant: Grant) -> None:
        told = {"receipt_sha256": receipt_digest(grant)}
        log_act(Action.CONSENT_GRANTED, grant.citizen_id, reason=reason, detail=told, **_fields(grant))

    return journal


@grants.route("")
class Grants(MethodView):
    """What was granted."""

    @grants.doc(operationId="listGrants")
    @grants.arguments(PageQuery, location="query")
    @grants.response(200, GrantPage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Grants, newest first, those that are over too."""
        who = subject(citizen)
        whose = who.citizen_id
        return dated_page(
            "grants",
            whose,
            query,
            lambda limit, before: grants_seen(who, limit, before),
            lambda each: (each.granted_at, each.id),
            view_of,
        )

    @grants.doc(operationId="giveStandingGrant")
    @grants.arguments(StandingGrantSchema, example=examples.STANDING_GRANT)
    @grants.response(201, GrantSchema)
    @grants.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Grant a personal doctor or organisation access without a request.

        Needs a sign-in of the last five minutes.
        """
        step_up()
        who, grant_id = subject(citizen), act_id("grant")
        if again() is not None:
            with suppress(GrantNotFound):
                return view_of(services().consent.grant(who.citizen_id, grant_id))
        scope, answer = _standing_scope(form), notice_of(form)
        given = services().consent.give(
            who.citizen_id, scope, answer, actor(who), journal_of("standing"), grant_id
        )
        return view_of(given)


@grants.route("/preview")
class StandingPreview(MethodView):
    """A dry run of a standing grant."""

    @grants.doc(operationId="previewStandingGrant")
    @grants.arguments(StandingGrantSchema, example=examples.STANDING_GRANT)
    @grants.response(200, PreviewSchema)
    def post(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Exactly the records that the organisation would see today. Gives nothing."""
        return preview_view(reader(citizen).preview(_standing_scope(form)))


@grants.route("/review")
class Review(MethodView):
    """Who still has access."""

    @grants.doc(operationId="reviewGrants")
    @grants.response(200, GrantReviewPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Grants in force with their last use; those due for review, after 90 days, come first."""
        who, now = subject(citizen), services().now()
        found = services().consent.review(who.citizen_id, now)
        seen = {each.id for each in in_sight(who, [each.grant for each in found])}
        return listed(
            [
                view_of(each.grant) | reviewed_view(each, each.due_at(now))
                for each in found
                if each.grant.id in seen
            ]
        )


# An id has 26 letters: "review" and "preview" are pages of their own, and none that a PATCH may change.
@grants.route("/<string(length=26):grant_id>")
class OneGrant(MethodView):
    """One grant."""

    @grants.doc(operationId="getGrant")
    @grants.response(200, GrantDetailSchema, headers={"ETag": "ETag"})
    def get(self, citizen: str, grant_id: str) -> Any:
        """What exactly was granted, its state and history. The ETag is what a narrowing must name."""
        found = grant_seen(subject(citizen), grant_id)
        shown = view_of(found) | {"history": history_view(found, caller().subject_id)}
        return shown, {"ETag": f'"{found.version}"'}

    @grants.doc(operationId="narrowGrant", parameters=["If-Match"])
    @grants.arguments(NarrowingSchema, example=examples.NARROWING)
    @grants.response(200, GrantSchema)
    @grants.alt_response(412)
    @grants.alt_response(428)
    def patch(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Take part of it back; never widens. The answer is the grant that takes its place."""
        who = subject(citizen)
        expected = _expected_version(grant_seen(who, grant_id))
        new = services().consent.narrow(
            who.citizen_id, grant_id, answer_of(form), expected, actor(who), journal_of("narrowed")
        )
        return view_of(new)


@grants.route("/<grant_id>/preview")
class GrantPreview(MethodView):
    """A dry run of a withdrawal."""

    @grants.doc(operationId="previewGrant")
    @grants.response(200, GrantPreviewSchema)
    def get(self, citizen: str, grant_id: str) -> dict[str, Any]:
        """Exactly the records the organisation sees under this grant today, and how many go with it."""
        grant = grant_seen(subject(citizen), grant_id)
        seen = reader(citizen).preview_grant(grant)
        organisation = organisation_view(grant.scope.organisation_id)
        return preview_view(seen) | {"organisation": organisation, "lost": seen.lost}


@grants.route("/<grant_id>/confirmation")
class Confirmation(MethodView):
    """The answer to a review."""

    @grants.doc(operationId="confirmGrant")
    @grants.arguments(StrictSchema)
    @grants.response(200, GrantSchema)
    @grants.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Leave it as it is; the next review is due in 90 days. Prolongs and opens nothing."""
        who = subject(citizen)
        check_grant(who, grant_id)
        if again() is not None:
            return view_of(services().consent.grant(who.citizen_id, grant_id))
        kept = services().consent.confirm(who.citizen_id, grant_id, actor(who))
        log_act(Action.CONSENT_SEEN, who.citizen_id, reason="confirmed", **_fields(kept))
        return view_of(kept)


@grants.route("/<grant_id>/receipt")
class Receipt(MethodView):
    """The proof of a grant."""

    @grants.doc(operationId="getReceipt")
    @grants.response(200, ReceiptSchema)
    def get(self, citizen: str, grant_id: str) -> Any:
        """The signed receipt, verifiable offline with the published keys."""
        who = subject(citizen)
        grant = grant_seen(who, grant_id)
        log_act(Action.CONSENT_RECEIPT_READ, who.citizen_id, grant_id=grant.id)
        return {"receipt": receipt_of(grant)}, {"Cache-Control": "no-store"}


@grants.route("/<grant_id>/withdrawal")
class Withdrawal(MethodView):
    """The end of a grant."""

    @grants.doc(operationId="withdrawGrant")
    @grants.arguments(WithdrawalSchema)
    @grants.response(200, GrantSchema)
    @once
    def post(self, form: dict[str, Any], citizen: str, grant_id: str) -> dict[str, Any]:
        """Withdraw. It has stopped working, everywhere, when this answers. Never needs a new sign-in."""
        who = subject(citizen)
        check_grant(who, grant_id)
        ended = services().consent.withdraw(who.citizen_id, grant_id, form["reason"], actor(who))
        log_act(Action.CONSENT_WITHDRAWN, who.citizen_id, **_fields(ended))
        return view_of(ended)


def _standing_scope(form: dict[str, Any]) -> Scope:
    return to_somebody(standing_scope_of(form))


def to_somebody(scope: Scope) -> Scope:
    """The scope of a standing grant, to an organisation and, if one is named, a practitioner of today.

    Raises:
        OrganisationUnknown: there is none. UnknownCode: nobody of its roster, or longer than it may be.
    """
    now = services().now()
    services().identity.organisations.get(scope.organisation_id)
    if scope.practitioner_id is not None:
        try:
            services().identity.organisations.practitioner(scope.organisation_id, scope.practitioner_id, now)
        except OffRoster as why:
            raise UnknownCode("practitioner") from why
    if scope.expires_at > now + PERIODS.longest_standing:
        raise UnknownCode("expires_at")
    return scope


def _fields(grant: Grant) -> dict[str, Any]:
    scope = grant.scope
    return {
        "grant_id": grant.id,
        "organisation_id": scope.organisation_id,
        "purpose": scope.purpose,
        "categories": tuple(scope.categories),
    }


def _expected_version(current: Grant) -> int:
    """The version the caller has seen; 0, which no grant has, if it is none of those named."""
    return current.version if str(current.version) in if_match() else 0
