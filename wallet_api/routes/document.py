"""What the published document says of every operation alike, written once: who may call, problems, headers.

A view documents its own answers. This plugin adds the rest by rule, when the application is built: the
problems that every operation of a kind can answer with, the headers of every answer, the schema of every
name in a path, the security scheme of the audience. An operation without a name of its own, or a path with a
name nobody has described, stops the start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec, BasePlugin
from werkzeug.routing import Rule

from wallet_api.errors import MEDIA_TYPE, texts
from wallet_api.infra.outcomes import MEDIA_TYPE as FHIR
from wallet_api.infra.outcomes import outcome_of
from wallet_api.routes.document_parts import (
    HEADERS,
    PARAMETERS,
    PASSCODE,
    PATH_NAMES,
    PROBLEMS,
    SECURITY_SCHEMES,
)
from wallet_api.routes.guarded import (
    GuardedBlueprint,
    anybody,
    book_readers,
    citizen_only,
    provider_only,
    signed_in,
)
from wallet_api.routes.schemas.base import ProblemSchema
from wallet_api.routes.schemas.fhir import OUTCOME
from wallet_api.routes.schemas.published import without_null

Operation = dict[str, Any]
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_ALL = ("citizen", "provider", "ops")
_ALWAYS = ("Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_EVERYBODY = (400, 422, 429, 503)


class OperationUndescribed(Exception):
    """An operation or a name in a path has no description, so it cannot be published (start-up fails)."""

    code = "operation_undescribed"


class CommonParts(BasePlugin):
    """Adds to each operation what its blueprint's audience and its shape imply."""

    def __init__(self, blueprints: Iterable[GuardedBlueprint], views: Mapping[str, Any]) -> None:
        """`views` are the view functions of the application by endpoint, as they are being registered."""
        self._views = views
        self._audiences = {each.name: audience_of(each) for each in blueprints}
        self._names: set[str] = set()

    def init_spec(self, spec: APISpec) -> None:
        """Register what operations will refer to."""
        self._spec = spec
        for name, scheme in SECURITY_SCHEMES.items():
            spec.components.security_scheme(name, scheme)
        for name, parameter in PARAMETERS.items():
            spec.components.parameter(name, "header", dict(parameter), lazy=True)
        for name, header in HEADERS.items():
            spec.components.header(name, dict(header), lazy=True)

    def schema_helper(self, name: str, definition: Any, **more: Any) -> dict[str, Any]:
        """What a schema says of itself as a whole, in its `Meta.published`."""
        return dict(getattr(getattr(more.get("schema"), "Meta", None), "published", {}))

    def path_helper(
        self,
        path: str | None = None,
        operations: dict[Any, Any] | None = None,
        parameters: list[dict[Any, Any]] | None = None,
        **_: Any,
    ) -> None:
        """Give each name in the path its schema and its meaning."""
        for each in parameters or ():
            if each["in"] == "path":
                if each["name"] not in PATH_NAMES:
                    raise OperationUndescribed(f"nobody describes the path name {each['name']}")
                schema, meaning = PATH_NAMES[each["name"]]
                each.update(schema=schema, description=meaning)

    def operation_helper(
        self, path: str | None = None, operations: dict[Any, Any] | None = None, **more: Any
    ) -> None:
        """Complete every operation of a path."""
        rule: Rule = more["rule"]
        audience = self._audiences.get(rule.endpoint.split(".")[0])
        for method, operation in (operations or {}).items():
            if method in _METHODS:
                self._name(operation, f"{method} {path}")
                if audience is not None:
                    _add_key(operation, self._views[rule.endpoint], method)
                    _complete(operation, str(path), audience)
                    self._demand_body(operation)

    def _demand_body(self, operation: Operation) -> None:
        """A body is demanded where one of its members is: elsewhere none is as good as an empty one."""
        if "requestBody" in operation:
            content = next(iter(operation["requestBody"]["content"].values()))
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            schema = self._spec.components.schemas.get(name, content["schema"])
            operation["requestBody"]["required"] = "required" in schema

    def _name(self, operation: Operation, what: str) -> None:
        name = operation.get("operationId")
        if not name or name in self._names:
            raise OperationUndescribed(f"{what} needs an operationId of its own")
        self._names.add(name)


def audience_of(blueprint: GuardedBlueprint) -> tuple[str, ...]:
    """Whose tokens the routes of a blueprint take, as names of security schemes; none for public ones."""
    known = {anybody: (), citizen_only: ("citizen",), provider_only: ("provider",), signed_in: _ALL}
    known[book_readers] = ("citizen", "provider")
    return known.get(blueprint.guard, ("ops",))


def register_problems(spec: APISpec) -> None:
    """Publish every problem answer once; operations refer to them."""
    for status, kind in (*PROBLEMS.items(), (401, PASSCODE)):
        text = texts("en")[kind.code]
        example = {
            "type": f"urn:wallet:problem:{kind.code}",
            "title": text["title"],
            "status": status,
            "code": kind.code,
            "detail": text["detail"],
            "request_id": "abcdefghijklmnopqrstuvwxyz",
        }
        answer = {
            "description": kind.means,
            "headers": {each: each for each in ("Request-Id", "Content-Language", *kind.headers)},
            "content": {MEDIA_TYPE: {"schema": ProblemSchema, "example": example}},
        }
        spec.components.response(kind.name, answer, lazy=True)
        told = {FHIR: {"schema": OUTCOME, "example": outcome_of(example, "en")}}
        spec.components.response(f"Fhir{kind.name}", answer | {"content": told}, lazy=True)


def _add_key(operation: Operation, view: Any, method: str) -> None:
    """Publish the Idempotency-Key of a view that takes one; an act still under way is a conflict."""
    if getattr(getattr(view.view_class, method), "takes_idempotency_key", False):
        operation.setdefault("parameters", []).append("Idempotency-Key")
        operation["responses"].setdefault("409", {})


def _complete(operation: Operation, path: str, audience: tuple[str, ...]) -> None:
    in_fhir = path.startswith("/fhir/")
    operation.setdefault("security", [{name: []} for name in audience])
    parameters = operation.setdefault("parameters", [])
    for each in parameters:
        if isinstance(each, dict) and each.get("in") == "query":
            without_null(each["schema"])
    parameters.append("Accept-Language")
    own = {str(int(status)): answer for status, answer in operation.get("responses", {}).items()}
    common = {str(status) for status in _common(operation, path, audience)}
    answers: dict[str, Any] = {}
    for status in sorted(own.keys() | common):
        kind = PROBLEMS.get(int(status))
        if own.get(status) == PASSCODE.name:
            answers[status] = PASSCODE.name  # a 401 of another meaning
        elif kind is not None:
            answers[status] = f"Fhir{kind.name}" if in_fhir else kind.name
        else:
            answers[status] = own[status]
            answers[status].setdefault("headers", {}).update((each, each) for each in _ALWAYS)
    operation["responses"] = answers


def _common(operation: Operation, path: str, audience: tuple[str, ...]) -> set[int]:
    found = set(_EVERYBODY)
    if audience:
        found.add(401)
    if audience and audience != _ALL:
        found.add(403)
    if path.startswith("/fhir/"):
        found.add(406)
    if "{" in path:
        found.add(404)
    if "requestBody" in operation:
        found |= {413, 415}
    return found
