"""create_app(): one application, built from settings or from services a test passes."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, g, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from wallet_api.context import Services
from wallet_api.errors import MEDIA_TYPE, problem_of_http, register_errors
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import say
from wallet_api.routes import BLUEPRINTS, PLAIN_BLUEPRINTS
from wallet_api.routes.handover import release_last
from wallet_api.routes.oauth import oauth_blueprint
from wallet_api.routes.schemas.base import ProblemSchema
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

BODY_LIMIT = 64 * 1024
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",
}


class WalletApi(Api):
    """flask-smorest with our problem answers."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"

    def _register_responses(self) -> None:
        # The library would publish error answers under the media type of all others.
        usual, self.DEFAULT_RESPONSE_CONTENT_TYPE = self.DEFAULT_RESPONSE_CONTENT_TYPE, MEDIA_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = usual

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The framework's own errors in our shape."""
        return problem_of_http(error)


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Build one application. Tests pass their own services; otherwise wiring builds them."""
    app = Flask("wallet_api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has both
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # as above
    app.config.update(_openapi(settings), MAX_CONTENT_LENGTH=BODY_LIMIT, PROPAGATE_EXCEPTIONS=False)
    built = services or build_services(settings)
    app.extensions["wallet"] = built
    release_last(app, _finish)
    app.before_request(_begin)
    app.after_request(_finish)
    api = WalletApi(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    for plain in PLAIN_BLUEPRINTS:
        app.register_blueprint(plain)
    app.register_blueprint(oauth_blueprint(built.identity.oauth, dev=settings.dev))
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
            "security": [{"bearer": []}],
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
