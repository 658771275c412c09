"""The OAuth endpoints over HTTP: parameters in, the identity package's answers out."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from wallet_api.identity.oauth.model import Answer
from wallet_api.identity.oauth.sign_in import ATTEMPT_LIFE
from wallet_api.identity.service import Document, OAuth


def oauth_blueprint(oauth: OAuth, *, dev: bool) -> Blueprint:
    """The public OAuth routes. Cookies are Secure and host-locked unless `dev`."""
    routes = Blueprint("oauth", __name__)

    @routes.get("/oauth/authorize")
    def authorize() -> Response:
        return _sent(oauth.authorize(request.args.items(multi=True)), dev=dev)

    @routes.get("/oauth/vneid/callback")
    def vneid_callback() -> Response:
        return _sent(oauth.callback("vneid", request.args.items(multi=True), request.cookies), dev=dev)

    @routes.get("/oauth/ops/callback")
    def ops_callback() -> Response:
        return _sent(oauth.callback("ops", request.args.items(multi=True), request.cookies), dev=dev)

    @routes.post("/oauth/token")
    def token() -> Response:
        return _sent(oauth.token(request.form.items(multi=True)), dev=dev)

    @routes.post("/oauth/revoke")
    def revoke() -> Response:
        return _sent(oauth.revoke(request.form.items(multi=True)), dev=dev)

    _add_documents(routes, oauth, dev=dev)
    return routes


def _add_documents(routes: Blueprint, oauth: OAuth, *, dev: bool) -> None:
    documents: tuple[tuple[Document, str], ...] = (
        ("oauth-authorization-server", "metadata"),
        ("smart-configuration", "smart_configuration"),
        ("jwks.json", "jwks"),
    )
    for name, endpoint in documents:

        def document(name: Document = name) -> Response:
            return _sent(oauth.document(name), dev=dev)

        routes.add_url_rule(f"/.well-known/{name}", endpoint, document, methods=["GET"])


def _sent(answer: Answer, *, dev: bool) -> Response:
    """The answer as Flask's response; JSON where the body is a mapping, else HTML."""
    plain = isinstance(answer.body, str)
    body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body, ensure_ascii=False)
    kind = "text/html; charset=utf-8" if plain else "application/json"
    response = Response(body, answer.status, content_type=kind)
    for name, value in answer.headers:
        response.headers[name] = value
    if answer.set_cookie is not None:
        name, value = answer.set_cookie
        seconds = int(ATTEMPT_LIFE.total_seconds())
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=not dev, httponly=True, samesite="Lax"
        )
    if answer.drop_cookie is not None:
        response.delete_cookie(answer.drop_cookie, path="/", secure=not dev, httponly=True, samesite="Lax")
    return response
