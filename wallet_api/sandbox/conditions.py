"""When the sandbox may exist at all, and the marks by which it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wallet_api.settings import Settings, loopback_host, on_loopback

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
        if not on_loopback(url):
            return f"the sandbox runs only when {name} is on this machine (127.0.0.1)"
    if not loopback_host(host):
        return "the sandbox binds only to this machine (127.0.0.1)"
    if not has_demo_marker():
        return "the sandbox runs only on a database that was seeded with demo people"
    return None


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
