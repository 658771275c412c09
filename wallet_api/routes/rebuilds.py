"""Ops: stored plans made anew after a change of rules: preview, a second person, live progress."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask.views import MethodView

from notifications.errors import RebuildNotFound
from notifications.rebuilds import Rebuild
from notifications.reminders import SHARDS
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import LimitQuery, listed
from wallet_api.routes.schemas.rebuilds import (
    RebuildDecisionForm,
    RebuildForm,
    RebuildPage,
    RebuildSchema,
    rebuild_view,
)

rebuilds = GuardedBlueprint(
    "rebuilds",
    __name__,
    url_prefix="/api/v1/ops/programmes/rebuilds",
    guard=ops_only("operator"),
    budget="ops",
    description="Making all stored plans anew after a change of programmes.",
)


@rebuilds.route("")
class Rebuilds(MethodView):
    """All rebuilds."""

    @rebuilds.doc(operationId="listRebuilds")
    @rebuilds.arguments(LimitQuery, location="query")
    @rebuilds.response(200, RebuildPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The rebuilds asked for last, with their previews and how far they are."""
        log_act(Action.REBUILD_READ, None, reason="list")
        return listed([_view(each) for each in _desk().newest(query["limit"])])

    @rebuilds.doc(operationId="startRebuild")
    @rebuilds.arguments(RebuildForm, example=examples.REBUILD)
    @rebuilds.response(202, RebuildSchema)
    @rebuilds.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Count what the rules of today would change; unless it is a dry run, then make all plans anew.

        Workers do it. More new reminders than one person may let go wait for another's decision.
        """
        spend("ops_run")
        made_id = act_id("rebuild")
        if again() is not None:
            with suppress(RebuildNotFound):
                return _view(_desk().get(made_id))
        kind = "dry_run" if form["dry_run"] else "rebuild"
        log_act(Action.REBUILD_ASKED, None, reason=kind, detail={"rebuild": made_id})
        made = _desk().begin(
            made_id,
            caller().subject_id,
            dry_run=form["dry_run"],
            shards=range(SHARDS),
            sample=form["sample_shards"],
        )
        return _view(made)


@rebuilds.route("/<rebuild_id>")
class OneRebuild(MethodView):
    """One rebuild."""

    @rebuilds.doc(operationId="getRebuild")
    @rebuilds.response(200, RebuildSchema)
    def get(self, rebuild_id: str) -> dict[str, Any]:
        """How far it is now, what its preview found, and who decided. Counts only."""
        found = _desk().get(rebuild_id)
        log_act(Action.REBUILD_READ, None, reason=found.state, detail={"rebuild": found.id})
        return _view(found)


@rebuilds.route("/<rebuild_id>/decision")
class RebuildDecision(MethodView):
    """Letting go, or stopping."""

    @rebuilds.doc(operationId="decideRebuild")
    @rebuilds.arguments(RebuildDecisionForm, example=examples.REBUILD_DECISION)
    @rebuilds.response(200, RebuildSchema)
    @rebuilds.alt_response(409)
    @rebuilds.alt_response(412)
    def post(self, form: dict[str, Any], rebuild_id: str) -> dict[str, Any]:
        """Let one go that waits, as somebody else than who asked for it; or cancel one that has not ended."""
        found, by = _desk().get(rebuild_id), caller().subject_id
        log_act(Action.REBUILD_DECIDED, None, reason=form["decision"], detail={"rebuild": found.id})
        act = _desk().approve if form["decision"] == "approve" else _desk().cancel
        return _view(act(found.id, by))


def _desk() -> Any:
    return services().reminding.upkeep.rebuilding


def _view(found: Rebuild) -> dict[str, Any]:
    return rebuild_view(found, _desk().progress(found))
