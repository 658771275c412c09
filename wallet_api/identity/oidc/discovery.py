"""What an OpenID provider publishes: endpoints and keys, pinned to its issuer, held ten minutes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from wallet_api.identity.errors import UpstreamRefused, UpstreamUnavailable
from wallet_api.identity.oidc.breaker import Breaker
from wallet_api.identity.oidc.transport import Deadline, bound
from wallet_api.settings import on_loopback

HELD_SECONDS = 600.0
REFETCH_SECONDS = 60.0
_MOST_KEYS = 64
_SANDBOX_CLAIM = "wallet_sandbox"

Key = ECKey | RSAKey


@dataclass(frozen=True)
class Endpoints:
    """Where the provider is spoken to. `names_itself`: its answers carry `iss` (RFC 9207)."""

    authorization: str
    token: str
    jwks: str
    names_itself: bool


class Discovery:
    """One provider's metadata and keys. Thread-safe.

    Held for ten minutes; an unknown key id fetches the keys anew, at most once a minute.
    `dev` allows http on this machine and the sandbox.
    """

    def __init__(
        self, issuer: str, breaker: Breaker, *, dev: bool, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._breaker = breaker
        self._dev = dev
        self._tick = tick
        self._lock = threading.Lock()
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, dict[str, Key]] | None = None

    def endpoints(self, deadline: Deadline) -> Endpoints:
        """Where to go.

        Raises:
            UpstreamUnavailable: it cannot be read.
            UpstreamRefused: it is another issuer's, leaves https, or is a sandbox's outside development.
        """
        held = self._endpoints
        if held is None or self._tick() - held[0] > HELD_SECONDS:
            found = self._checked(self._fetched(f"{self._issuer}/.well-known/openid-configuration", deadline))
            self._endpoints = held = (self._tick(), found)
        return held[1]

    def key(self, kid: str, deadline: Deadline) -> Key:
        """The provider's key of that id.

        Raises:
            UpstreamUnavailable: the keys cannot be read.
            UpstreamRefused: it has no such key.
        """
        if not self._lock.acquire(timeout=_left(deadline)):
            raise UpstreamUnavailable("the provider's keys are still being fetched")
        try:
            held = self._keys
            age = HELD_SECONDS * 2 if held is None else self._tick() - held[0]
            unknown = held is not None and kid not in held[1]
            if held is None or age > HELD_SECONDS or (unknown and age > REFETCH_SECONDS):
                address = self.endpoints(deadline).jwks
                self._keys = held = (self._tick(), _keys_by_kid(self._fetched(address, deadline)))
        finally:
            self._lock.release()
        found = held[1].get(kid)
        if found is None:
            raise UpstreamRefused("the provider has no such key")
        return found

    def _fetched(self, url: str, deadline: Deadline) -> Mapping[str, Any]:
        with self._breaker.exchange():
            return fetch_json(url, deadline)

    def _checked(self, document: Mapping[str, Any]) -> Endpoints:
        if document.get("issuer") != self._issuer:
            raise UpstreamRefused("the metadata is another issuer's")
        if document.get(_SANDBOX_CLAIM) and not self._dev:
            raise UpstreamRefused("a sandbox is for development only")
        urls = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(isinstance(url, str) and self._reachable(url) for url in urls):
            raise UpstreamRefused("the metadata names an address that is not https")
        names_itself = document.get("authorization_response_iss_parameter_supported") is True
        return Endpoints(str(urls[0]), str(urls[1]), str(urls[2]), names_itself)

    def _reachable(self, url: str) -> bool:
        return urlsplit(url).scheme == "https" or (self._dev and on_loopback(url))


def fetch_json(url: str, deadline: Deadline) -> Mapping[str, Any]:
    """A small JSON object at a configured address; redirects are not followed, proxies not used.

    Raises:
        UpstreamUnavailable: no such answer before the deadline.
    """
    try:
        with requests.Session() as session:
            bound(session, deadline)
            answer = session.get(url, allow_redirects=False)
        document = json.loads(answer.content) if answer.status_code == 200 else None
    except (OSError, ValueError, RecursionError) as why:
        raise UpstreamUnavailable("the sign-in provider does not answer") from why
    if not isinstance(document, dict):
        raise UpstreamUnavailable("the sign-in provider answers something else")
    return document


def _left(deadline: Deadline) -> float:
    try:
        return deadline.left()
    except OSError as why:
        raise UpstreamUnavailable("the sign-in provider takes too long") from why


def _keys_by_kid(document: Mapping[str, Any]) -> dict[str, Key]:
    found: dict[str, Key] = {}
    members = document.get("keys")
    for member in members[:_MOST_KEYS] if isinstance(members, list) else []:
        if not isinstance(member, dict) or member.get("use", "sig") != "sig" or not member.get("kid"):
            continue
        if member.get("kty") not in ("EC", "RSA"):
            continue  # a shared secret has no place in a public document
        try:
            key = KeySet.import_key_set({"keys": [member]}).keys[0]
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # a key of a kind we do not know is none of ours to judge
        if isinstance(key, ECKey | RSAKey):
            found[str(member["kid"])] = key
    return found
