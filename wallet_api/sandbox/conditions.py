"""When the sandbox may exist at all, and how production recognises it in order to refuse it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from wallet_api.settings import Settings

SANDBOX_HEADER = "Wallet-Sandbox"
SANDBOX_CLAIM = "wallet_sandbox"
MARKER_COLLECTION = "demo_marker"
MARKER_ID = "demo"


def refusal(settings: Settings, *, host: str, has_demo_marker: Callable[[], bool]) -> str | None:
    """Why the sandbox must not run here, as one sentence; None when it may.

    `host` is the address a sandbox process is about to bind. The database is asked last, so that a
    refusal for any other reason never touches it.
    """
    if settings.env != "dev":
        return "the sandbox runs only when WALLET_ENV is dev"
    if not settings.embedded:
        return "the sandbox runs only on the embedded database"
    for name, url in _addresses(settings):
        if not on_this_machine(url):
            return f"the sandbox runs only when {name} is on this machine (127.0.0.1)"
    if not _is_loopback(host):
        return "the sandbox binds only to this machine (127.0.0.1)"
    if not has_demo_marker():
        return "the sandbox runs only on a database that was seeded with demo people"
    return None


def is_sandbox_issuer(url: str) -> bool:
    """Whether an issuer URL can only be a sandbox: plain http, or any name of this machine."""
    return not url.lower().startswith("https://") or on_this_machine(url)


def is_sandbox_metadata(document: Mapping[str, object]) -> bool:
    """Whether an OpenID discovery document, or the claims of an ID token, say they are the sandbox's.

    Catches a sandbox that somebody put behind an https name, which the URL alone cannot tell.
    """
    return bool(document.get(SANDBOX_CLAIM))


def on_this_machine(url: str) -> bool:
    """Whether the URL's host is a loopback name or address; a URL that cannot be read is not."""
    try:
        return _is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def carries_demo_marker(database: Any) -> bool:
    """Whether this database was made for a demonstration: one document that no other code writes."""
    return database[MARKER_COLLECTION].find_one({"_id": MARKER_ID}) is not None


def put_demo_marker(database: Any) -> None:
    """Mark a database as made for a demonstration. Call it on an empty database only."""
    database[MARKER_COLLECTION].replace_one({"_id": MARKER_ID}, {"_id": MARKER_ID}, upsert=True)


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    named = [
        ("WALLET_PUBLIC_URL", settings.public_url),
        ("WALLET_VNEID_ISSUER", settings.vneid_issuer),
        ("WALLET_FCM_ENDPOINT", settings.fcm_endpoint),
    ]
    if settings.ops_issuer:
        named.append(("WALLET_OPS_ISSUER", settings.ops_issuer))
    return named


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
