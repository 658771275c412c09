"""The bearer token FCM wants: made from a service account by google-auth, renewed before it expires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifications.errors import BadChannel


class CredentialRefused(Exception):
    """The token service knows our service account and says no."""


class TokenServerDown(Exception):
    """The token service could not be asked; later it may."""


class Access:
    """One service account. Not for use by several threads at once."""

    def __init__(self, account: Mapping[str, Any]) -> None:
        import requests
        from firebase_admin import credentials as firebase

        try:
            self._credential = firebase.Certificate(dict(account)).get_credential()
        except ValueError:
            raise BadChannel("fcm: the service account is not usable") from None
        self._session = requests.Session()

    def token(self) -> str:
        """A token that is good for some minutes more: google-auth calls it stale 3:45 before its end.

        Raises:
            CredentialRefused, TokenServerDown.
        """
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
        from google.auth.transport.requests import Request

        if not self._credential.valid:
            try:
                self._credential.refresh(Request(self._session))
            except TransportError:
                raise TokenServerDown from None
            except RefreshError as refusal:
                raise (TokenServerDown if refusal.retryable else CredentialRefused) from None
            except GoogleAuthError:
                raise CredentialRefused from None
        return str(self._credential.token)

    def forget(self, token: str) -> None:
        """FCM refused this one: the next is made anew. A token that has been renewed already stays."""
        if self._credential.token == token:
            self._credential.token = None
