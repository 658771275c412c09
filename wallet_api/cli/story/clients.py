"""Three clients of the wallet as strangers would write them: over HTTP alone, by the published documents.

A citizen's app and the ops console sign people in like AppAuth does; a provider's system proves itself with
its key. None of them knows anything of the server but its address.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests

from wallet_api.infra.crypto.jws import Signer, sign_compact, signer_from_pem
from wallet_api.infra.ids import new_id
from wallet_api.wiring.demo import OPS_CONSOLE, REDIRECTS, WALLET_APP, provider_client

PATIENCE = 15.0
"""Seconds a client waits for an answer."""
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_LIFE = timedelta(seconds=60)
_STEPS = 6  # redirects in a sign-in; more is a loop


class ClientFailed(Exception):
    """A sign-in did not come to its end; the message says where, and never a secret."""


@dataclass(frozen=True)
class Answered:
    """What the wallet answered to one call."""

    method: str
    path: str
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The stable code of a problem answer or of an OAuth error, else nothing."""
        found = self.body if isinstance(self.body, dict) else {}
        return str(found.get("code") or found.get("error") or "")


class Http:
    """One connection to one server, without proxies of the environment."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.heard: Callable[[Answered], object] = lambda answer: None
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, method: str, path: str, **more: Any) -> Answered:
        """One call; redirects are answers like any other. Raises requests.RequestException."""
        reply = self._session.request(
            method, urljoin(self.base, path), timeout=PATIENCE, allow_redirects=False, **more
        )
        body: Any = _body(reply)
        answer = Answered(method, path, reply.status_code, body, reply.headers)
        self.heard(answer)
        return answer


def _body(reply: requests.Response) -> Any:
    """JSON as what it says, a PDF as its bytes, the rest as text."""
    kind = reply.headers.get("Content-Type", "")
    if kind == "application/pdf":
        return reply.content
    return reply.json() if "json" in kind and reply.content else reply.text


class _Bearer(Http):
    """A client that calls with an access token and knows how to get a fresh one."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.access_token = ""
        self._documents: dict[str, Any] | None = None

    def call(self, method: str, path: str, **more: Any) -> Answered:
        """Call the API; an expired access token is replaced once."""
        answer = self._with_token(method, path, **more)
        if answer.status == 401 and answer.code == "invalid_token" and self.renew():
            return self._with_token(method, path, **more)
        return answer

    def quietly(self, method: str, path: str) -> Answered:
        """The same for a question that is asked again and again: nobody hears of it."""
        heard, self.heard = self.heard, lambda answer: None
        try:
            return self.call(method, path)
        finally:
            self.heard = heard

    def renew(self) -> bool:
        """Get a fresh access token without a person; says whether that worked. By itself a client cannot."""
        return False

    def metadata(self) -> dict[str, Any]:
        """The server's own description (RFC 8414), which must be about the server that was asked.

        Raises:
            ClientFailed: it speaks of another issuer.
        """
        if self._documents is None:
            found = self.send("GET", "/.well-known/oauth-authorization-server").body
            if not isinstance(found, dict) or found.get("issuer") != self.base:
                raise ClientFailed("the metadata speaks of another issuer")
            self._documents = found
        return self._documents

    def _with_token(self, method: str, path: str, **more: Any) -> Answered:
        headers = {"Authorization": f"Bearer {self.access_token}", "Accept-Language": "vi"}
        return self.send(method, path, headers=headers | more.pop("headers", {}), **more)

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        answer = self.send("POST", urlsplit(self.metadata()["token_endpoint"]).path, data=form)
        if answer.status != 200:
            raise ClientFailed(f"the token endpoint answered {answer.status} {answer.code}")
        found: dict[str, Any] = answer.body
        self.access_token = found["access_token"]
        return found


class _PersonApp(_Bearer):
    """An app that signs a person in: code with PKCE, `state` and `iss` checked, refresh by rotation."""

    client_id = ""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self._refresh_token = ""

    def sign_in(self, person: str) -> dict[str, Any]:
        """Sign a demo person in through a browser of its own; the token answer.

        Raises:
            ClientFailed: refused, or an answer was not meant for this app.
        """
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECTS[self.client_id],
            "state": state,
            "code_challenge": _b64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        begin = f"{self.metadata()['authorization_endpoint']}?{urlencode(asked)}"
        told = _in_browser(begin, asked["redirect_uri"], person)
        if told.get("state") != state or told.get("iss") != self.metadata()["issuer"]:
            raise ClientFailed("the answer is not one to our question (state or iss)")
        if "code" not in told:
            raise ClientFailed(
                f"refused: {told.get('error', '')} {told.get('error_description', '')}".strip()
            )
        form = {"grant_type": "authorization_code", "code": told["code"], "code_verifier": verifier}
        return self._keep(form | {"redirect_uri": asked["redirect_uri"]})

    def renew(self) -> bool:
        """Exchange the refresh token."""
        if not self._refresh_token:
            return False
        self._keep({"grant_type": "refresh_token", "refresh_token": self._refresh_token})
        return True

    def _keep(self, form: dict[str, str]) -> dict[str, Any]:
        answer = self._token(form | {"client_id": self.client_id})
        self._refresh_token = answer["refresh_token"]
        return answer


class CitizenApp(_PersonApp):
    """The citizen's app on a phone."""

    client_id = WALLET_APP


class OpsConsole(_PersonApp):
    """The operator's console."""

    client_id = OPS_CONSOLE


class ProviderSystem(_Bearer):
    """A hospital's, station's or insurer's own system, with its own key. `now` stamps what it signs."""

    def __init__(self, base: str, organisation: str, key: bytes, now: Callable[[], datetime]) -> None:
        super().__init__(base)
        self.client_id = provider_client(organisation)
        self._signer: Signer = signer_from_pem(key)
        self._now = now
        self._practitioner: str | None = None

    def sign_in(self, practitioner: str | None = None) -> str:
        """A token of the organisation, exchanged for one that names who reads where one is named.

        Raises:
            ClientFailed: the key, or the practitioner, is not accepted.
        """
        self._practitioner = practitioner
        own = self._token({"grant_type": "client_credentials"} | self._proof())["access_token"]
        if practitioner is not None:
            self._token(
                {
                    "grant_type": _EXCHANGE,
                    "subject_token": own,
                    "subject_token_type": _ACCESS_TOKEN,
                    "actor_token": self._signed(practitioner),
                    "actor_token_type": _JWT,
                }
                | self._proof()
            )
        return self.access_token

    def renew(self) -> bool:
        """Prove itself again; provider tokens have no refresh."""
        self.sign_in(self._practitioner)
        return True

    def file_bundle(self, bundle: Mapping[str, Any]) -> Answered:
        """Send a FHIR bundle."""
        raw = json.dumps(bundle, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/fhir+json"}
        return self.call("POST", "/api/v1/provider/intake/fhir-bundles", data=raw, headers=headers)

    def file_visits(self, raw: bytes) -> Answered:
        """Send a visit file of the health insurance."""
        headers = {"Content-Type": "application/xml"}
        return self.call("POST", "/api/v1/provider/intake/insurance-xml", data=raw, headers=headers)

    def _proof(self) -> dict[str, str]:
        proof = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": self._signed(self.client_id)}
        return proof | {"client_id": self.client_id}

    def _signed(self, subject: str) -> str:
        now = self._now()
        claims = {
            "iss": self.client_id,
            "sub": subject,
            "aud": self.metadata()["issuer"],
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
            "jti": new_id(),
        }
        return sign_compact(self._signer, json.dumps(claims).encode(), typ="JWT")


def _in_browser(begin: str, until: str, person: str) -> dict[str, str]:
    """What comes back to the app when a browser follows the sign-in and `person` signs in on the way."""
    home, address = urlsplit(begin).netloc, begin
    with requests.Session() as browser:
        browser.trust_env = False
        for _ in range(_STEPS):
            if urlsplit(address).netloc != home:
                address = f"{address}&{urlencode({'login_hint': person})}"
            reply = browser.get(address, timeout=PATIENCE, allow_redirects=False)
            if "Location" not in reply.headers:
                raise ClientFailed(
                    f"the sign-in stopped at a page (status {reply.status_code}); is this a demo person"
                )
            address = urljoin(address, reply.headers["Location"])
            if address.startswith(f"{until}?"):
                return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    raise ClientFailed("the sign-in goes round in circles")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
