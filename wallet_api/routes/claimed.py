"""Who a token request says it is, before anything is proven: good for choosing a budget, for nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping

from wallet_api.infra.crypto.framing import from_base64url

_LARGEST = 4096
_LONGEST = 128


def claimed_client(form: Mapping[str, str]) -> str:
    """The client named in the form, or in the statement it signed."""
    return (form.get("client_id") or _subject(form.get("client_assertion", "")))[:_LONGEST]


def claimed_practitioner(form: Mapping[str, str]) -> str:
    """The practitioner named in a token exchange; empty in any other request."""
    return _subject(form.get("actor_token", ""))[:_LONGEST]


def _subject(token: str) -> str:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LARGEST:
        return ""
    try:
        said = json.loads(from_base64url(parts[1]))
    except (ValueError, RecursionError):
        return ""
    named = said.get("sub") if isinstance(said, dict) else None
    return named if isinstance(named, str) else ""
