"""The last look before an answer is handed to the server: whatever was read under consent must still be.

`hold` notes the fence of a permitted read, `hold_guardian` for whom a guardian reads; `release` runs after
every other hook, with the answer fully built, and asks once more. If the consent or the guardianship ended
meanwhile, the answer becomes a refusal and its bytes are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, request

from consent.access import Fence
from consent.errors import ConsentEnded
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import Action, AuditEvent
from wallet_api.context import services, viewer
from wallet_api.errors import problem, problem_of
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.records.errors import RecordNotFound

_CANNOT_ASK: tuple[type[Exception], ...] = (*DATABASE_ERRORS, LogUnavailable)
_ORIGINS: Final = ("Access-Control-", "Cross-Origin-")
_READING: Final = frozenset({"GET", "HEAD"})


def hold(fence: Fence) -> None:
    """This answer holds data read under consent: check the fence before it leaves."""
    g.setdefault("fences", []).append(fence)


def hold_guardian(guardian_id: str, dependent_id: str) -> None:
    """This answer holds what a guardian may see of a dependent: check that they still are one."""
    g.setdefault("guardianships", set()).add((guardian_id, dependent_id))


Check = Callable[[], Exception | None]
"""Says what stands in the way of handing an answer over now; None: nothing."""


def hold_until(check: Check) -> None:
    """This answer holds what was read under another condition: ask once more before it leaves."""
    g.setdefault("checks", []).append(check)


Dress = Callable[[Response], Response]


def release_last(app: Flask, dress: Dress) -> None:
    """Make the last look the last thing that happens to an answer; call before any other hook is registered.

    `dress` gives a refusal that takes an answer's place what the answer had: headers and its log line.
    """

    def last(answer: Response) -> Response:
        released = release(answer)
        return answer if released is answer else dress(released)

    # Hooks run in the reverse order of registration.
    app.after_request(last)


def release(answer: Response) -> Response:
    """The answer, or a refusal in its place when what it was read under is over or cannot be asked."""
    fences, guardianships = g.pop("fences", ()), g.pop("guardianships", ())
    checks: list[Check] = g.pop("checks", [])
    if answer.status_code >= 400:
        return answer  # a refusal holds no data, and a database that is away need not be asked a second time
    try:
        for fence in fences:
            if not services().access.still_holds(fence):
                return _stopped(fence)
        # What a guardian did is done; only what they are shown can still be kept from them.
        if request.method in _READING and not all(map(_still_acts, guardianships)):
            return problem_of(RecordNotFound("ended"))
        for why in filter(None, (check() for check in checks)):
            return _for_all_origins(problem_of(why), answer)
    except _CANNOT_ASK:
        return problem("unavailable", 503)
    return answer


def _for_all_origins(refusal: Response, answer: Response) -> Response:
    """The refusal, readable from wherever the answer would have been."""
    for name, value in answer.headers:
        if name.startswith(_ORIGINS):
            refusal.headers[name] = value
    return refusal


def _still_acts(pair: tuple[str, str]) -> bool:
    return services().identity.family.acts_for(*pair, services().now())


def _stopped(fence: Fence) -> Response:
    """The refusal in the answer's place. A consent still in force may be read under again at once: the same
    words as for a database that is busy, so that nobody learns that something was hidden."""
    if services().access.begin_again(fence):
        _log_stop(fence, "changed_while_reading")
        return problem("unavailable", 503)
    _log_stop(fence, "ended_while_reading")
    return problem_of(ConsentEnded("ended"))


def _log_stop(fence: Fence, reason: str) -> None:
    who, session = viewer(), fence.session
    event = AuditEvent(
        at=services().now(),
        request_id=who.request_id,
        action=Action.ACCESS_ENDED,
        actor_kind=who.kind,
        actor_id=who.id,
        decision="refuse",
        reason=reason,
        citizen_id=session.citizen_id,
        organisation_id=session.organisation_id,
        practitioner_id=session.practitioner_id,
        purpose=session.purpose,
        client_id=who.client_id,
    )
    services().log.append(event)
