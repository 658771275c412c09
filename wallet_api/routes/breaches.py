"""Ops: the register of breaches of personal data. Reviewers keep it; every look and every act is logged."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.breaches.errors import BreachNotFound
from wallet_api.breaches.model import Assessment, Breach
from wallet_api.breaches.notice import Notice, draft
from wallet_api.breaches.register import Journal
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import language
from wallet_api.records.pages import bound
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.breaches import (
    AffectedPage,
    AffectedQuery,
    AssessmentForm,
    BreachForm,
    BreachPage,
    BreachQuery,
    BreachSchema,
    ClosureForm,
    NoticeDraftSchema,
    NoticeQuery,
    NotificationForm,
    breach_view,
    reads_of,
    window_of,
)

breaches = GuardedBlueprint(
    "breaches",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("reviewer"),
    budget="ops",
    description="The register of breaches of personal data, with its legal clocks.",
)


@breaches.route("/breaches")
class Breaches(MethodView):
    """The register."""

    @breaches.doc(operationId="listBreaches")
    @breaches.arguments(BreachQuery, location="query")
    @breaches.response(200, BreachPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The entries detected last, in one state or in any, with their clocks as they stand now."""
        log_act(Action.BREACH_READ, None, reason="register")
        found = services().breaches.newest(query["state"], query["limit"])
        return listed([_view(each) for each in found])

    @breaches.doc(operationId="openBreach")
    @breaches.arguments(BreachForm, example=examples.BREACH)
    @breaches.response(201, BreachSchema, headers={"ETag": "ETag"})
    @breaches.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> Any:
        """Open an entry. Its clocks run from detection, not from now."""
        made_id = act_id("breach")
        if again() is not None:
            with suppress(BreachNotFound):
                return _tagged(services().breaches.get(made_id))
        form["data"] = frozenset(form["data"])
        journal = _journal(Action.BREACH_OPENED)
        return _tagged(services().breaches.open(made_id, **form, by=caller().subject_id, journal=journal))


@breaches.route("/breaches/<breach_id>")
class OneBreach(MethodView):
    """One entry."""

    @breaches.doc(operationId="getBreach")
    @breaches.response(200, BreachSchema, headers={"ETag": "ETag"})
    def get(self, breach_id: str) -> Any:
        """What happened, who was told, who did what. The ETag is what a step must name."""
        found = services().breaches.get(breach_id)
        _journal(Action.BREACH_READ)(found)
        return _tagged(found)


@breaches.route("/breaches/<breach_id>/affected")
class BreachAffected(MethodView):
    """Who is concerned."""

    @breaches.doc(operationId="listBreachAffected")
    @breaches.arguments(AffectedQuery, location="query")
    @breaches.response(200, AffectedPage)
    @breaches.alt_response(422)
    def get(self, query: dict[str, Any], breach_id: str) -> dict[str, Any]:
        """Whose records were read, by the access log: internal ids and times, never a name."""
        found = services().breaches.get(breach_id)
        window = window_of(query)
        binding = bound("affected", viewer(), "", found.id, repr(window))
        state = services().pages.after(query["cursor"], binding)
        _journal(Action.BREACH_READ, "affected")(found)
        after = str(state["after"]) if state is not None else None
        people, last = services().breaches.concerned(window, after)
        more = services().pages.next({"after": last}, binding) if last is not None else None
        return listed([vars(each) for each in people], more)


@breaches.route("/breaches/<breach_id>/notice")
class BreachNotice(MethodView):
    """What to write."""

    @breaches.doc(operationId="draftBreachNotice")
    @breaches.arguments(NoticeQuery, location="query")
    @breaches.response(200, NoticeDraftSchema)
    def get(self, query: dict[str, Any], breach_id: str) -> Notice:
        """A draft of the notice to the authority or to the people concerned; nothing is sent or recorded."""
        found = services().breaches.get(breach_id)
        _journal(Action.BREACH_READ, "notice")(found)
        return draft(found, query["to"], query["locale"], services().now())


@breaches.route("/breaches/<breach_id>/assessment")
class BreachAssessment(MethodView):
    """Finding out."""

    @breaches.doc(operationId="assessBreach", parameters=["If-Match"])
    @breaches.arguments(AssessmentForm, example=examples.BREACH_ASSESSMENT)
    @breaches.response(200, BreachSchema, headers={"ETag": "ETag"})
    @breaches.alt_response(409)
    @breaches.alt_response(412)
    @breaches.alt_response(428)
    def post(self, form: dict[str, Any], breach_id: str) -> Any:
        """Say how bad it is and how many people it concerns: a number, or counted in the access log."""
        expected, register = if_match(), services().breaches
        register.get(breach_id)
        reads = None if form["reads"] is None else reads_of(form["reads"])
        if reads is not None:
            services().identity.organisations.get(reads.organisation_id)
        affected = form["affected"] if reads is None else register.affected(reads)
        found = Assessment(form["risk"], form["must_notify"], affected, reads)

        def step(breach: Breach, at: datetime) -> Breach:
            return breach.assessed(found, caller().subject_id, at, form["reason"])

        return _tagged(register.move(breach_id, expected, step, _journal(Action.BREACH_ASSESSED)))


@breaches.route("/breaches/<breach_id>/notification")
class BreachNotification(MethodView):
    """Telling."""

    @breaches.doc(operationId="recordBreachNotification", parameters=["If-Match"])
    @breaches.arguments(NotificationForm, example=examples.BREACH_NOTIFICATION)
    @breaches.response(200, BreachSchema, headers={"ETag": "ETag"})
    @breaches.alt_response(409)
    @breaches.alt_response(412)
    @breaches.alt_response(428)
    def post(self, form: dict[str, Any], breach_id: str) -> Any:
        """Record that the authority, or the people concerned, were told, and when."""

        def step(breach: Breach, at: datetime) -> Breach:
            return breach.notified(form["to"], form["told_at"], caller().subject_id, at, form["reason"])

        journal = _journal(Action.BREACH_NOTIFIED)
        return _tagged(services().breaches.move(breach_id, if_match(), step, journal))


@breaches.route("/breaches/<breach_id>/closure")
class BreachClosure(MethodView):
    """Closing."""

    @breaches.doc(operationId="closeBreach", parameters=["If-Match"])
    @breaches.arguments(ClosureForm, example=examples.BREACH_CLOSURE)
    @breaches.response(200, BreachSchema, headers={"ETag": "ETag"})
    @breaches.alt_response(409)
    @breaches.alt_response(412)
    @breaches.alt_response(428)
    def post(self, form: dict[str, Any], breach_id: str) -> Any:
        """Close an entry: everybody who must be told was told, or nobody must be."""

        def step(breach: Breach, at: datetime) -> Breach:
            return breach.closed(caller().subject_id, at, form["reason"])

        return _tagged(services().breaches.move(breach_id, if_match(), step, _journal(Action.BREACH_CLOSED)))


def _journal(action: Action, reason: str | None = None) -> Journal:
    def journal(breach: Breach) -> None:
        log_act(
            action,
            None,
            reason=reason or breach.state,
            detail={"breach": breach.id, "version": breach.version},
        )

    return journal


def _view(breach: Breach) -> dict[str, Any]:
    return breach_view(breach, services().now(), language())


def _tagged(breach: Breach) -> Any:
    return _view(breach), {"ETag": f'"{breach.version}"'}
