"""What operators see from outside: numbers at /metrics, and a span for each request where traces are on."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Flask, Response, abort, request
from werkzeug.wsgi import ClosingIterator

from wallet_api.context import services
from wallet_api.infra import metrics
from wallet_api.infra.clock import vn_day
from wallet_api.infra.traces import Starter
from wallet_api.routes.limits import CountedOnce, count_by

observing = Blueprint("observing", __name__)
count_by(observing, CountedOnce("probe"))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SEEN = "wallet.seen"


@observing.get("/metrics")
def numbers() -> Response:
    """What this node counts, for Prometheus. In production it is asked with WALLET_METRICS_TOKEN."""
    settings = services().settings
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = settings.metrics_token
    told = scheme.lower() == "bearer" and token and hmac.compare_digest(bearer.encode(), token.encode())
    if not told and not (settings.dev and not token):
        abort(404)
    figures = metrics.Figures(_stored, services().ready)
    return Response(metrics.exposition(figures), content_type=metrics.MEDIA_TYPE)


def _stored() -> dict[str, dict[str, int]]:
    """What is counted in the database: reminders on their way, and what the law wanted done by now."""
    found, today = services(), vn_day(services().now())
    late = {
        "rights_request": found.rights.overdue(today),
        "correction_request": found.correcting.desk.overdue(today),
        "erasure": found.telling.duties.overdue(today),
        "emergency_review": found.emergencies.service.overdue(),
    }
    return found.reminding.figures() | {"overdue": late, "plan_check": found.reminding.upkeep.figures()}


def observe(app: Flask, start_span: Starter) -> None:
    """Count and time every answer of an application, and open a span around it."""
    app.before_request(_name_route)
    app.wsgi_app = Observed(app.wsgi_app, start_span)  # type: ignore[method-assign]  # as Flask documents middleware


class Observed:
    """WSGI middleware: it sees the answer that really left, the last look included."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], start_span: Starter) -> None:
        self._inner = inner
        self._start_span = start_span

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        seen: dict[str, str] = environ.setdefault(_SEEN, {"route": "unmatched", "status": "500"})
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "other"

        def start(status: str, *more: Any) -> Any:
            seen["status"] = status[:3]
            return start_response(status, *more)

        with ExitStack() as opened:
            span = opened.enter_context(self._start_span(f"{method} request"))
            metrics.IN_FLIGHT.inc()
            opened.callback(_done, seen, method, span, time.perf_counter())
            body = self._inner(environ, start)
            return ClosingIterator(body, opened.pop_all().close)


def _name_route() -> None:
    if request.url_rule is not None:
        request.environ[_SEEN]["route"] = request.url_rule.rule


def _done(seen: dict[str, str], method: str, span: Any, started: float) -> None:
    route = seen["route"]
    metrics.IN_FLIGHT.dec()
    metrics.REQUESTS.labels(route, method, seen["status"]).inc()
    metrics.SECONDS.labels(route, method).observe(time.perf_counter() - started)
    if span is not None:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.response.status_code", int(seen["status"]))
