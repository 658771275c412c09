"""create_app(): one application, built from settings or from services a test passes."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, g, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from wallet_api.context import Services
from wallet_api.errors import problem_of_http, register_errors
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import say
from wallet_api.infra.traces import no_traces, start_tracing
from wallet_api.routes import BLUEPRINTS, PLAIN_BLUEPRINTS
from wallet_api.routes.document import CommonParts, register_problems
from wallet_api.routes.edge import BODY_LIMIT, EdgeFlask
from wallet_api.routes.handover import release_last
from wallet_api.routes.limits import CountedOnce, CountedSignIn, cap_concurrency, count_by, tell_allowance
from wallet_api.routes.oauth import oauth_blueprint
from wallet_api.routes.observing import observe
from wallet_api.routes.plain_document import document_plain
from wallet_api.routes.room import keep_room
from wallet_api.routes.schemas.published import published
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",
}


class WalletApi(Api):
    """flask-smorest with our problem answers."""

    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"
    DEFAULT_ERROR_RESPONSE_NAME = None  # what an operation can answer is said one by one

    def _register_responses(self) -> None:
        self.ma_plugin.converter.add_attribute_function(published)
        register_problems(self.spec)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The framework's own errors in our shape."""
        return problem_of_http(error)


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Build one application. Tests pass their own services; otherwise wiring builds them."""
    app = EdgeFlask("wallet_api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has both
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # as above
    app.config.update(_openapi(settings), MAX_CONTENT_LENGTH=BODY_LIMIT, PROPAGATE_EXCEPTIONS=False)
    # Before the services: a database client tells its commands only to who listened when it was made.
    observe(app, start_tracing(settings.otlp_endpoint) if settings.otlp_endpoint else no_traces)
    built = services or build_services(settings)
    app.extensions["wallet"] = built
    release_last(app, _finish)
    app.before_request(_begin)
    cap_concurrency(app, settings.concurrent)
    keep_room(app)
    app.after_request(_finish)
    app.after_request(tell_allowance)
    api = WalletApi(app, spec_kwargs={"extra_plugins": [CommonParts(BLUEPRINTS, app.view_functions)]})
    app.before_request_funcs.setdefault("api-docs", []).append(CountedOnce("public_read"))
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    for plain in PLAIN_BLUEPRINTS:
        app.register_blueprint(plain)
    signing_in = oauth_blueprint(built.identity.oauth, dev=settings.dev)
    count_by(signing_in, CountedSignIn("oauth"))
    app.register_blueprint(signing_in)
    document_plain(api.spec, app.url_map.iter_rules())
    register_errors(app)
    return app


def _openapi(settings: Settings) -> dict[str, Any]:
    return {
        "API_TITLE": "Health wallet",
        "API_VERSION": "v1",
        "OPENAPI_VERSION": "3.0.3",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
        "API_SPEC_OPTIONS": {
            "servers": [{"url": settings.public_url}],
            "info": {"description": "A health wallet for Viet Nam. Errors are RFC 9457 problem details."},
        },
    }


def _begin() -> None:
    g.request_id = new_id()
    g.started = time.monotonic()


def _finish(answer: Response) -> Response:
    answer.headers.setdefault("Cache-Control", "private, no-cache")
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers["Request-Id"] = g.get("request_id", "")
    say(
        "request",
        request_id=g.get("request_id", ""),
        method=request.method,
        route=str(request.url_rule),
        status=answer.status_code,
        milliseconds=round((time.monotonic() - g.get("started", time.monotonic())) * 1000),
    )
    return answer
