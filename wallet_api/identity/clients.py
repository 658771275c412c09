"""Registered OAuth clients: citizen apps and the ops console (public), provider systems (private key)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from wallet_api.identity.errors import BadClient, ClientUnknown
from wallet_api.identity.model import ClientKind
from wallet_api.identity.oauth.model import Client
from wallet_api.identity.ports import ClientStore
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.settings import on_loopback

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_EXPONENT: Final = "AQAB"
"""65537, as all keys have it by now."""
_SHORTEST: Final = 2048
_LONGEST: Final = 4096
"""Bits of an RSA key; longer ones would cost whoever verifies more than they protect."""


class Clients:
    """The register of clients. `dev` allows http redirect addresses on this machine."""

    def __init__(self, clients: ClientStore, *, dev: bool) -> None:
        self._clients = clients
        self._dev = dev

    def register(
        self,
        client_id: str,
        kind: ClientKind,
        label: str,
        *,
        redirect_uris: tuple[str, ...] = (),
        jwks: Mapping[str, object] | None = None,
        organisation_id: str | None = None,
    ) -> Client:
        """Add a client. `app` and `ops` need redirect addresses, `provider` needs keys and an organisation.

        Raises:
            BadClient: an address is not a plain https one, or a key is not a public P-256 key with a kid.
            Taken: the client id is in use.
        """
        client = Client(client_id, kind, label, redirect_uris, dict(jwks or {}), organisation_id)
        self._check(client)
        self._clients.add(client)
        return client

    def get(self, client_id: str) -> Client:
        """One client, suspended ones too. Raises ClientUnknown."""
        found = self._clients.get(client_id)
        if found is None:
            raise ClientUnknown("no such client")
        return found

    def live(self, client_id: str) -> Client | None:
        """The client if it is registered and not suspended. One database operation, hit or miss."""
        found = self._clients.get(client_id)
        return found if found is not None and found.status == "active" else None

    def of_organisation(self, organisation_id: str) -> list[Client]:
        """The organisation's clients."""
        return self._clients.of_organisation(organisation_id)

    def all(self) -> list[Client]:
        """Every client, suspended ones too, by id."""
        return self._clients.all()

    def change_keys(self, client_id: str, jwks: Mapping[str, object]) -> Client:
        """Replace a provider's public keys; tokens it already holds stop working.

        Raises:
            ClientUnknown, BadClient, StaleVersion.
        """
        return self._change(replace(self.get(client_id), jwks=dict(jwks)))

    def revoke_key(self, client_id: str, kid: str | None = None) -> Client:
        """Take one key out, at once: what it signed and the tokens it got stop working. Without another key,
        or without naming one, the client itself is suspended.

        Raises:
            ClientUnknown: no such client, or no such key of it. StaleVersion.
        """
        found = self.get(client_id)
        keys = found.jwks.get("keys")
        listed = list(keys) if isinstance(keys, list) else []
        left = [each for each in listed if kid is not None and each.get("kid") != kid]
        if kid is not None and len(left) == len(listed):
            raise ClientUnknown("no such key")
        if not left:
            return self.set_status(client_id, "suspended")
        return self.change_keys(client_id, {"keys": left})

    def set_status(self, client_id: str, status: Literal["active", "suspended"]) -> Client:
        """Suspend or readmit it; its tokens stop working either way. Raises ClientUnknown, StaleVersion."""
        return self._change(replace(self.get(client_id), status=status))

    def _change(self, client: Client) -> Client:
        self._check(client)
        changed = replace(client, version=client.version + 1)
        self._clients.save(changed, expected=client.version)
        return changed

    def _check(self, client: Client) -> None:
        if client.kind == "provider":
            if client.redirect_uris or client.organisation_id is None:
                raise BadClient("a provider has an organisation and no redirect address")
            _check_keys(client.jwks)
            return
        if client.jwks or client.organisation_id is not None or not client.redirect_uris:
            raise BadClient("an app or the ops console has redirect addresses and nothing secret")
        for uri in client.redirect_uris:
            self._check_redirect(uri)

    def _check_redirect(self, uri: str) -> None:
        parts = urlsplit(uri)
        plain = uri.isascii() and uri.isprintable() and not set(uri) & set(' "\\<>')
        if not plain or parts.fragment or "#" in uri or parts.username is not None or not parts.hostname:
            raise BadClient("a redirect address is an absolute URL without user or fragment")
        if parts.scheme != "https" and not (self._dev and parts.scheme == "http" and on_loopback(uri)):
            raise BadClient("a redirect address begins with https://")


def proving_keys(jwks: Mapping[str, Any]) -> KeySet:
    """The keys a client proves itself and its statements with: the EC ones of its registered keys."""
    return KeySet.import_key_set({"keys": [each for each in jwks["keys"] if each.get("kty") == "EC"]})


def message_keys(client: Client) -> list[RSAPublicKey]:
    """The RSA keys a provider signs messages of the national platform with; with nothing else."""
    keys: Any = client.jwks.get("keys", ())
    return [RSAKey.import_key(each).public_key for each in keys if each.get("kty") == "RSA"]


def _check_keys(jwks: Mapping[str, object]) -> None:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= 8:
        raise BadClient("between one and eight public keys are needed")
    if not all(isinstance(key, dict) and not _PRIVATE & key.keys() and key.get("kid") for key in keys):
        raise BadClient("keys are public keys with a kid")
    try:
        if not all(map(_is_taken, keys)):
            raise BadClient("keys are public P-256 keys, or RSA keys for messages")
        found = KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, TypeError, KeyError) as why:
        raise BadClient("the keys cannot be read") from why
    if len({key.kid for key in found.keys}) != len(keys):
        raise BadClient("keys have different kids")
    if not any(isinstance(key, ECKey) for key in found.keys):
        raise BadClient("a P-256 key is needed: no client proves itself with an RSA key")


def _is_taken(key: Mapping[str, Any]) -> bool:
    if key.get("kty") == "EC":
        return bool(key.get("crv") == "P-256")
    bits = 8 * len(from_base64url(key["n"]).lstrip(b"\0"))
    return (key["kty"], key["alg"], key["e"]) == ("RSA", "RS256", _EXPONENT) and _SHORTEST <= bits <= _LONGEST
