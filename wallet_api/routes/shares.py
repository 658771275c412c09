"""Share links of a book: make one, see who came with it, end it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import make_response
from flask.views import MethodView

from consent.rules import check_actor
from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services, viewer
from wallet_api.errors import language
from wallet_api.infra.crypto.framing import to_base64url
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.pages import bound
from wallet_api.routes.edge import none_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.idempotency import act_secret, again, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import PageQuery, listed
from wallet_api.routes.schemas.shares import (
    MadeShareSchema,
    ShareForm,
    SharePage,
    ShareSchema,
    share_view,
    wanted_of,
)
from wallet_api.routes.share_links import manifest_url, selection, share_id_of
from wallet_api.routes.subjects import Subject, actor, subject
from wallet_api.shares.desk import Journal, Proposal
from wallet_api.shares.errors import ShareNotFound
from wallet_api.shares.links import shlink
from wallet_api.shares.model import Share

shares = GuardedBlueprint(
    "shares",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/shares",
    guard=citizen_only,
    budget="citizen",
    description="Links that let whoever holds them see chosen records for a time (SMART Health Links).",
)


@shares.route("")
class ShareLinks(MethodView):
    """The links to a book."""

    @shares.doc(operationId="listShares")
    @shares.arguments(PageQuery, location="query")
    @shares.response(200, SharePage)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """The links, newest first, with who came. A guardian sees those that guardians made."""
        who = subject(citizen)
        binding = bound("shares", viewer(), who.citizen_id)
        state = services().pages.after(query["cursor"], binding)
        before = str(state["before"]) if state is not None else None
        found = services().sharing.desk.listed(who.citizen_id, who.relation, before, query["limit"] + 1)
        shown = found[: query["limit"]]
        more = None
        if len(found) > len(shown):
            more = services().pages.next({"before": shown[-1].place}, binding)
        return listed([_view(each) for each in shown], more)

    @shares.doc(operationId="makeShare")
    @shares.arguments(ShareForm, example=examples.SHARE)
    @shares.response(201, MadeShareSchema, headers={"Cache-Control": {"schema": {"type": "string"}}})
    @shares.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> Any:
        """Make a link; it is told only now. Needs a sign-in of the last five minutes.

        For a child of seven or more a guardian cannot do it alone. A record that is not there, another's or
        hidden from who shares is `not_found`.
        """
        step_up()
        who = subject(citizen)
        check_actor(actor(who), services().now())
        link, key = (to_base64url(act_secret(what)) for what in ("share link", "share key"))
        made = _made_before(who, share_id_of(link))
        if made is None:
            made = _make(form, who, link, key)
        told = shlink(
            manifest_url(link),
            key,
            made.expires_at,
            passcode=made.passcode is not None,
            lasting=made.use_limit > 1,
        )
        return _view(made) | {"link": told}, {"Cache-Control": "no-store"}


@shares.route("/<share_id>")
class OneShare(MethodView):
    """One link."""

    @shares.doc(operationId="getShare", parameters=["If-None-Match"])
    @shares.response(200, ShareSchema, headers={"ETag": "ETag"})
    @shares.alt_response(304, description="The copy at hand is still good.", headers={"ETag": "ETag"})
    def get(self, citizen: str, share_id: str) -> Any:
        """What it shares, how often it was used, and who came."""
        found = _found(subject(citizen), share_id)
        state = found.state_at(services().now())
        etag = services().etags.etag("share", found.citizen_id, f"{found.id}|{state}", found.version)
        if none_match(etag):
            return make_response("", 304, {"ETag": f'"{etag}"'})
        return _view(found), {"ETag": f'"{etag}"'}

    @shares.doc(operationId="revokeShare")
    @shares.response(204)
    def delete(self, citizen: str, share_id: str) -> None:
        """End it. No view that starts after this returns is answered; ending it again changes nothing."""
        found = _found(subject(citizen), share_id)
        services().sharing.desk.revoke(found, caller().subject_id, _journal(Action.SHARE_REVOKED))


def _made_before(who: Subject, share_id: str) -> Share | None:
    if again() is None:
        return None
    with suppress(ShareNotFound):
        return _found(who, share_id)
    return None


def _make(form: dict[str, Any], who: Subject, link: str, key: str) -> Share:
    spend("share")
    wanted = wanted_of(form)
    if wanted.kind == "records":
        chosen = selection(wanted, who.relation)
        if not services().sharing.reader.admits_all(who.citizen_id, chosen):
            raise RecordNotFound("shared")
    wish = Proposal(
        id=share_id_of(link),
        citizen_id=who.citizen_id,
        by=caller().subject_id,
        relation=who.relation,
        wanted=wanted,
        label=form["label"],
        expires_at=form["expires_at"],
        use_limit=form["use_limit"],
        passcode=form["passcode"],
        key=key,
    )
    return services().sharing.desk.make(wish, _journal(Action.SHARE_MADE))


def _found(who: Subject, share_id: str) -> Share:
    return services().sharing.desk.of_person(who.citizen_id, share_id, who.relation)


def _journal(action: Action) -> Journal:
    def journal(share: Share) -> None:
        log_act(action, share.citizen_id, detail=share.log_detail())

    return journal


def _view(share: Share) -> dict[str, Any]:
    return share_view(share, services().now(), language())
