"""A tiny OpenID provider on loopback whose answers a test may forge."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from wallet_api.identity.oidc.id_token import half_hash

Claims = dict[str, Any]


class Upstream:
    """Issues ID tokens for `person`; `forge(header, claims)` changes them, `encode` replaces signing."""

    def __init__(self, now: Callable[[], Any]) -> None:
        self.now = now
        self.key = ECKey.generate_key("P-256", {"kid": "k1"})
        self.person: Claims = {}
        self.forge: Callable[[Claims, Claims], None] = lambda header, claims: None
        self.encode: Callable[[Claims, Claims], str] = self.sign
        self.metadata: Claims = {}
        self.nonces: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.fetches: list[str] = []
        self.status = 200
        self.server = make_server("127.0.0.1", 0, Request.application(self.answer), threaded=True)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def sign(self, header: Claims, claims: Claims) -> str:
        return jwt.encode(header, claims, self.key, algorithms=["ES256"])

    def answer(self, request: Request) -> Response:
        self.fetches.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            return self._json(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    **self.metadata,
                }
            )
        if request.path == "/jwks":
            return self._json({"keys": [self.key.as_dict(private=False) | {"use": "sig"}]})
        return self._token(request)

    def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.get_data(as_text=True)).items()}
        self.forms.append(form)
        now = int(self.now().timestamp())
        claims: Claims = {
            "iss": self.issuer,
            "sub": "sub-1",
            "aud": "health-wallet",
            "azp": "health-wallet",
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": self.nonces.get(form["code"], ""),
            "at_hash": half_hash("upstream-access"),
            "acr": "2",
            **self.person,
        }
        header: Claims = {"alg": "ES256", "kid": "k1", "typ": "JWT"}
        self.forge(header, claims)
        return self._json(
            {
                "access_token": "upstream-access",
                "token_type": "Bearer",
                "id_token": self.encode(header, claims),
            },
            self.status,
        )

    @staticmethod
    def _json(body: Claims, status: int = 200) -> Response:
        return Response(json.dumps(body), status, content_type="application/json")
