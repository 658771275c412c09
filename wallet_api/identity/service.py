"""The identity package put together: what the wiring builds and the routes use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from authlib.oauth2 import OAuth2Error

from wallet_api.identity.authenticator import Authenticator
from wallet_api.identity.clients import Clients
from wallet_api.identity.family import Family
from wallet_api.identity.oauth.desk import Desk
from wallet_api.identity.oauth.metadata import server_metadata, smart_configuration
from wallet_api.identity.oauth.model import Answer, Upstream
from wallet_api.identity.oauth.person_grants import ChallengeS256, CodeGrant, RefreshGrant
from wallet_api.identity.oauth.provider_grants import CredentialsGrant, ExchangeGrant
from wallet_api.identity.oauth.requests import FormRequest, single_parameters
from wallet_api.identity.oauth.revocation import Revocation
from wallet_api.identity.oauth.server import WalletServer, error_answer
from wallet_api.identity.oauth.sign_in import SignIn
from wallet_api.identity.objections import Objections
from wallet_api.identity.oidc.provider import OpenIdProvider, ProviderConfig
from wallet_api.identity.organisations import Organisations
from wallet_api.identity.people import People
from wallet_api.identity.ports import (
    CitizenStore,
    ClientStore,
    CodeStore,
    GuardianshipStore,
    JtiStore,
    LoginAttemptStore,
    OrganisationStore,
    ReviewStore,
    RosterStore,
    SessionStore,
    TellCrowded,
    TellStarted,
    TellTheft,
)
from wallet_api.identity.sessions import Sessions, standing_of
from wallet_api.identity.tokens import AccessTokens
from wallet_api.infra.crypto.jws import Signer, signer_from_pem
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.settings import Settings

Document = Literal["oauth-authorization-server", "smart-configuration", "jwks.json"]
Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class IdentityStores:
    """Where everything is kept."""

    citizens: CitizenStore
    reviews: ReviewStore
    guardianships: GuardianshipStore
    organisations: OrganisationStore
    rosters: RosterStore
    clients: ClientStore
    sessions: SessionStore
    attempts: LoginAttemptStore
    codes: CodeStore
    jtis: JtiStore


@dataclass(frozen=True)
class OAuth:
    """The OAuth endpoints, free of any web framework: parameters in, `Answer` out; no error of ours."""

    server: WalletServer
    sign_in: SignIn
    keys: KeyStore
    issuer: str

    def authorize(self, query: Pairs) -> Answer:
        """GET /oauth/authorize."""
        return self.sign_in.begin(query)

    def callback(self, upstream: Upstream, query: Pairs, cookies: Mapping[str, str]) -> Answer:
        """GET /oauth/vneid/callback and /oauth/ops/callback."""
        return self.sign_in.finish(upstream, query, cookies)

    def token(self, form: Pairs) -> Answer:
        """POST /oauth/token."""
        return self._served(form, self.server.create_token_response)

    def revoke(self, form: Pairs) -> Answer:
        """POST /oauth/revoke."""
        return self._served(form, lambda request: self.server.create_endpoint_response("revocation", request))

    def document(
        self, name: Literal["oauth-authorization-server", "smart-configuration", "jwks.json"]
    ) -> Answer:
        """GET /.well-known/<name>; the keys may be held for five minutes, the rest for an hour."""
        if name == "jwks.json":
            body: Mapping[str, object] = dict(self.keys.jwks("token"))
        else:
            make = server_metadata if name == "oauth-authorization-server" else smart_configuration
            body = make(self.issuer)
        seconds = 300 if name == "jwks.json" else 3600
        return Answer(200, body, (("Cache-Control", f"public, max-age={seconds}"),))

    def _served(self, form: Pairs, serve: Callable[[FormRequest], Answer]) -> Answer:
        try:
            return serve(FormRequest("POST", self.issuer, single_parameters(form)))
        except OAuth2Error as error:
            return error_answer(error.error)


@dataclass(frozen=True)
class Identity:
    """Everything about who is who."""

    people: People
    family: Family
    objections: Objections
    organisations: Organisations
    clients: Clients
    sessions: Sessions
    tokens: AccessTokens
    authenticator: Authenticator
    oauth: OAuth
    reviews: ReviewStore


def build_identity(
    settings: Settings,
    stores: IdentityStores,
    keys: KeyStore,
    *,
    now: Callable[[], datetime],
    new_id: Callable[[], str],
    tell_theft: TellTheft,
    tell_crowded: TellCrowded,
    tell_started: TellStarted,
) -> Identity:
    """Put the services together. Nothing is connected or fetched here."""
    sessions = Sessions(
        stores.sessions,
        now,
        standing_of(stores.citizens),
        tell=tell_theft,
        tell_crowded=tell_crowded,
        tell_started=tell_started,
    )
    people = People(stores.citizens, stores.reviews, now, new_id, sessions.end_all)
    clients = Clients(stores.clients, dev=settings.dev)
    organisations = Organisations(stores.organisations, stores.rosters, clients, now)
    tokens = AccessTokens(settings.public_url, keys, now)
    desk = Desk(
        issuer=settings.public_url,
        clients=clients,
        organisations=organisations,
        sessions=sessions,
        tokens=tokens,
        codes=stores.codes,
        jtis=stores.jtis,
        now=now,
        new_id=new_id,
    )
    server = _server(desk)
    providers = _providers(settings, keys, now, new_id)
    sign_in = SignIn(server, stores.attempts, providers, people, settings.vneid_claims, settings.dev)
    return Identity(
        people=people,
        family=Family(stores.guardianships, people, now, new_id),
        objections=Objections(stores.guardianships, now),
        organisations=organisations,
        clients=clients,
        sessions=sessions,
        tokens=tokens,
        authenticator=Authenticator(tokens, sessions, clients, organisations, now),
        oauth=OAuth(server, sign_in, keys, settings.public_url),
        reviews=stores.reviews,
    )


def _server(desk: Desk) -> WalletServer:
    server = WalletServer(desk)
    server.register_grant(CodeGrant, [ChallengeS256(required=True)])
    for grant in (RefreshGrant, CredentialsGrant, ExchangeGrant):
        server.register_grant(grant)
    server.register_endpoint(Revocation)
    return server


def _providers(
    settings: Settings, keys: KeyStore, now: Callable[[], datetime], new_id: Callable[[], str]
) -> dict[Upstream, OpenIdProvider]:
    base, dev = settings.public_url, settings.dev
    found: dict[Upstream, OpenIdProvider] = {}
    if settings.vneid_issuer:
        vneid = ProviderConfig(
            settings.vneid_issuer,
            settings.vneid_client_id,
            f"{base}/oauth/vneid/callback",
            settings.vneid_levels,
            dev,
        )
        vneid_signer = _signer(settings.vneid_client_key, lambda: keys.signer("vneid_client"))
        found["vneid"] = OpenIdProvider(vneid, vneid_signer, now, new_id)
    if settings.ops_issuer:
        ops = ProviderConfig(
            settings.ops_issuer, settings.ops_client_id, f"{base}/oauth/ops/callback", None, dev
        )
        ops_signer = _signer(settings.ops_client_key, lambda: keys.signer("ops_client"))
        found["ops"] = OpenIdProvider(ops, ops_signer, now, new_id)
    return found


def _signer(pem: Path | None, own: Callable[[], Signer]) -> Callable[[], Signer]:
    """The key registered at a provider: the operator's own file where one is named, else the key store's."""
    if pem is None:
        return own
    signer = signer_from_pem(pem.read_bytes())
    return lambda: signer
