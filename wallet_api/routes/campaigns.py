"""Ops: campaigns. Operators make and run them; a second person approves; every look and act is logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Response, request
from flask.views import MethodView

from notifications.campaigns.coverage import ELSEWHERE, coverage_of
from notifications.campaigns.desk import CampaignDesk, Journal
from notifications.campaigns.model import Campaign, CampaignState
from notifications.campaigns.texts import text_named
from notifications.errors import CampaignNotFound
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.routes.edge import if_match, takes
from wallet_api.routes.guarded import GuardedBlueprint, ops_only
from wallet_api.routes.idempotency import act_id, again, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.campaigns import (
    PROVINCES,
    CampaignForm,
    CampaignPage,
    CampaignPreviewSchema,
    CampaignQuery,
    CampaignSchema,
    CoverageQuery,
    CoverageSchema,
    NoForm,
    audience_of,
    campaign_view,
    coverage_view,
    preview_view,
)

LIST_LIMIT = 10 * 2**20
"""Bytes of the longest list: half a million rows of 13 characters are six and a half million."""
LIST_BODY: dict[str, Any] = {
    "required": True,
    "description": "A CSV file (UTF-8) of one column; its first row is `national_id` or `insurance_number`. "
    "It is known by its content, whatever type it is sent with; text/csv is the fitting one.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_CHUNK = 64 * 1024

campaigns = GuardedBlueprint(
    "campaigns",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("operator"),
    budget="ops",
    description="Messages to an audience: drafted, previewed, approved by a second person, sent at a pace.",
)
approvals = GuardedBlueprint(
    "campaign-approvals",
    __name__,
    url_prefix="/api/v1/ops",
    guard=ops_only("operator", "reviewer"),
    budget="ops",
    description="Looking at campaigns, approving them, and coverage.",
)


@approvals.route("/campaigns")
class Campaigns(MethodView):
    """All campaigns."""

    @approvals.doc(operationId="listCampaigns")
    @approvals.arguments(CampaignQuery, location="query")
    @approvals.response(200, CampaignPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """The campaigns made last, in one state or in any, each with how far it has come."""
        log_act(Action.CAMPAIGN_PREPARED, None, reason="listed")
        state = None if query["state"] is None else CampaignState(query["state"])
        return listed([_view(each) for each in _desk().newest(state, query["limit"])])


@campaigns.route("/campaigns")
class NewCampaign(MethodView):
    """A draft."""

    @campaigns.doc(operationId="createCampaign")
    @campaigns.arguments(CampaignForm, example=examples.CAMPAIGN)
    @campaigns.response(201, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(422)
    @once
    def post(self, form: dict[str, Any]) -> Any:
        """Make a draft. Nothing of it can be changed but its list: cancel it and make another."""
        made_id = act_id("campaign")
        if again() is not None:
            with suppress(CampaignNotFound):
                return _tagged(_desk().get(made_id))
        form["audience"] = audience_of(form["audience"])
        who, at = caller().subject_id, services().now()
        wish = Campaign(made_id, **form, created_by=who, created_at=at)
        return _tagged(_desk().create(wish, _prepared("made")))


@approvals.route("/campaigns/<campaign_id>")
class OneCampaign(MethodView):
    """One campaign."""

    @approvals.doc(operationId="getCampaign")
    @approvals.response(200, CampaignSchema, headers={"ETag": "ETag"})
    def get(self, campaign_id: str) -> Any:
        """The campaign and its progress as of now. The ETag is what a step must name."""
        found = _desk().get(campaign_id)
        _prepared("read")(found)
        return _tagged(found)


@campaigns.route("/campaigns/<campaign_id>/preview")
class Preview(MethodView):
    """A dry run."""

    @campaigns.doc(operationId="previewCampaign")
    @campaigns.arguments(NoForm)
    @campaigns.response(200, CampaignPreviewSchema)
    @campaigns.alt_response(429)
    def post(self, form: dict[str, Any], campaign_id: str) -> dict[str, Any]:
        """About how many people it would go to, and the words. Nothing is sent.

        A count is cut to tens. It is not told at all below ten, or when it lies too near to one that was told
        of a wider or narrower audience. Of a list it is the number of good rows, whoever they are.
        """
        found = _desk().get(campaign_id)
        spend("ops_preview")
        _prepared("previewed")(found)
        return preview_view(found, _desk().preview(found), text_named(found.template))


@campaigns.route("/campaigns/<campaign_id>/list")
class CampaignList(MethodView):
    """A list of numbers."""

    @campaigns.doc(operationId="sendCampaignList", requestBody=LIST_BODY, parameters=["If-Match"])
    @campaigns.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(409)
    @campaigns.alt_response(412)
    @campaigns.alt_response(422)
    @campaigns.alt_response(428)
    @takes(body=True, limit=LIST_LIMIT)
    def put(self, campaign_id: str) -> Any:
        """Read a list in the place of an earlier one; whatever was approved must be approved anew.

        Read as it comes in. A row is judged by its form alone, so the report tells nobody who exists.
        """
        expected = if_match()
        found = _desk().upload(campaign_id, expected, _lines(), caller().subject_id, _prepared("list_sent"))
        return _tagged(found)


@campaigns.route("/campaigns/<campaign_id>/list/report")
class CampaignListReport(MethodView):
    """What was wrong with a list."""

    @campaigns.doc(operationId="getCampaignListReport")
    @campaigns.response(200, {"type": "string", "format": "binary"}, content_type="text/csv")
    def get(self, campaign_id: str) -> Response:
        """A CSV file with the number and a code of each row that was not good; never what it said."""
        found = _desk().get(campaign_id)
        _prepared("report_read")(found)
        rows = _desk().report(found)
        answer = Response(_report(rows), mimetype="text/csv")
        answer.headers["Content-Disposition"] = 'attachment; filename="list-report.csv"'
        answer.headers["Cache-Control"] = "no-store"
        return answer


@approvals.route("/campaigns/<campaign_id>/approve")
class Approval(MethodView):
    """A second person's yes."""

    @approvals.doc(operationId="approveCampaign", parameters=["If-Match"])
    @approvals.arguments(NoForm)
    @approvals.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @approvals.alt_response(409)
    @approvals.alt_response(412)
    @approvals.alt_response(428)
    def post(self, form: dict[str, Any], campaign_id: str) -> Any:
        """Approve exactly the version that was seen. Not for whoever made the campaign or sent its list."""
        who = caller().subject_id
        return _tagged(_desk().approve(campaign_id, if_match(), who, _prepared("approved")))


@campaigns.route("/campaigns/<campaign_id>/launch")
class Launch(MethodView):
    """Letting it go."""

    @campaigns.doc(operationId="launchCampaign", parameters=["If-Match"])
    @campaigns.arguments(NoForm)
    @campaigns.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(409)
    @campaigns.alt_response(412)
    @campaigns.alt_response(428)
    def post(self, form: dict[str, Any], campaign_id: str) -> Any:
        """Begin sending, now or at `starts_at`. Above a limit a second person must have approved."""
        found = _desk().launch(campaign_id, if_match(), caller().subject_id, _sent("launched"))
        services().reminding.wake_campaigns()
        return _tagged(found)


@campaigns.route("/campaigns/<campaign_id>/pause")
class Pause(MethodView):
    """Holding it."""

    @campaigns.doc(operationId="pauseCampaign", parameters=["If-Match"])
    @campaigns.arguments(NoForm)
    @campaigns.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(409)
    @campaigns.alt_response(412)
    @campaigns.alt_response(428)
    def post(self, form: dict[str, Any], campaign_id: str) -> Any:
        """Hold it. What has not been handed to the channel stays here until it is resumed."""
        return _act("paused", campaign_id)


@campaigns.route("/campaigns/<campaign_id>/resume")
class Resume(MethodView):
    """Going on."""

    @campaigns.doc(operationId="resumeCampaign", parameters=["If-Match"])
    @campaigns.arguments(NoForm)
    @campaigns.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(409)
    @campaigns.alt_response(412)
    @campaigns.alt_response(428)
    def post(self, form: dict[str, Any], campaign_id: str) -> Any:
        """Go on where it was held; nobody gets it twice."""
        found = _act("resumed", campaign_id)
        services().reminding.wake_campaigns()
        return found


@campaigns.route("/campaigns/<campaign_id>/cancel")
class Cancel(MethodView):
    """Ending it."""

    @campaigns.doc(operationId="cancelCampaign", parameters=["If-Match"])
    @campaigns.arguments(NoForm)
    @campaigns.response(200, CampaignSchema, headers={"ETag": "ETag"})
    @campaigns.alt_response(409)
    @campaigns.alt_response(412)
    @campaigns.alt_response(428)
    def post(self, form: dict[str, Any], campaign_id: str) -> Any:
        """End it for good. Messages that are in inboxes stay; pushes that have not gone out do not go."""
        return _act("cancelled", campaign_id)


@approvals.route("/coverage")
class CoverageFigures(MethodView):
    """Who has been reached."""

    @approvals.doc(operationId="getCoverage")
    @approvals.arguments(CoverageQuery, location="query")
    @approvals.response(200, CoverageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Coverage of a series by province and year of birth, from counters that follow every dose."""
        log_act(Action.COVERAGE_READ, None, reason="coverage", detail={"series": query["series"]})
        provinces = (*PROVINCES, ELSEWHERE) if query["province"] is None else (query["province"],)
        years = range(query["born_from"], query["born_to"] + 1)
        people, shift = services().reminding.people, _desk().counting.shift
        return coverage_view(coverage_of(people, query["series"], provinces, years, shift))


def _desk() -> CampaignDesk:
    return services().reminding.campaigns


def _view(found: Campaign) -> dict[str, Any]:
    return campaign_view(found, _desk().progress(found))


def _tagged(found: Campaign) -> Any:
    return _view(found), {"ETag": f'"{found.version}"'}


def _act(event: str, campaign_id: str) -> Any:
    return _tagged(_desk().act(event, campaign_id, if_match(), caller().subject_id, _sent(event)))


def _detail(found: Campaign) -> dict[str, Any]:
    return {"campaign": found.id, "version": found.version, "state": found.state.value}


def _prepared(reason: str) -> Journal:
    return lambda found: log_act(Action.CAMPAIGN_PREPARED, None, reason=reason, detail=_detail(found))


def _sent(reason: str) -> Journal:
    return lambda found: log_act(Action.CAMPAIGN_SENT, None, reason=reason, detail=_detail(found))


def _lines() -> Iterator[bytes]:
    """The lines of the body as they come in, each cut where no good row is so long."""
    left = b""
    while piece := request.stream.read(_CHUNK):
        *lines, left = (left + piece).split(b"\n")
        yield from lines
        left = left[:_CHUNK]
    if left:
        yield left


def _report(rows: Iterator[tuple[int, str]]) -> Iterator[str]:
    yield "row,code\n"
    yield from (f"{row},{code}\n" for row, code in rows)
