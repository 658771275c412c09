"""A whole identity package on memory stores, an app in front of it, and the clients that talk to it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey

from wallet_api.identity import memory, memory_oauth
from wallet_api.identity.model import Licence, Organisation, Practitioner, Session
from wallet_api.identity.oauth.desk import ACCESS_TOKEN_TYPE, JWT_TYPE, TOKEN_EXCHANGE
from wallet_api.identity.service import Identity, IdentityStores, build_identity
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.routes.oauth import oauth_blueprint
from wallet_api.settings import Settings

BASE = "http://127.0.0.1:8080"
REDIRECT = "https://app.example.vn/signed-in"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
START = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
AN = {
    "number": "001194999001",
    "name": "Nguyễn Thị An",
    "birthdate": "1994-03-12",
    "gender": "female",
    "phone_number": "+84900099001",
}


@dataclass
class Clock:
    """A clock that moves only when told."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **step: float) -> None:
        self.at += timedelta(**step)


def memory_stores() -> IdentityStores:
    return IdentityStores(
        citizens=memory.MemoryCitizens(),
        reviews=memory.MemoryReviews(),
        guardianships=memory.MemoryGuardianships(),
        organisations=memory.MemoryOrganisations(),
        rosters=memory.MemoryRosters(),
        clients=memory_oauth.MemoryClients(),
        sessions=memory_oauth.MemorySessions(),
        attempts=memory_oauth.MemoryLoginAttempts(),
        codes=memory_oauth.MemoryCodes(),
        jtis=memory_oauth.MemoryJtis(),
    )


def settings_for(upstream: str, tmp: str = "/nowhere", **more: str) -> Settings:
    return Settings.from_env(
        {
            "WALLET_ENV": "dev",
            "WALLET_DATA_DIR": tmp,
            "WALLET_VNEID_ISSUER": upstream,
            "WALLET_OPS_ISSUER": upstream,
            **more,
        }
    )


@dataclass
class World:
    """Everything a test of the OAuth server needs."""

    upstream: Any
    clock: Any
    identity: Identity
    keys: MemoryKeyStore
    app: Flask
    stolen: list[Session]
    crowded: list[Session]
    provider_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "p1"}))

    def __post_init__(self) -> None:
        self.identity.clients.register("app", "app", "An's phone", redirect_uris=(REDIRECT,))
        self.identity.clients.register("other-app", "app", "Other", redirect_uris=(REDIRECT,))
        self.identity.clients.register("console", "ops", "Console", redirect_uris=(REDIRECT,))
        licence = Licence(frozenset({"TREAT"}), frozenset({"visit"}), frozenset({"visit"}))
        self.identity.organisations.add(
            Organisation("hospital", "Bệnh viện Đa khoa", "General Hospital", "hospital", licence, "99001")
        )
        self.identity.organisations.enroll(
            Practitioner("doctor", "hospital", "BS. Khánh", "physician", date(2026, 1, 1))
        )
        self.identity.clients.register(
            "his",
            "provider",
            "Hospital system",
            jwks={"keys": [self.provider_key.as_dict(private=False)]},
            organisation_id="hospital",
        )

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def post(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        answer = self.app.test_client().post(path, data=form)
        return answer.status_code, answer.get_json(silent=True) or {}

    def token(self, **form: str) -> tuple[int, dict[str, Any]]:
        return self.post("/oauth/token", form)

    def begin(self, browser: FlaskClient, **over: str | None) -> tuple[str, dict[str, str]]:
        """Start a sign-in; the verifier and the parameters the upstream was asked with."""
        verifier = secrets.token_urlsafe(48)
        answer = browser.get("/oauth/authorize", query_string=authorize_query(verifier, **over))
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return verifier, told_in(answer.headers["Location"])

    def upstream_code(self, asked: dict[str, str]) -> str:
        """What the upstream would send back after the person signed in."""
        code = secrets.token_urlsafe(16)
        self.upstream.nonces[code] = asked["nonce"]
        return code

    def back(
        self, browser: FlaskClient, asked: dict[str, str], path: str = "vneid", **over: str | None
    ) -> Any:
        query = {"code": self.upstream_code(asked), "state": asked["state"], **over}
        query = {name: value for name, value in query.items() if value is not None}
        return browser.get(f"/oauth/{path}/callback", query_string=query)

    def code(self, **over: str | None) -> tuple[str, str]:
        """A one-time code of ours and its verifier, after a whole sign-in."""
        browser = self.browser()
        verifier, asked = self.begin(browser, **over)
        path = "ops" if over.get("client_id") == "console" else "vneid"
        answer = self.back(browser, asked, path)
        told = told_in(answer.headers["Location"])
        assert "code" in told, told
        return told["code"], verifier

    def exchange(self, code: str, verifier: str, client: str = "app", uri: str = REDIRECT) -> Any:
        return self.token(
            grant_type="authorization_code",
            client_id=client,
            code=code,
            redirect_uri=uri,
            code_verifier=verifier,
        )

    def signed_in(self, **over: str | None) -> dict[str, Any]:
        """The token answer of a whole sign-in."""
        status, body = self.exchange(*self.code(**over), client=over.get("client_id") or "app")
        assert status == 200, body
        return body

    def refresh(self, token: str, client: str = "app") -> tuple[int, dict[str, Any]]:
        return self.token(grant_type="refresh_token", client_id=client, refresh_token=token)

    def assertion(self, key: ECKey | None = None, header: dict[str, Any] | None = None, **over: Any) -> str:
        now = int(self.clock().timestamp())
        claims = {"iss": "his", "sub": "his", "aud": BASE, "iat": now, "exp": now + 60, "jti": new_id()}
        claims = {name: value for name, value in (claims | over).items() if value is not None}
        head = {"alg": "ES256", "kid": "p1", "typ": "JWT"} | (header or {})
        return jwt.encode(head, claims, key or self.provider_key, algorithms=[head["alg"]])

    def provider_token(self, assertion: str | None = None) -> tuple[int, dict[str, Any]]:
        return self.token(
            grant_type="client_credentials",
            client_assertion_type=ASSERTION,
            client_assertion=assertion or self.assertion(),
        )

    def practitioner_token(self, practitioner: str = "doctor", **over: str) -> tuple[int, dict[str, Any]]:
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "client_assertion_type": ASSERTION,
            "client_assertion": self.assertion(),
            "subject_token": self.provider_token()[1]["access_token"],
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "actor_token": self.assertion(sub=practitioner),
            "actor_token_type": JWT_TYPE,
        }
        return self.token(**(form | over))


def make_world(upstream: Any, clock: Any, stores: IdentityStores | None = None) -> World:
    """`upstream`: the forging provider, or the address of another one."""
    issuer = upstream if isinstance(upstream, str) else upstream.issuer
    settings, keys = settings_for(issuer), MemoryKeyStore()
    stolen, crowded = list[Session](), list[Session]()
    identity = build_identity(
        settings,
        stores or memory_stores(),
        keys,
        now=clock,
        new_id=new_id,
        tell_theft=stolen.append,
        tell_crowded=crowded.append,
        tell_started=lambda session: None,
    )
    app = bare_app(identity, dev=settings.dev)
    return World(upstream, clock, identity, keys, app, stolen, crowded)


def bare_app(identity: Identity, *, dev: bool) -> Flask:
    """The OAuth endpoints alone, without budgets: these have tests of their own, here hundreds arrive."""
    app = Flask("identity")
    app.register_blueprint(oauth_blueprint(identity.oauth, dev=dev))
    app.before_request_funcs.pop("oauth", None)
    return app


def authorize_query(verifier: str, **over: str | None) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "state": "app-state",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **over,
    }
    return {name: value for name, value in query.items() if value is not None}


def told_in(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
