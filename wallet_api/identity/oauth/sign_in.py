"""Signing people in: from /oauth/authorize over the upstream provider to our one-time code."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidScopeError

from wallet_api.identity.errors import (
    IdentityError,
    SignInExpired,
    UpstreamRefused,
    UpstreamUnavailable,
)
from wallet_api.identity.oauth.model import Answer, Client, LoginAttempt, SignedIn, Upstream, digest
from wallet_api.identity.oauth.pages import problem_page
from wallet_api.identity.oauth.requests import FormRequest, single_parameters
from wallet_api.identity.oauth.scopes import NothingGranted, narrowed
from wallet_api.identity.oauth.server import NO_STORE, WalletServer
from wallet_api.identity.oidc.claims import account_of, authenticated_at, level, ops_member, person_claims
from wallet_api.identity.oidc.provider import Ask, OpenIdProvider
from wallet_api.identity.people import People
from wallet_api.identity.ports import LoginAttemptStore

ATTEMPT_LIFE = timedelta(minutes=5)
_COOKIE = "wallet-login-"


@dataclass(frozen=True)
class SignIn:
    """The two steps of a sign-in. The browser's cookie is the secret from which nonce and PKCE verifier are
    derived, so nothing stored is worth stealing, and nobody without that cookie can finish the sign-in."""

    server: WalletServer
    attempts: LoginAttemptStore
    providers: Mapping[Upstream, OpenIdProvider]
    people: People
    claim_names: Mapping[str, str]
    dev: bool

    def begin(self, query: Iterable[tuple[str, str]]) -> Answer:
        """Check an app's request and send the browser to the upstream provider, bound by a cookie."""
        try:
            request = FormRequest("GET", self.server.desk.issuer, single_parameters(query))
            grant = self.server.get_consent_grant(request)
            scope = _scope(grant.client.registered, request)
        except OAuth2Error as error:
            return self._refusal(error)
        upstream: Upstream = "ops" if grant.client.registered.kind == "ops" else "vneid"
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        attempt = LoginAttempt(
            state_digest=digest(state),
            browser_digest=digest(browser),
            upstream=upstream,
            client_id=grant.client.client_id,
            redirect_uri=request.parameters["redirect_uri"],
            app_state=request.parameters["state"],
            code_challenge=request.parameters["code_challenge"],
            started_at=self.server.desk.now(),
            scope=scope,
        )
        try:
            address = self._provider(upstream).address(_ask(state, browser, attempt))
        except (UpstreamUnavailable, UpstreamRefused):
            return self._refuse_at_app(attempt, "temporarily_unavailable")
        self.attempts.add(attempt)
        headers = (("Location", address), *NO_STORE)
        return Answer(302, "", headers, set_cookie=(self.cookie_name(state), browser))

    def finish(
        self, upstream: Upstream, query: Iterable[tuple[str, str]], cookies: Mapping[str, str]
    ) -> Answer:
        """Check the upstream's answer and give the app our one-time code, or a refusal."""
        try:
            told = single_parameters(query)
            state = told.get("state", "")
            browser = cookies.get(self.cookie_name(state), "")
            attempt = self._taken(upstream, state, browser)
        except (OAuth2Error, SignInExpired):
            return problem_page(SignInExpired.code)
        answer = self._answered(attempt, _ask(state, browser, attempt), told)
        return Answer(answer.status, answer.body, answer.headers, drop_cookie=self.cookie_name(state))

    def cookie_name(self, state: str) -> str:
        """One cookie an attempt, so that two tabs do not disturb each other; host-locked outside dev."""
        return f"{'' if self.dev else '__Host-'}{_COOKIE}{digest(state)[:16]}"

    def _taken(self, upstream: Upstream, state: str, browser: str) -> LoginAttempt:
        attempt = self.attempts.take(digest(state)) if state and browser else None
        if attempt is None or attempt.upstream != upstream:
            raise SignInExpired("unknown or used")
        if not hmac.compare_digest(attempt.browser_digest, digest(browser)):
            raise SignInExpired("another browser")
        if self.server.desk.now() >= attempt.started_at + ATTEMPT_LIFE:
            raise SignInExpired("too old")
        return attempt

    def _answered(self, attempt: LoginAttempt, ask: Ask, told: Mapping[str, str]) -> Answer:
        try:
            provider = self._provider(attempt.upstream)
            deadline = provider.deadline()
            if not provider.names_right_issuer(told.get("iss"), deadline):
                raise UpstreamRefused("iss")
            if "error" in told or "code" not in told:
                denied = told.get("error") == "access_denied"
                return self._refuse_at_app(attempt, "access_denied" if denied else "server_error")
            person = self._person(attempt.upstream, provider.claims(told["code"], ask, deadline))
            return self._code_for(attempt, person)
        except UpstreamUnavailable:
            return self._refuse_at_app(attempt, "temporarily_unavailable")
        except IdentityError as refusal:
            return self._refuse_at_app(attempt, "access_denied", refusal.code)
        except OAuth2Error as error:
            return self._refusal(error)

    def _person(self, upstream: Upstream, claims: Mapping[str, object]) -> SignedIn:
        if upstream == "ops":
            return ops_member(claims)
        citizen_id = self.people.sign_in(account_of(claims), person_claims(claims, self.claim_names))
        return SignedIn("citizen", citizen_id, level(claims), authenticated_at(claims))

    def _code_for(self, attempt: LoginAttempt, person: SignedIn) -> Answer:
        parameters = {
            "response_type": "code",
            "client_id": attempt.client_id,
            "redirect_uri": attempt.redirect_uri,
            "state": attempt.app_state,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
            "scope": attempt.scope,
        }
        request = FormRequest("GET", self.server.desk.issuer, parameters)
        # The client is checked anew: it may have been suspended while the person signed in.
        grant = self.server.get_consent_grant(request)
        answer: Answer = self.server.create_authorization_response(request, person, grant)
        location = dict(answer.headers)["Location"]
        named = add_params_to_uri(location, [("iss", self.server.desk.issuer)])
        return Answer(302, "", (("Location", named), *NO_STORE))

    def _refuse_at_app(self, attempt: LoginAttempt, error: str, reason: str = "") -> Answer:
        return self.server.refusal_at(attempt.redirect_uri, attempt.app_state, error, reason)

    def _refusal(self, error: OAuth2Error) -> Answer:
        if error.redirect_uri:
            return self.server.refusal_at(error.redirect_uri, error.state, error.error)
        return problem_page("bad_sign_in_request")

    def _provider(self, upstream: Upstream) -> OpenIdProvider:
        found = self.providers.get(upstream)
        if found is None:
            raise UpstreamUnavailable("not configured")
        return found


def _ask(state: str, browser: str, attempt: LoginAttempt) -> Ask:
    return Ask(state, _derived(browser, "nonce", state), _derived(browser, "pkce", state), attempt.started_at)


def _derived(browser: str, purpose: str, state: str) -> str:
    found = hmac.digest(browser.encode("ascii", "replace"), f"{purpose} {state}".encode(), hashlib.sha256)
    return urlsafe_b64encode(found).rstrip(b"=").decode("ascii")


def _scope(client: Client, request: FormRequest) -> str:
    """What an app's session is narrowed to. Nobody else's is."""
    if client.kind != "app":
        return ""
    try:
        return narrowed(request.parameters.get("scope", ""))
    except NothingGranted as why:
        raise InvalidScopeError(redirect_uri=request.parameters["redirect_uri"]) from why
