"""JWTs that a provider signs with its own key: client assertions (RFC 7523) and actor tokens (RFC 8693)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from wallet_api.identity.clients import proving_keys
from wallet_api.identity.model import LEEWAY
from wallet_api.identity.oauth.desk import Desk
from wallet_api.identity.oauth.model import Client

METHOD = "private_key_jwt"
LONGEST_LIFE = timedelta(minutes=5)
_LARGEST = 4096
_LONGEST_JTI = 128


class BadAssertion(Exception):
    """A signed statement of a provider does not hold; the text says which part, never its content."""


def verified_assertion(assertion: str, client: Client, desk: Desk) -> Mapping[str, Any]:
    """The claims of a JWT by one of the client's registered keys: for us, now, for the first time.

    `iss` is the client; `aud` our issuer or token endpoint; `exp` within five minutes by our clock; `jti`
    new. The subject is left to the caller.

    Raises:
        BadAssertion: any of that does not hold.
    """
    if len(assertion) > _LARGEST or not assertion.isascii():
        raise BadAssertion("form")
    try:
        header = jws.extract_compact(assertion.encode("ascii")).headers()
        if "crit" in header or not isinstance(header.get("kid"), str):
            raise BadAssertion("header")
        claims = jwt.decode(assertion, _key_set(client), algorithms=["ES256"]).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as why:
        raise BadAssertion("signature") from why
    _check(claims, client, desk)
    return claims


def _key_set(client: Client) -> jwk.KeySet:
    return proving_keys(client.jwks)


def _check(claims: Mapping[str, Any], client: Client, desk: Desk) -> None:
    if claims.get("iss") != client.id:
        raise BadAssertion("iss")
    audience = claims.get("aud")
    if (audience if isinstance(audience, str) else None) not in desk.audiences:
        raise BadAssertion("aud")
    ends, now = claims.get("exp"), desk.now()
    if type(ends) is not int or not now - LEEWAY < _at(ends) <= now + LONGEST_LIFE + LEEWAY:
        raise BadAssertion("exp")
    for name in ("iat", "nbf"):
        moment = claims.get(name, 0)
        if type(moment) is not int or _at(moment) > now + LEEWAY:
            raise BadAssertion(name)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise BadAssertion("jti")
    if not desk.jtis.use(client.id, jti, _at(ends) + LEEWAY):
        raise BadAssertion("jti used before")


def _at(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as why:
        raise BadAssertion("time") from why


class ClientAssertion(JWTBearerClientAssertion):
    """Authlib's client authentication by signed JWT, judged by our clock and our single-use ids."""

    CLIENT_AUTH_METHOD = METHOD

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def __call__(self, query_client: Any, request: Any) -> Any:
        """The client, or None where there is no assertion.

        Raises:
            InvalidClientError: there is one and it does not hold, or names another client than `client_id`.
        """
        try:
            client = super().__call__(query_client, request)
        except (ValueError, TypeError, KeyError, RecursionError) as why:
            raise InvalidClientError() from why
        if client is not None and request.form.get("client_id") not in (None, client.client_id):
            raise InvalidClientError()
        return client

    def resolve_client_public_key(self, client: Any) -> jwk.KeySet:
        """The client's registered keys; a client without any authenticates never."""
        if not client.registered.jwks:
            raise InvalidClientError("The client has no keys.")
        return _key_set(client.registered)

    def process_assertion_claims(self, assertion: str, _key: object) -> Mapping[str, Any]:
        """Verify signature and claims. Authlib's own check would read the machine's clock.

        Raises:
            InvalidClientError: something does not hold.
        """
        claims: Mapping[str, Any] = self.extract_assertion(assertion)[1]
        client = self._desk.clients.live(str(claims.get("sub")))
        if client is None:
            raise InvalidClientError("The client is not known.")
        try:
            return verified_assertion(assertion, client, self._desk)
        except BadAssertion as why:
            raise InvalidClientError("The client assertion does not hold.") from why
