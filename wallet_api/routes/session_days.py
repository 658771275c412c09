"""Vaccination days of communes: ops publish them, everybody may read them, each person names a commune."""

from __future__ import annotations

import re
from typing import Any

from flask.views import MethodView

from notifications.errors import StaleSessionDays
from notifications.sessions import SessionDays, republished
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.infra.clock import vn_day
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.edge import if_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, ops_only, signed_in
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.session_days import (
    CommuneForm,
    CommuneSchema,
    SessionDaysForm,
    SessionDaysSchema,
    session_days_of,
    session_days_view,
)
from wallet_api.routes.subjects import subject

communes = GuardedBlueprint(
    "communes",
    __name__,
    url_prefix="/api/v1/communes",
    guard=signed_in,
    budget="member",
    description="On which days communes vaccinate.",
)
session_desk = GuardedBlueprint(
    "session-desk",
    __name__,
    url_prefix="/api/v1/ops/communes",
    guard=ops_only("operator"),
    budget="ops",
    description="Publishing on which days communes vaccinate.",
)
own_commune = GuardedBlueprint(
    "own-commune",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>",
    guard=citizen_only,
    budget="citizen",
    description="Whose vaccination days a person goes by.",
)
_COMMUNE = re.compile(r"[0-9]{5}")
_TAGGED = {"headers": {"ETag": "ETag"}}


@communes.route("/<commune>/session-days")
class PublishedDays(MethodView):
    """What was published."""

    @communes.doc(operationId="getSessionDays")
    @communes.response(200, SessionDaysSchema, **_TAGGED)
    def get(self, commune: str) -> Any:
        """The vaccination days of a commune; no periods where nothing was published."""
        return _tagged(_known(commune), services().reminding.sessions.of(commune))


@session_desk.route("/<commune>/session-days")
class SessionDaysDesk(MethodView):
    """Publishing."""

    @session_desk.doc(operationId="publishSessionDays", parameters=["If-Match"])
    @session_desk.arguments(SessionDaysForm, example=examples.SESSION_DAYS)
    @session_desk.response(200, SessionDaysSchema, **_TAGGED)
    @session_desk.alt_response(412)
    @session_desk.alt_response(428)
    def put(self, form: dict[str, Any], commune: str) -> Any:
        """Publish all vaccination days of a commune anew. `If-Match` takes the tag that reading them gave.

        Sessions count from the day after they were published. Reminders move to them on the days that
        these are reviewed; nothing that was sent is sent again.
        """
        asked = session_days_of(_known(commune), form, vn_day(services().now()))
        book = services().reminding.sessions
        before = book.of(commune)
        if _etag(commune, before) not in if_match():
            raise StaleSessionDays(commune)
        made = republished(before, asked)
        if made.periods != (before.periods if before else ()):
            if not book.publish(made, before.version if before else 0):
                raise StaleSessionDays(commune)
            log_act(
                Action.REMINDER_SETTINGS_CHANGED, None, reason="session_days", detail={"commune": commune}
            )
        return _tagged(commune, book.of(commune))


@own_commune.route("/vaccination-commune")
class OwnCommune(MethodView):
    """A person's commune."""

    @own_commune.doc(operationId="getVaccinationCommune")
    @own_commune.response(200, CommuneSchema)
    def get(self, citizen: str) -> dict[str, Any]:
        """Whose vaccination days this person goes by, and the next one."""
        return _commune_view(subject(citizen).citizen_id)

    @own_commune.doc(operationId="setVaccinationCommune")
    @own_commune.arguments(CommuneForm, example=examples.COMMUNE)
    @own_commune.response(200, CommuneSchema)
    def put(self, form: dict[str, Any], citizen: str) -> dict[str, Any]:
        """Name the commune whose station vaccinates this person; null for none. Reminders follow at once."""
        whose = subject(citizen).citizen_id
        services().identity.people.go_by_commune(whose, form["commune"])
        log_act(Action.REMINDER_SETTINGS_CHANGED, whose, reason="commune")
        return _commune_view(whose)


def _known(commune: str) -> str:
    """A commune's code; which codes are given out is nothing this wallet keeps."""
    if not _COMMUNE.fullmatch(commune):
        raise RecordNotFound(commune)
    return commune


def _commune_view(citizen_id: str) -> dict[str, Any]:
    commune = services().identity.people.facts(citizen_id).commune
    found = services().reminding.sessions.of(commune) if commune else None
    today = vn_day(services().now())
    return {"commune": commune, "next_session": found.next_from(today) if found else None}


def _etag(commune: str, found: SessionDays | None) -> str:
    return services().etags.etag("session-days", commune, str(found.version if found else 0))


def _tagged(commune: str, found: SessionDays | None) -> tuple[dict[str, Any], dict[str, str]]:
    view = session_days_view(commune, found, vn_day(services().now()))
    return view, {"ETag": f'"{_etag(commune, found)}"'}
