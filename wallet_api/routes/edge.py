"""The edge kit: what every request must be before any view sees it, whatever the route.

An application made of `EdgeFlask` runs the kit in front of each view, after the guards, so that a route
added later passes through it without being told. A view says what it takes (`takes`, or the blueprint's
`arguments`); what it does not take is refused: path values that are no names, query parameters that are
unknown or repeated, bodies where none is read, bodies that are too large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, TypeVar, cast
from urllib.parse import unquote_to_bytes

from flask import Flask, Request, abort, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields
from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_input_stream

from wallet_api.errors import Refusal, pointer_to
from wallet_api.infra.strict_json import MalformedBody, clean_text

BODY_LIMIT = 64 * 1024
"""Bytes a body may have where its operation does not say otherwise."""
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json", "application/fhir+json"})
# Everything a path can name is an id, a reference or a code: printable ASCII, 193 characters at the most.
_NAME = re.compile(r"[\x21-\x7e]{1,256}")
_TAGS = re.compile(r'[ \t]*((?:W/)?"[\x21\x23-\x7e]*")[ \t]*(?:,|$)')
_LONGEST_TAGS = 1024
_MARK = "_edge_takes"
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Takes:
    """What an operation reads besides its path.

    `query`: parameter name, and whether it may be repeated. `any_query`: it judges its query itself, as
    RFC 6749 demands of OAuth. `limit`: the largest body in bytes.
    """

    query: Mapping[str, bool] = field(default_factory=dict)
    any_query: bool = False
    body: bool = False
    limit: int = BODY_LIMIT


_NOTHING = Takes()


class _Body:
    """A body as it comes in. Not a byte more than allowed, not one less than said, whatever the framing.

    Behind a server that ends chunked bodies by itself Werkzeug cuts a body at the limit without a word, and
    takes one that broke off for whole.
    """

    def __init__(self, wire: IO[bytes], said: int | None, limit: int | None) -> None:
        self._wire = wire
        self._said = said
        self._limit = limit
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes, or all.

        Raises:
            HTTPException: 413 when there is more than the limit, 400 when the framing is broken.
        """
        try:
            found = self._wire.read(size)
        except HTTPException:
            raise
        except Exception as why:  # each server has its own errors for what a sender framed wrongly
            raise BadRequest from why
        self._seen += len(found)
        if self._limit is not None and self._seen > self._limit:
            raise RequestEntityTooLarge
        ended = size < 0 or (size > 0 and not found)
        if ended and self._said is not None and self._seen < self._said:
            raise ClientDisconnected
        return found


class EdgeRequest(Request):
    """A request whose body, however it is read, comes through `_Body`."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body."""
        limit = self.max_content_length
        wire = get_input_stream(self.environ, max_content_length=None if limit is None else limit + 1)
        return cast(IO[bytes], _Body(wire, self.content_length, limit))


class FhirId(BaseConverter):
    """A name of a resource: `_search` and `_history` are never taken for one (FHIR R4, http)."""

    regex = r"(?!_search\b|_history\b)[^/]+"


class EdgeFlask(Flask):
    """A Flask application none of whose views can be reached past the kit."""

    request_class = EdgeRequest

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(import_name, **options)
        self.url_map.converters["fhir_id"] = FhirId
        self.url_map.merge_slashes = False  # a redirect would be built from whatever Host was sent

    def dispatch_request(self) -> ResponseReturnValue:
        """Look at the request first, then let Flask find the view. Guards have run before."""
        rule = request.url_rule
        if rule is not None and request.routing_exception is None:
            inspect(taken_by(self.view_functions[rule.endpoint], request.method))
        return super().dispatch_request()


def takes(**more: Any) -> Callable[[View], View]:
    """Declare what a view takes, in the words of `Takes`; adds to what is declared already."""

    def declared(view: View) -> View:
        setattr(view, _MARK, replace(getattr(view, _MARK, _NOTHING), **more))
        return view

    return declared


def takes_schema(schema: type[Schema] | Schema, location: str) -> Callable[[View], View]:
    """Declare that a view reads this schema from the query or the JSON body."""
    if location != "query":
        return takes(body=True)
    read = schema() if isinstance(schema, type) else schema
    named = {
        each.data_key or name: isinstance(each, fields.List)
        for name, each in read.fields.items()
        if not each.dump_only
    }
    return takes(query=named)


def taken_by(view: Callable[..., Any], method: str) -> Takes:
    """What a view takes by a method. OPTIONS, and whatever declares nothing, takes nothing."""
    by_class = getattr(view, "view_class", None)
    if method == "OPTIONS":
        return _NOTHING
    if by_class is None:
        return getattr(view, _MARK, _NOTHING)
    name = "get" if method == "HEAD" and not hasattr(by_class, "head") else method.lower()
    return getattr(getattr(by_class, name, None), _MARK, _NOTHING)


def inspect(taken: Takes) -> None:
    """Refuse a request that carries what its operation does not take.

    Raises:
        Refusal: the path names nothing (404, as for what is absent), or the query is wrong (400, 422).
        MalformedBody: there is a body and none is read.
        HTTPException: 413 and 415 for bodies that are too large or packed.
    """
    _check_path(request.view_args or {})
    _check_query(taken)
    request.max_content_length = taken.limit
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        abort(415)
    if not taken.body and request.get_data(cache=False):
        raise MalformedBody("body_not_taken")


def check_json_type() -> None:
    """Refuse with 415 what does not call itself JSON, or JSON in another encoding than UTF-8."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in JSON_TYPES or charset not in ("utf-8", "utf8"):
        abort(415)


def if_match() -> frozenset[str]:
    """The strong entity tags of If-Match without their quotes; a weak one matches nothing (RFC 9110, 13.1.1).

    Raises:
        Refusal: 428 when there is none, or only `*`: what is changed must have been seen; 400 for no tags.
    """
    said = request.headers.get("If-Match", "").strip()
    if said in ("", "*"):
        raise Refusal("precondition_required", 428)
    found = _tags(said)
    if not found:
        raise Refusal("malformed_request", 400)
    return frozenset(tag.strip('"') for tag in found if not tag.startswith("W/"))


def none_match(etag: str) -> bool:
    """Whether If-None-Match names this tag, weakly compared, or anything at all (RFC 9110, 13.1.2)."""
    said = request.headers.get("If-None-Match", "").strip()
    return said == "*" or etag in {tag.removeprefix("W/").strip('"') for tag in _tags(said)}


def _tags(said: str) -> list[str]:
    """The tags of a list, or none when anything in it is not a tag."""
    found, at = [], 0
    while at < len(said) <= _LONGEST_TAGS:
        match = _TAGS.match(said, at)
        if match is None:
            return []
        found.append(match.group(1))
        at = match.end()
    return found


def _check_path(values: Mapping[str, Any]) -> None:
    for value in values.values():
        if isinstance(value, str) and not _NAME.fullmatch(value):
            raise Refusal("not_found", 404)


def _check_query(taken: Takes) -> None:
    try:
        unquote_to_bytes(request.query_string).decode("utf-8")
    except UnicodeDecodeError as why:
        raise Refusal("malformed_request", 400) from why
    if taken.any_query:
        return
    faults = [fault for name, values in request.args.lists() if (fault := _query_fault(taken, name, values))]
    if faults:
        raise Refusal("invalid_fields", 422, faults)


def _query_fault(taken: Takes, name: str, values: list[str]) -> dict[str, str] | None:
    at = pointer_to(name)
    if name not in taken.query:
        return {"pointer": at, "code": "unsupported", "message": ""}
    if len(values) > 1 and not taken.query[name]:
        return {"pointer": at, "code": "repeated", "message": ""}
    try:
        for value in values:
            clean_text(value)
    except ValueError:
        return {"pointer": at, "code": "control_characters", "message": ""}
    return None
