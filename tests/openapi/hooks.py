"""Loaded by schemathesis: sends requests that can succeed to things that are there, and counts everything.

A record id or a reference cannot be made up: it is 128 random bits or sealed. So half of the well-formed
requests get one that exists. Malformed requests are left exactly as generated.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection  # noqa: F401 - the checks are registered

TOLD = json.loads(Path(os.environ["WALLET_FUZZ_TOLD"]).read_text(encoding="utf-8"))
KNOWN: dict[str, list[str]] = TOLD["known"]
THROWAWAYS = iter(TOLD.get("throwaways", ()))
OWN = frozenset(f"Bearer {token}" for token in TOLD["tokens"])
SIGNING_OUT = frozenset({"endAllSessions", "endSession"})
MOST_OF_A_LINE: Final = 3_800
seen: Counter[str] = Counter()
turn = itertools.count()


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """A request line of more than 4 KiB ends at the HTTP server (414; see test_hostile_framing)."""
    asked = urlencode(case.query or {}, doseq=True, errors="surrogatepass")
    return len(case.operation.path) + len(asked) < MOST_OF_A_LINE


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let well-formed requests meet something."""
    name = case.operation.definition.raw.get("operationId", "")
    if name in SIGNING_OUT:
        _sign_out_somebody_else(case)
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    drawn = {draw.parameter_name for draw in case.meta.pool_draws}
    for values in (case.path_parameters, case.headers):
        for key in list(values or ()):
            if key in KNOWN and key not in drawn and (key == "Access-Session" or next(turn) % 4):
                values[key] = KNOWN[key][next(turn) % len(KNOWN[key])]
    # A key that was sent before with another body is rightly refused, and short made-up keys repeat.
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}{next(turn)}"
    # A cursor is sealed and belongs to one reader and one question: a made-up one is rightly refused.
    if case.query and "cursor" in case.query:
        del case.query["cursor"]


def _sign_out_somebody_else(case: Any) -> None:
    """Ending a session ends the run's own: a person who is there for it goes instead."""
    if case.headers is None or case.headers.get("Authorization") not in OWN:
        return  # a made-up token, which must not get in
    token, session_id = next(THROWAWAYS)
    case.headers["Authorization"] = f"Bearer {token}"
    if (
        case.path_parameters
        and "session_id" in case.path_parameters
        and not case.meta.generation.mode.is_negative
    ):
        case.path_parameters["session_id"] = session_id


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count requests by operation and status."""
    seen[f"{case.operation.label} {response.status_code}"] += 1


@atexit.register
def _write() -> None:
    Path(os.environ["WALLET_FUZZ_SEEN"]).write_text(json.dumps(seen), encoding="utf-8")
