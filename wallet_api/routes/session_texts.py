"""Access sessions as their holders carry them: sealed, bound to organisation and practitioner."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consent.access import AccessSession
from wallet_api.context import caller, services
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.records.errors import SessionRefused
from wallet_api.routes.idempotency import note
from wallet_api.routes.references import organisation_id


def session_text(opened: AccessSession) -> str:
    """The session, sealed for the calling practitioner."""
    return services().cursors.seal(_state(opened), bound_to=_binding(), expires=opened.expires_at)


def session_in(text: str) -> AccessSession:
    """The session in a text.

    Raises:
        SessionRefused: it is none of the caller's, or over.
    """
    try:
        state = services().cursors.open(text, _binding(), services().now())
    except BadCursor as why:
        raise SessionRefused("access_session") from why
    return _session_of(state)


def note_session(opened: AccessSession) -> None:
    """Keep with the act under way what session it is about to open."""
    state = _state(opened)
    note(**state | {"grants": " ".join(state["grants"])})


def noted_session(noted: Mapping[str, str] | None) -> AccessSession | None:
    """The session that an earlier run of the act noted."""
    return _session_of({**noted, "grants": noted["grants"].split()}) if noted else None


def _state(opened: AccessSession) -> dict[str, Any]:
    return {
        "citizen": opened.citizen_id,
        "purpose": opened.purpose,
        "grants": sorted(opened.grant_ids),
        "expires_at": opened.expires_at.isoformat(),
        "mode": opened.mode,
    }


def _binding() -> tuple[str, ...]:
    return ("access-session", organisation_id(), caller().practitioner_id or "")


def _session_of(state: Mapping[str, Any]) -> AccessSession:
    return AccessSession(
        citizen_id=state["citizen"],
        organisation_id=organisation_id(),
        practitioner_id=caller().practitioner_id or "",
        purpose=state["purpose"],
        grant_ids=frozenset(state["grants"]),
        expires_at=datetime.fromisoformat(state["expires_at"]),
        mode=state.get("mode", "VIEW"),
    )
