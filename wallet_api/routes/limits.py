"""Limits at the edge: whose budget a request is counted against, and what its answer says of it."""

from __future__ import annotations

import ipaddress
from threading import BoundedSemaphore

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from wallet_api.context import services
from wallet_api.errors import problem
from wallet_api.identity.model import Caller
from wallet_api.infra.limits import Allowance, LimitReached
from wallet_api.routes.claimed import claimed_client, claimed_practitioner

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_NAME = 256
UNCAPPED = frozenset({"health", "observing"})
"""Blueprints that answer however busy a worker is: who asks wants to know just that."""


def spend(name: str, who: str | None = None) -> None:
    """Take one act from a budget of the caller, or of whoever is named.

    Raises:
        LimitReached: it is spent. LimitsUnavailable: it cannot be counted and must be.
    """
    try:
        _note(services().limits.spend(name, payer() if who is None else who[:_LONGEST_NAME]))
    except LimitReached as why:
        _note(why.allowance)
        raise


def refund(name: str, who: str | None = None) -> None:
    """Give back an act that turned out well, so that only failures count."""
    services().limits.refund(name, payer() if who is None else who[:_LONGEST_NAME])


def payer() -> str:
    """Whose budget it is: the person, or the organisation; for strangers the address they call from."""
    who: Caller | None = g.get("caller")
    return address() if who is None else f"{who.kind}:{who.subject_id}"


def address() -> str:
    """Where the caller is: the connection's other end, or what the outermost trusted proxy says.

    An IPv6 caller holds a whole /64 and is counted as one.
    """
    trusted = services().settings.trusted_proxies
    hops = [hop.strip() for line in request.headers.getlist("X-Forwarded-For") for hop in line.split(",")]
    told = hops[-trusted] if 0 < trusted <= len(hops) else request.remote_addr or ""
    try:
        found = ipaddress.ip_address(told)
    except ValueError:
        return f"address:{told[:_LONGEST_NAME]}"
    if isinstance(found, ipaddress.IPv6Address):
        return f"address:{ipaddress.ip_network((int(found) >> 64 << 64, 64))}"
    return f"address:{found}"


class Counted:
    """What every blueprint is made with: the family of budgets its requests are counted against."""

    def __init__(self, family: str) -> None:
        self.family = family

    def __call__(self) -> None:
        """Count this request as a read or as an act of the family."""
        spend(f"{self.family}_read" if request.method in _READS else f"{self.family}_act")


class CountedReading(Counted):
    """For blueprints of citizens and providers alike, where every request reads, whatever its method."""

    def __init__(self) -> None:
        super().__init__("citizen")

    def __call__(self) -> None:
        """Count this request as a read of its caller's."""
        caller: Caller = g.caller
        spend(f"{caller.kind}_read")


class CountedOnce(Counted):
    """For blueprints whose every request is of one kind."""

    def __call__(self) -> None:
        """Count this request."""
        spend(self.family)


class CountedSignIn(Counted):
    """Signing in, tokens and their keys: each endpoint has its own budget."""

    def __call__(self) -> None:
        """Count this request against the budget of what it asks for."""
        endpoint = (request.endpoint or "").rpartition(".")[2]
        if endpoint == "token":
            _count_token_request()
        else:
            spend(_OAUTH.get(endpoint, "public_read"), address())


_OAUTH = {
    "authorize": "sign_in",
    "vneid_callback": "sign_in",
    "ops_callback": "sign_in",
    "revoke": "sign_out",
}


def count_by(blueprint: Blueprint, counted: Counted) -> None:
    """Have every request to a blueprint counted."""
    blueprint.before_request(counted)


def counting(app: Flask) -> dict[str, list[Counted]]:
    """For each blueprint of an application, what counts its requests: the census asks."""
    return {
        name: [each for each in app.before_request_funcs.get(name, []) if isinstance(each, Counted)]
        for name in app.blueprints
    }


def tell_allowance(answer: Response) -> Response:
    """Say in the headers what is left of the tightest budget this request was counted against."""
    told: list[Allowance] = g.get("allowances", [])
    if told:
        tightest = min(told, key=lambda each: (each.remaining / each.limit, -each.resets_in))
        answer.headers["RateLimit-Limit"] = str(tightest.limit)
        answer.headers["RateLimit-Remaining"] = str(tightest.remaining)
        answer.headers["RateLimit-Reset"] = str(tightest.resets_in)
    return answer


def cap_concurrency(app: Flask, most: int) -> None:
    """Turn requests away at once (503, `Retry-After`) while this worker is busy with `most` others.

    Waiting helps nobody: who is turned away may ask again, another worker perhaps.
    """
    places = BoundedSemaphore(most)

    def enter() -> Response | None:
        if request.blueprint in UNCAPPED:
            return None
        if not places.acquire(blocking=False):
            return problem("unavailable", 503)
        g.holds_place = True
        return None

    def leave(_: BaseException | None) -> None:
        if g.pop("holds_place", False):
            places.release()

    app.before_request(enter)
    app.teardown_request(leave)


def _note(allowance: Allowance | None) -> None:
    if allowance is not None:
        g.setdefault("allowances", []).append(allowance)


def _count_token_request() -> None:
    """A token request counts for what it claims to be, and for the address, which it cannot choose.

    What it claims is not proven yet. The address is part of every key, so nobody can spend another's budget
    by naming them. A hospital's system asks once for each practitioner, so each has a budget.
    """
    if not services().limits.on:
        return
    where = address()
    spend("token_address", where)
    try:
        form = request.form
    except HTTPException:
        return  # too large or unreadable: the view says so
    if form.get("grant_type") == "refresh_token":
        spend("refresh", f"{where}|{form.get('refresh_token', '')[:128]}")
    else:
        spend("token", f"{where}|{claimed_client(form)}|{claimed_practitioner(form)}")
