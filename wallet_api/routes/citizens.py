"""A citizen's profile, sessions, deny list and the log of who looked."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from consent.rules import check_actor
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.records.pages import bound
from wallet_api.routes.companions import entries_seen
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.log_lines import log_line
from wallet_api.routes.log_proofs import entry_ref
from wallet_api.routes.phones import forget_phones
from wallet_api.routes.schemas.base import PageQuery, listed
from wallet_api.routes.schemas.lists import (
    CitizenSchema,
    LogPage,
    SessionPage,
)
from wallet_api.routes.schemas.organisations import OrganisationPage
from wallet_api.routes.subjects import Subject, actor, organisation_view, own_id, subject

citizens = GuardedBlueprint(
    "citizens",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Profile, sessions, deny list, and who looked.",
)


@citizens.route("")
class Profile(MethodView):
    """Who this book belongs to."""

    @citizens.doc(operationId="getProfile")
    @citizens.response(200, CitizenSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """The person's profile; identifiers are masked."""
        who = subject(citizen)
        people = services().identity.people
        found = people.profile(who.citizen_id)
        return {
            "id": who.citizen_id,
            "name": found.name,
            "birth_date": found.birth_date,
            "sex": found.sex,
            "province": found.province,
            "identifiers": [
                each for book in (who.citizen_id, *who.others) for each in people.masked_identifiers(book)
            ],
            "books": list(who.others),
        }


@citizens.route("/sessions")
class Sessions(MethodView):
    """Where I am signed in."""

    @citizens.doc(operationId="listSessions")
    @citizens.response(200, SessionPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Live sessions, newest first."""
        found = services().identity.sessions.of(own_id(citizen))
        items = [
            {
                "id": each.id,
                "client": each.client_label,
                "created_at": each.created_at,
                "last_used_at": each.last_used_at,
                "current": each.id == caller().session_id,
            }
            for each in found
        ]
        return listed(items)

    @citizens.doc(operationId="endAllSessions")
    @citizens.response(204)
    def delete(self, citizen: str) -> None:
        """Sign out everywhere, here too. Works at once.

        No app is pushed to any more, until it registers again at its next start: a phone that was lost is
        told of nothing.
        """
        own = own_id(citizen)
        services().identity.sessions.end_all(own)
        log_act(Action.SESSION_ENDED, own, reason="all_sessions")
        forget_phones(own)


@citizens.route("/sessions/<session_id>")
class OneSession(MethodView):
    """One place where I am signed in."""

    @citizens.doc(operationId="endSession")
    @citizens.response(204)
    def delete(self, citizen: str, session_id: str) -> None:
        """Sign out there. Works at once."""
        own = own_id(citizen)
        services().identity.sessions.end(session_id, subject_id=own)
        log_act(Action.SESSION_ENDED, own)


@citizens.route("/blocked-organisations")
class DenyList(MethodView):
    """Organisations that get nothing."""

    @citizens.doc(operationId="listBlockedOrganisations")
    @citizens.response(200, OrganisationPage)
    def get(self, citizen: str) -> dict[str, Any]:
        """The deny list."""
        found = services().consent.blocked(subject(citizen).citizen_id)
        return listed([organisation_view(each) for each in found])


@citizens.route("/blocked-organisations/<organisation_id>")
class OneDenial(MethodView):
    """One organisation on the deny list."""

    @citizens.doc(operationId="blockOrganisation")
    @citizens.response(204)
    def put(self, citizen: str, organisation_id: str) -> None:
        """Block: every grant stops working at once, and its requests are not shown."""
        who = subject(citizen)
        known = services().identity.organisations.get(organisation_id)
        # In force before it is logged: the log must never hold it up.
        for book in services().merging.books_of(who.citizen_id):
            services().consent.block(book, known.id, blocked=True)
        log_act(Action.ORGANISATION_BLOCKED, who.citizen_id, organisation_id=known.id)

    @citizens.doc(operationId="unblockOrganisation")
    @citizens.response(204)
    @citizens.alt_response(409)
    def delete(self, citizen: str, organisation_id: str) -> None:
        """Unblock: grants that have not ended work again. Needs a sign-in of the last five minutes.

        For a child of seven or more a guardian cannot do it alone.
        """
        step_up()
        who = subject(citizen)
        check_actor(actor(who), services().now())  # opening again is consenting again
        known = services().identity.organisations.get(organisation_id)
        # Logged before it is in force: nothing is opened that the log does not tell of.
        log_act(Action.ORGANISATION_UNBLOCKED, who.citizen_id, organisation_id=known.id)
        for book in services().merging.books_of(who.citizen_id):
            services().consent.block(book, known.id, blocked=False)


@citizens.route("/access-log")
class AccessLogView(MethodView):
    """Who looked."""

    @citizens.doc(operationId="listAccessLog")
    @citizens.arguments(PageQuery, location="query")
    @citizens.response(200, LogPage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Every look and every refused attempt, newest first, in plain words."""
        return listed(*log_page(subject(citizen), query))


def log_page(who: Subject, query: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a person's access log as its reader may see it, and the cursor to the next."""
    binding = bound("access-log", viewer(), who.citizen_id)
    companion = who.relation == "guardian"
    state = services().pages.after(query["cursor"], binding)
    before = str(state["before"]) if state is not None else None
    found = entries_seen(who, before, query["limit"] + 1)
    shown = found[: query["limit"]]
    last = {"before": shown[-1].entry_id} if len(found) > len(shown) else None
    more = services().pages.next(last, binding) if last is not None else None
    lines = [log_line(each, entry_ref(who.citizen_id, each), companion=companion) for each in shown]
    return lines, more
