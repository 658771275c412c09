"""Idempotency-Key at the edge: a creating POST sent twice with one key has one effect and one answer.

A view under `once` asks `again()` whether its act was begun before. If so it looks for what is there, by
what was noted and by `act_id`, judges anew whether the caller may have it, and answers from that: no
answer is ever kept. Without the header nothing of this happens.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import g, request

from wallet_api.context import caller, services
from wallet_api.errors import Refusal
from wallet_api.infra.crypto.framing import framed
from wallet_api.infra.idempotency import Noted, Turn
from wallet_api.infra.ids import new_id

HEADER = "Idempotency-Key"
_LONGEST = 255
View = TypeVar("View", bound=Callable[..., Any])


def once(view: View) -> View:
    """Let a view take the header. Put it nearest to the view: the body has been judged when it begins."""

    @wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        turn = services().turns.begin(_scope(_checked(key)), _fingerprint())
        g.turn = turn
        try:
            answer = view(*args, **kwargs)
        except Exception:
            if not turn.done:
                services().turns.leave(turn)
            raise
        if not turn.done:
            services().turns.finish(turn)
        return answer

    run.takes_idempotency_key = True  # type: ignore[attr-defined]  # what the published document looks for
    return run  # type: ignore[return-value]  # it is called as the view is


def again() -> Noted | None:
    """What an earlier run of this act noted, empty if nothing; None when there was no earlier run."""
    turn: Turn | None = g.get("turn")
    return turn.noted if turn is not None and turn.again else None


def done() -> bool:
    """Whether an earlier run of this act came to its end."""
    turn: Turn | None = g.get("turn")
    return turn is not None and turn.done


def act_id(what: str = "made") -> str:
    """The id of what this act creates: the same in each run of it; without a key a new one."""
    turn: Turn | None = g.get("turn")
    return new_id() if turn is None else turn.id_of(what)


def act_secret(what: str) -> bytes:
    """32 random bytes, the same in each run of this act. A copy of the database does not tell them."""
    turn: Turn | None = g.get("turn")
    if turn is None:
        return secrets.token_bytes(32)
    told = services().blind.label_token(f"act|{what}|{turn.secret(what).hex()}")
    return hashlib.sha256(told.encode()).digest()


def act_token() -> str | None:
    """What names this act wherever it is counted; None without a key."""
    turn: Turn | None = g.get("turn")
    return None if turn is None else turn.id_of("act")


def note(**noted: str) -> None:
    """Keep references to what the act is about to touch, durably, before it does."""
    turn: Turn | None = g.get("turn")
    if turn is not None and not turn.done:
        services().turns.note(turn, noted)


def _checked(key: str) -> str:
    if 1 <= len(key) <= _LONGEST and all("!" <= each <= "~" for each in key):
        return key
    raise Refusal("malformed_request", 400, [{"pointer": f"/{HEADER}", "code": "form", "message": ""}])


def _scope(key: str) -> str:
    """The row of this caller, route and key. Nobody's key is another's."""
    who = caller()
    names = (who.kind, who.subject_id, who.practitioner_id or "", request.method, request.path, key)
    return services().blind.label_token(f"idempotency:{framed(*names).hex()}")


def _fingerprint() -> str:
    """A keyed digest of what was sent: it tells two bodies apart, and nothing about either."""
    body = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    return services().blind.label_token(f"body:{request.query_string.hex()}:{request.mimetype}:{body}")
