"""A blueprint cannot exist without its guard: who may call is decided before the view is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Request, g, request
from flask_smorest import Blueprint
from flask_smorest.arguments import FlaskParser
from marshmallow import RAISE
from webargs import core

from wallet_api.context import services
from wallet_api.errors import MEDIA_TYPE, Refusal
from wallet_api.identity.errors import StepUpNeeded, TokenRefused
from wallet_api.identity.model import Caller, Role
from wallet_api.infra.strict_json import strict_json
from wallet_api.routes.edge import check_json_type, takes_schema
from wallet_api.routes.limits import Counted, address, count_by, spend


class StrictParser(FlaskParser):
    """Reads bodies with our own JSON rules and refuses unknown fields everywhere."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - the library's own way to set it
        "json": RAISE,
        "query": RAISE,
        "headers": None,
        "form": RAISE,
    }

    def _raw_load_json(self, req: Request) -> Any:
        raw = req.get_data(cache=True)
        if not raw:
            return core.missing
        check_json_type()
        return strict_json(raw)


class GuardedBlueprint(Blueprint):
    """A blueprint whose guard runs before every view. `guard` raises, or sets the caller.

    `budget` is the family of budgets its requests are counted against: `<budget>_read` and `<budget>_act`;
    or a way of its own to count them.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(
        self, name: str, import_name: str, *, guard: Callable[[], None], budget: str | Counted, **options: Any
    ) -> None:
        super().__init__(name, import_name, **options)
        self.guard = guard
        self.before_request(guard)  # here, not in the factory: an application may be built twice
        counted = budget if isinstance(budget, Counted) else Counted(budget)
        count_by(self, counted)  # after the guard: it is the caller who is counted

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Any:
        """Read a schema from the body or the query, and declare it to the edge kit: the rest is refused."""
        reads = super().arguments(schema, location=location, **options)
        declares = takes_schema(schema, location)
        return lambda view: declares(reads(view))

    def alt_response(self, status_code: int, *args: Any, **options: Any) -> Any:
        """Document another answer; a problem with the media type it really has."""
        if status_code >= 400:
            options.setdefault("content_type", MEDIA_TYPE)
        return super().alt_response(status_code, *args, **options)


def anybody() -> None:
    """The guard of public routes: each is on the public list with its reason."""


def citizen_only() -> None:
    """A signed-in citizen."""
    _only("citizen")


def provider_only() -> None:
    """A provider organisation, with or without a named practitioner."""
    _only("provider")


def book_readers() -> None:
    """Whoever may have a book to read: a citizen or a provider. A narrowed session as well: what it may read
    is for the views to judge."""
    g.caller = _bearer()
    if g.caller.kind == "ops":
        raise Refusal("forbidden", 403)


def signed_in() -> None:
    """Anybody signed in: citizen, provider or ops."""
    g.caller = _caller()


def ops_only(*roles: Role) -> Callable[[], None]:
    """Ops people who hold one of these roles."""

    def guard() -> None:
        _only("ops")
        if not g.caller.roles & set(roles):
            raise Refusal("role_missing", 403)

    return guard


def step_up() -> None:
    """Demand an authentication of the last five minutes (RFC 9470).

    Raises:
        StepUpNeeded: the last one is older.
    """
    spend("step_up")
    if not g.caller.stepped_up(services().now()):
        raise StepUpNeeded("auth_time")


def practitioner_only() -> None:
    """Demand that the provider's token names a practitioner.

    Raises:
        Refusal: it names only the organisation; exchange it for one that names the reader.
    """
    if g.caller.practitioner_id is None:
        raise Refusal("practitioner_needed", 403)


def _only(kind: str) -> None:
    g.caller = _caller()
    if g.caller.kind != kind:
        raise Refusal("forbidden", 403)


def _caller() -> Caller:
    """The caller, unless its session may only read some types of resources.

    Raises:
        Refusal: it may.
    """
    found = _bearer()
    if found.scope:
        raise Refusal("insufficient_scope", 403)
    return found


def _bearer() -> Caller:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer:
        raise TokenRefused("absent")
    try:
        return services().identity.authenticator.caller(bearer)
    except TokenRefused:
        spend("stranger", address())
        raise


def body_json() -> Any:
    """The body as strict JSON, for what has no marshmallow schema (FHIR)."""
    check_json_type()
    return strict_json(request.get_data(cache=False))


def compact(value: object) -> bytes:
    """JSON in the fewest bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
