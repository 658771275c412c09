"""Whether this process is alive, whether it can serve, and a plain page that says what runs where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import swagger_ui_bundle
from flask import Blueprint, Response, current_app, render_template_string, send_from_directory

from wallet_api.context import services
from wallet_api.routes.limits import CountedOnce, count_by

health = Blueprint("health", __name__)
count_by(health, CountedOnce("probe"))
_SWAGGER = Path(swagger_ui_bundle.swagger_ui_path)
_DOCS = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>Health wallet API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script></body></html>
"""
_START = 'SwaggerUIBundle({url: "/api/openapi.json", dom_id: "#swagger-ui"});\n'
_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_HOME = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>Health wallet</title>
<meta name="viewport" content="width=device-width"></head><body>
<h1>Health wallet · Ví sức khỏe</h1>
<p>The backend behind the personal health book: citizens read, decide and see who looked; providers write,
and read only what a consent covers.</p>
<ul>
<li><a href="/api/docs/">API, browsable</a> · <a href="/api/openapi.json">OpenAPI 3</a></li>
<li><a href="/.well-known/oauth-authorization-server">Sign-in metadata</a>
 · <a href="/.well-known/jwks.json">public keys</a></li>
<li><a href="/healthz">alive?</a> · <a href="/readyz">ready?</a></li>
{% if sandbox %}
<li>Sandbox, not a real service: <a href="{{ vneid }}">VNeID</a> · <a href="{{ push }}">push receiver</a></li>
{% endif %}
</ul></body></html>
"""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@health.get("/healthz")
def alive() -> dict[str, str]:
    """This process answers."""
    return {"status": "alive"}


@health.get("/readyz")
def ready() -> dict[str, str]:
    """This process can serve: its database answers. Otherwise 503."""
    services().ready()
    return {"status": "ready"}


@health.get("/")
def home() -> Response:
    """What runs where."""
    settings = services().settings
    page = render_template_string(
        _HOME, sandbox=settings.dev, vneid=settings.vneid_issuer, push=settings.fcm_endpoint
    )
    return _page(page)


@health.get("/api/docs/")
def docs() -> Response:
    """The API, browsable without any other host."""
    return _page(_DOCS)


@health.get("/api/docs/start.js")
def docs_start() -> Response:
    """What starts the browsable page."""
    return Response(_START, mimetype="text/javascript")


@health.get("/api/docs/<name>")
def docs_file(name: str) -> Any:
    """The files of the browsable page."""
    if name not in _FILES:
        current_app.aborter(404)
    return send_from_directory(_SWAGGER, name)


def _page(html: str) -> Response:
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})
