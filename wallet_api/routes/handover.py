"""The last look before an answer is handed to the server: whatever was read under consent must still be.

`hold` notes the fence of a permitted read; `release` runs after every other hook, with the answer fully
built, and asks once more. If the consent ended meanwhile, the answer becomes a refusal and its bytes are
dropped.
"""

from __future__ import annotations

from flask import Flask, Response, g

from consent.access import Fence
from consent.errors import ConsentEnded
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action, AuditEvent
from wallet_api.context import services, viewer
from wallet_api.errors import problem, problem_of
from wallet_api.infra.mongo import DATABASE_ERRORS

_CANNOT_ASK: tuple[type[Exception], ...] = (*DATABASE_ERRORS, LogUnavailable)


def hold(fence: Fence) -> None:
    """This answer holds data read under consent: check the fence before it leaves."""
    g.setdefault("fences", []).append(fence)


def release_last(app: Flask) -> None:
    """Make `release` the last thing that happens to an answer. Call before any other hook is registered."""
    # Hooks run in the reverse order of registration.
    app.after_request(release)


def release(answer: Response) -> Response:
    """The answer, or a refusal in its place when what it was read under is over or cannot be asked."""
    try:
        for fence in g.pop("fences", ()):
            if not services().access.still_holds(fence):
                _log_stop(fence)
                return problem_of(ConsentEnded("ended"))
    except _CANNOT_ASK:
        return problem("unavailable", 503)
    return answer


def _log_stop(fence: Fence) -> None:
    who, session = viewer(), fence.session
    event = AuditEvent(
        at=services().now(),
        request_id=who.request_id,
        action=Action.ACCESS_ENDED,
        actor_kind=who.kind,
        actor_id=who.id,
        decision="refuse",
        reason="ended_while_reading",
        citizen_id=session.citizen_id,
        organisation_id=session.organisation_id,
        practitioner_id=session.practitioner_id,
        purpose=session.purpose,
        client_id=who.client_id,
    )
    services().log.append(event)
