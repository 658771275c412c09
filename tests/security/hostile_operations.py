"""Every operation of an application, found in its routing table, with a well-formed call for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from joserfc.jwk import ECKey
from marshmallow import Schema, fields
from werkzeug.test import TestResponse, create_environ
from werkzeug.wrappers import Request

from tests.world import Json, World, bundle, condition, found_in
from wallet_api.routes.edge import Takes, taken_by
from wallet_api.routes.schemas.base import Day, Digits, Instant, Number, Whole
from wallet_api.routes.schemas.ops import JwkSet

_SLOT = "zzzz{}zzzz"
READS = {"GET", "HEAD"}


@dataclass(frozen=True)
class Operation:
    """One method of one route. `wire` is its path as bytes on the wire would have it, with real names."""

    endpoint: str
    method: str
    template: str
    values: dict[str, str]
    taken: Takes
    schema: Schema | None
    token: str | None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is told in a failure."""
        return f"{self.method} {self.endpoint}"

    @property
    def wire(self) -> str:
        """The path."""
        return self.path_with({})

    @property
    def oauth(self) -> bool:
        """Whether RFC 6749 says how it refuses."""
        return self.endpoint.startswith("oauth.")

    def path_with(self, values: dict[str, str]) -> str:
        """The path with some of its names replaced."""
        found = self.template
        for name, value in (self.values | values).items():
            found = found.replace(_SLOT.format(name), value)
        return found

    def without_token(self) -> Operation:
        """The same from a stranger."""
        return replace(self, token=None)


class Knocker:
    """Sends requests to one wallet, byte for byte, and counts them."""

    def __init__(self, world: World) -> None:
        self._client = world.app.test_client()
        self._plain = create_environ() | {"REMOTE_ADDR": "127.0.0.1"}
        self.sent = 0

    def send(
        self,
        operation: Operation,
        *,
        path: str | None = None,
        query: str = "",
        body: bytes = b"",
        kind: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """One request as a server would hand it over."""
        self.sent += 1
        wire = operation.wire if path is None else path
        told = dict(operation.headers)
        if operation.token is not None:
            told["Authorization"] = f"Bearer {operation.token}"
        if body:
            told |= {"Content-Type": kind or "application/json", "Content-Length": str(len(body))}
        told |= headers or {}
        # Written down by hand: the builder of the test client takes longer than many a refusal.
        environ = self._plain | {
            "REQUEST_METHOD": operation.method,
            "PATH_INFO": unquote_to_bytes(wire).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": wire,
            "wsgi.input": BytesIO(body),
        }
        for name, value in told.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        answer = self._client.run_wsgi_app(environ)
        return self._client.response_wrapper(*answer, request=Request(environ))


def operations(world: World) -> list[Operation]:
    """Every operation of the wallet, called by somebody who may."""
    cast = _Cast(world)
    urls, found = world.app.url_map.bind("localhost"), []
    for rule in sorted(world.app.url_map.iter_rules(), key=str):
        view = world.app.view_functions[rule.endpoint]
        slots = {name: _SLOT.format(name) for name in rule.arguments}
        template = urls.build(rule.endpoint, slots)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append(
                Operation(
                    endpoint=rule.endpoint,
                    method=method,
                    template=template,
                    values={name: cast.names.get(name, "a" * 26) for name in rule.arguments},
                    taken=taken_by(view, method),
                    schema=body_schema(view, method),
                    token=cast.token_for(template),
                    headers=cast.headers_for(rule.endpoint, method),
                )
            )
    return found


def body_schema(view: Any, method: str) -> Schema | None:
    """The schema of an operation's JSON body, as it is published."""
    handler = getattr(getattr(view, "view_class", None), method.lower(), None)
    for each in getattr(handler, "_apidoc", {}).get("arguments", {}).get("parameters", ()):
        if isinstance(each, dict) and each.get("in") == "json":
            schema = each["schema"]
            return schema() if isinstance(schema, type) else schema
    return None


class _Cast:
    """People and organisations with one of everything that a path can name."""

    def __init__(self, world: World) -> None:
        self.citizen, self.doctor = world.person(), world.doctor()
        self.official = world.ops("operator", "reviewer", "registrar")
        sent = world.send(self.doctor, bundle(self.citizen, condition()))
        made = world.grant(self.doctor, self.citizen)
        asked = world.ask(self.doctor, self.citizen)
        self.session = made.session()
        record = found_in(world.get("/citizens/me/records", self.citizen))["items"][0]["id"]
        record_ref = found_in(made.read(self.session))["items"][0]["id"]
        self.names = {
            "citizen": "me",
            "citizen_ref": made.citizen_ref,
            "grant_id": str(made.grant["id"]),
            "installation_id": "aaaaaaaa",
            "intake_id": str(sent["id"]),
            "kind": "Condition",
            "patient_id": "me",
            "resource_id": record,
            "version_id": "1",
            "name": "purposes",
            "organisation_id": self.doctor.organisation_id,
            "purpose": "TREAT",
            "record_id": record,
            "record_ref": record_ref,
            "request_id": str(world.newest_request(self.citizen)["id"]),
            "request_ref": asked,
        }

    def token_for(self, path: str) -> str | None:
        parts = (("/api/v1/provider", self.doctor), ("/api/v1/ops", self.official))
        for beginning, who in parts:
            if path.startswith(beginning):
                return str(who.token)  # type: ignore[attr-defined]  # each of them has one
        guarded = path.startswith(("/api/v1/", "/fhir/")) and path != "/fhir/metadata"
        return self.citizen.token if guarded else None

    def headers_for(self, endpoint: str, method: str) -> dict[str, str]:
        headers = {"Access-Session": self.session} if endpoint.startswith("provider.") else {}
        return headers | ({"If-Match": '"1"'} if method == "PATCH" else {})


def well_formed(world: World, operation: Operation) -> Json:
    """A body that the operation's schema takes whole."""
    if operation.schema is None:
        return bundle(world.person(), condition())
    return dict(_members(world, operation.schema))


def _members(world: World, schema: Schema) -> Iterator[tuple[str, Any]]:
    for name, each in schema.fields.items():
        yield each.data_key or name, _value(world, each)


def _value(world: World, kind: fields.Field[Any]) -> Any:
    if isinstance(kind, fields.Nested):
        return dict(_members(world, kind.schema))
    if isinstance(kind, fields.List):
        return [_value(world, kind.inner)]
    if isinstance(kind, fields.Boolean):
        return True
    if isinstance(kind, (Whole, Digits)):
        return 8
    if isinstance(kind, Number):
        return 8.5
    if isinstance(kind, Day):
        return "2026-01-01"
    if isinstance(kind, Instant):
        return (world.now() + timedelta(days=9)).isoformat()
    if isinstance(kind, JwkSet):
        return {"keys": [ECKey.generate_key("P-256", {"kid": "k"}).as_dict(private=False)]}
    choices = next((list(one.choices) for one in kind.validators if hasattr(one, "choices")), None)
    return choices[0] if choices else "aaaaaaaa"
