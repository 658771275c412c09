"""The OAuth endpoints over HTTP: parameters in, the identity package's answers out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from wallet_api.errors import Refusal, problem_of_input
from wallet_api.identity.oauth.model import Answer
from wallet_api.identity.oauth.pages import problem_page
from wallet_api.identity.oauth.server import error_answer
from wallet_api.identity.oauth.sign_in import ATTEMPT_LIFE
from wallet_api.identity.service import Document, OAuth
from wallet_api.infra.strict_json import MalformedBody
from wallet_api.routes.edge import takes

_FORM = "application/x-www-form-urlencoded"


def oauth_blueprint(oauth: OAuth, *, dev: bool) -> Blueprint:
    """The public OAuth routes. Cookies are Secure and host-locked unless `dev`."""
    routes = Blueprint("oauth", __name__)

    @routes.get("/oauth/authorize")
    @takes(any_query=True)
    def authorize() -> Response:
        return _sent(oauth.authorize(request.args.items(multi=True)), dev=dev)

    @routes.get("/oauth/vneid/callback")
    @takes(any_query=True)
    def vneid_callback() -> Response:
        return _sent(oauth.callback("vneid", request.args.items(multi=True), _cookies()), dev=dev)

    @routes.get("/oauth/ops/callback")
    @takes(any_query=True)
    def ops_callback() -> Response:
        return _sent(oauth.callback("ops", request.args.items(multi=True), _cookies()), dev=dev)

    @routes.post("/oauth/token")
    @takes(body=True)
    def token() -> Response:
        return _sent(oauth.token(_form()), dev=dev)

    @routes.post("/oauth/revoke")
    @takes(body=True)
    def revoke() -> Response:
        return _sent(oauth.revoke(_form()), dev=dev)

    def refused(why: Exception) -> Response:
        if not request.path.startswith("/oauth/"):
            return problem_of_input(why)
        return _sent(_refusal(why), dev=dev)

    for kind in (HTTPException, Refusal, MalformedBody):
        routes.register_error_handler(kind, refused)
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


def _form() -> Iterable[tuple[str, str]]:
    """The form fields; a body of another kind is refused, not read as empty."""
    if request.mimetype != _FORM and (request.mimetype or request.get_data()):
        raise Refusal("unsupported_media_type", 400)
    return request.form.items(multi=True)


def _cookies() -> Mapping[str, str]:
    """The browser's cookies; a header that is no text holds none of ours."""
    try:
        return request.cookies
    except UnicodeDecodeError:
        return {}


def _refusal(why: Exception) -> Answer:
    """What was refused before OAuth looked: in the words of RFC 6749 to a client, a page to a person."""
    status = getattr(why, "code", 400) if isinstance(why, HTTPException) else 400
    if request.method == "GET":
        return replace(problem_page("bad_sign_in_request"), status=status)
    return replace(error_answer("invalid_request"), status=status)


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
