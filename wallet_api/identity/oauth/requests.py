"""Requests to the OAuth endpoints, free of any web framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

_LONGEST = 8192
_FORBIDDEN = frozenset('"\\')
_READ = frozenset(
    {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "prompt", "max_age"),
        *("code_challenge", "code_challenge_method", "code", "iss", "error"),
        *("grant_type", "code_verifier", "refresh_token", "client_assertion", "client_assertion_type"),
        *("subject_token", "subject_token_type", "actor_token", "actor_token_type"),
        *("requested_token_type", "token", "token_type_hint"),
    }
)


class FormRequest(OAuth2Request):
    """One request as Authlib sees it: its parameters, each given once."""

    def __init__(self, method: str, issuer: str, parameters: Mapping[str, str]) -> None:
        super().__init__(method, issuer, headers={})
        self.payload = BasicOAuth2Payload(dict(parameters))
        self.parameters = dict(parameters)

    @property
    def form(self) -> dict[str, str]:
        """The form fields."""
        return self.parameters

    @property
    def args(self) -> dict[str, str]:
        """The query parameters."""
        return self.parameters


def single_parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters we read, none repeated (RFC 6749 section 3.1), all printable ASCII.

    Others are ignored, as RFC 6749 demands: a provider may well add a text in Vietnamese. Quotes and
    backslashes are refused because Authlib puts some values into its error texts, which may hold neither.

    Raises:
        InvalidRequestError: one is repeated, too long, or holds another character.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in _READ:
            continue
        plain = value.isascii() and value.isprintable() and not _FORBIDDEN & set(value)
        if name in found or len(value) > _LONGEST or not plain:
            raise InvalidRequestError("A parameter is repeated, too long or holds a forbidden character.")
        if value:
            found[name] = value
    return found
