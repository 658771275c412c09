"""Two books of one person: a registrar proposes to merge them, a reviewer confirms, two reviewers undo it.

The people concerned are told and may stop a proposal; of the other book they learn nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import Refusal
from wallet_api.identity.errors import CitizenUnknown, MergeConflict, MergeUnknown
from wallet_api.identity.identifiers import masked
from wallet_api.identity.merge_traces import traces
from wallet_api.identity.merging import MADE, RULES, Grounds, Merge, clashes
from wallet_api.identity.model import Citizen, IdentifierKind
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.records.pages import bound
from wallet_api.routes.family_news import tell
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.merging import (
    MergeCaseSchema,
    MergeDecisionForm,
    MergeForm,
    MergeNoticePage,
    MergeNoticeSchema,
    MergePage,
    MergeSchema,
    MergesQuery,
    merge_case_view,
    merge_view,
    notice_view,
)
from wallet_api.routes.subjects import Subject, subject

merge_proposals = GuardedBlueprint(
    "merge-proposals",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("registrar"),
    budget="ops",
    description="Two books of one person, as registrars propose to merge them.",
)
merge_reviews = GuardedBlueprint(
    "merge-reviews",
    __name__,
    url_prefix="/api/v1/ops/merges",
    guard=ops_only("reviewer"),
    budget="ops",
    description="Merges of two books, as reviewers confirm them or undo them.",
)
own_merges = GuardedBlueprint(
    "own-merges",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/merges",
    guard=citizen_only,
    budget="citizen",
    description="Merges that concern one's own book, or that of whom one acts for.",
)
_KINDS: tuple[IdentifierKind, ...] = ("national_id", "insurance_number", "birth_reference")
_REASONS: dict[str, tuple[str | None, ...]] = {
    "refuse": RULES.refusal_reasons,
    "part": RULES.parting_reasons,
}


@merge_proposals.route("/merges")
class MergeProposals(MethodView):
    """Proposing."""

    @merge_proposals.doc(operationId="proposeMerge")
    @merge_proposals.arguments(MergeForm, example=examples.MERGE)
    @merge_proposals.response(201, MergeSchema)
    @merge_proposals.alt_response(404)
    @merge_proposals.alt_response(409)
    @once
    def post(self, form: dict[str, Any]) -> dict[str, Any]:
        """Propose that one book continues in another. It changes nothing until a reviewer confirms it.

        Both people and their guardians are told, and may object for a week. What speaks against it (another
        birth date or sex, two birth references, two numbers that stand) has to be accepted by name; two
        numbers are explained by a decision that re-issued one, and by nothing else.
        """
        kit, merge_id = services(), act_id("merge")
        if again() is not None:
            with suppress(MergeUnknown):
                return merge_view(kit.merging.get(merge_id))
        surviving, absorbed = _known(form, "surviving"), _known(form, "absorbed")
        grounds = Grounds(
            form["reason"], form["evidence_kind"], form["paper_number"], frozenset(form["accepts"])
        )
        try:
            made = kit.merging.propose(merge_id, surviving, absorbed, grounds, caller().subject_id)
        except MergeConflict:
            for each in (surviving, absorbed):
                log_act(Action.MERGE_PROPOSED, each, reason="conflict", refused=True)
            raise
        for each in (surviving, absorbed):
            log_act(Action.MERGE_PROPOSED, each, reason=form["reason"])
        _tell("merge_proposed", made, lambda whose: act_id(f"message for {whose}"))
        return merge_view(made)


@merge_reviews.route("")
class Merges(MethodView):
    """The lists."""

    @merge_reviews.doc(operationId="listMerges")
    @merge_reviews.arguments(MergesQuery, location="query")
    @merge_reviews.response(200, MergePage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Merges in one state, the oldest first."""
        log_act(Action.MERGE_READ, None, reason=query["state"])
        kit, limit, state = services(), query["limit"], query["state"]
        binding = bound("merges", viewer(), "", state)
        ended = kit.pages.after(query["cursor"], binding)
        after = str(ended["after"]) if ended is not None else None
        found = kit.merging.listed(state, after, limit + 1)
        shown = found[:limit]
        more = kit.pages.next({"after": shown[-1].place}, binding) if len(found) > len(shown) else None
        return listed([merge_view(each) for each in shown], more)


@merge_reviews.route("/<merge_id>")
class OneMerge(MethodView):
    """One merge."""

    @merge_reviews.doc(operationId="getMerge")
    @merge_reviews.response(200, MergeCaseSchema)
    def get(self, merge_id: str) -> dict[str, Any]:
        """The two side by side, the paper, and what was seen of either book while they were one."""
        found = services().merging.get(merge_id)
        for each in (found.surviving_id, found.absorbed_id):
            log_act(Action.MERGE_READ, each, reason="case")
        return _case(found)


@merge_reviews.route("/<merge_id>/decision")
class MergeDecisions(MethodView):
    """The decision."""

    @merge_reviews.doc(operationId="decideMerge")
    @merge_reviews.arguments(MergeDecisionForm, example=examples.MERGE_DECISION)
    @merge_reviews.response(200, MergeCaseSchema)
    @merge_reviews.alt_response(409)
    @once
    def post(self, form: dict[str, Any], merge_id: str) -> dict[str, Any]:
        """Confirm or refuse it; or `part` what was merged, which another reviewer confirms or turns down.

        Confirmed: the person reads both books as one and signs in to the surviving one, all sessions end,
        and what is closed for one book is closed for both. Consents stay with the book they were given for.
        Parted: each book is what it was, with what came under its own numbers since. In force when this
        answers; the same again finishes what was broken off.
        """
        decision, reason = form["decision"], form["reason"]
        if reason not in _REASONS.get(decision, (None,)):
            fault = {"pointer": "/reason", "code": "not_listed", "message": ""}
            raise Refusal("invalid_fields", 422, [fault])
        kit, by = services(), caller().subject_id
        before = kit.merging.get(merge_id)
        if before.state != MADE[decision]:
            before.decided(decision, by, kit.now(), reason)  # what is refused is not said to be done
        if decision == "confirm" and before.state != "joined":
            # Logged before it is in force: nothing is opened that the log does not tell of.
            _log(Action.BOOKS_MERGED, before, before.grounds.reason)
        decided = kit.merging.decide(merge_id, decision, by, reason)
        if before.state != decided.state:
            _follow(decided, decision)
        return _case(decided)


@own_merges.route("")
class OwnMerges(MethodView):
    """What concerns this book."""

    @own_merges.doc(operationId="listOwnMerges")
    @own_merges.response(200, MergeNoticePage)
    def get(self, citizen: str) -> dict[str, Any]:
        """Every merge that was ever proposed of this book."""
        whose = subject(citizen).citizen_id
        return listed([notice_view(each, whose) for each in services().merging.of(whose)])


@own_merges.route("/<merge_id>/objection")
class Objections(MethodView):
    """Stopping it."""

    @own_merges.doc(operationId="objectToMerge")
    @own_merges.response(200, MergeNoticeSchema)
    @own_merges.alt_response(409)
    def put(self, citizen: str, merge_id: str) -> dict[str, Any]:
        """Stop a proposal for good. Whoever is told of one may, without a reason; again changes nothing."""
        who: Subject = subject(citizen)
        before = services().merging.get(merge_id)
        stopped = services().merging.object(merge_id, who.citizen_id, caller().subject_id)
        if before.state != stopped.state:
            _log(Action.MERGE_STOPPED, stopped, "objection")
            _tell("merge_stopped", stopped)
        return notice_view(stopped, who.citizen_id)


def _known(form: dict[str, Any], side: str) -> str:
    """Whose number it is or was, if the birth date fits.

    Raises:
        Refusal: not exactly one number. CitizenUnknown: nobody; each try leaves a row.
    """
    said = form[side]
    named = [(kind, said[kind]) for kind in _KINDS if kind in said]
    if len(named) != 1:
        fault = {"pointer": f"/{side}", "code": "exactly_one", "message": ""}
        raise Refusal("invalid_fields", 422, [fault])
    people = services().identity.people
    found = people.whose(*named[0])
    if found is None or people.facts(found).born != said["birth_date"]:
        log_act(Action.MERGE_PROPOSED, None, reason="unknown_person", refused=True)
        raise CitizenUnknown("no such citizen")
    return found


def _follow(found: Merge, decision: str) -> None:
    """The rows of the logs, and the messages to whom it concerns."""
    if decision == "confirm":
        _tell("books_merged", found)
    elif decision == "confirm_parting":
        _log(Action.BOOKS_PARTED, found, "parted")
        _tell("books_parted", found)
    elif decision == "refuse":
        _log(Action.MERGE_STOPPED, found, str(found.history[-1].reason))
        _tell("merge_stopped", found)
    else:
        _log(Action.MERGE_READ, found, decision)


def _log(action: Action, found: Merge, reason: str) -> None:
    for each in (found.surviving_id, found.absorbed_id):
        log_act(action, each, reason=reason)


def _tell(news: str, found: Merge, name: Callable[[str], str] = lambda _: new_id()) -> None:
    """Both people and whoever acts for them, each about the book they know."""
    family, now = services().identity.family, services().now()
    for whose in (found.surviving_id, found.absorbed_id):
        guardians = [each.guardian_id for each in family.guardians_of(whose, now)]
        tell(news, [whose, *guardians], whose, name(whose))


def _case(found: Merge) -> dict[str, Any]:
    kit = services()
    people = [_person(each) for each in (found.surviving_id, found.absorbed_id)]
    one, other = people
    today = vn_day(kit.now())
    between = sorted(clashes(one, other, today)) if one is not None and other is not None else []
    compared = {"surviving": _compared(one), "absorbed": _compared(other), "clashes": between}
    return merge_case_view(found, compared, traces(kit.log, found, kit.now()))


def _person(citizen_id: str) -> Citizen | None:
    """One of the two; None after an erasure."""
    try:
        return services().identity.people.citizen(citizen_id)
    except CitizenUnknown:
        return None


def _compared(found: Citizen | None) -> dict[str, Any] | None:
    if found is None:
        return None
    profile = found.profile
    told = {"name": profile.name, "birth_date": profile.birth_date, "sex": profile.sex}
    return told | {"identifiers": [masked(each) for each in found.identifiers]}
