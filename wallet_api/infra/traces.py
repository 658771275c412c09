"""Traces over OTLP, for whoever wants them: one span a request and one a database command.

Off unless WALLET_OTLP_ENDPOINT is set. Spans carry route names, statuses, command and collection names:
never a path, a query, an id of a person or a value. A caller's own trace headers are not taken over: a
stranger does not decide what we keep.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any

from pymongo import monitoring

Span = Any
"""A span of OpenTelemetry, or None where traces are off."""
Starter = Callable[[str], AbstractContextManager[Span]]


class TracingAbsent(Exception):
    """Traces are asked for, but the packages of requirements-tracing.txt are not installed."""

    code = "tracing_absent"


def no_traces(_name: str) -> AbstractContextManager[Span]:
    """What starts a span where traces are off: nothing."""
    return nullcontext()


class Traces:
    """Starts spans; they leave in batches, on a thread of their own, and at the end of the process."""

    def __init__(self, provider: Any, tracer: Any) -> None:
        self._provider = provider
        self._tracer = tracer

    def __call__(self, name: str) -> AbstractContextManager[Span]:
        """A span that is open until the context is left. An exception's text is never kept."""
        span: AbstractContextManager[Span] = self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )
        return span

    def flush(self) -> None:
        """Send what is kept back now."""
        self._provider.force_flush()


def start_tracing(endpoint: str, exporter: Any = None) -> Traces:
    """Send spans to an OTLP/HTTP endpoint (`exporter`: another place, in tests).

    Call it before any database client is made: a client tells its commands only to who listened then.

    Raises:
        TracingAbsent: OpenTelemetry's SDK is not installed.
    """
    if find_spec("opentelemetry.sdk") is None:
        raise TracingAbsent("install requirements-tracing.txt, or unset WALLET_OTLP_ENDPOINT")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "health-wallet"}))
    provider.add_span_processor(BatchSpanProcessor(exporter or _over_http(endpoint)))
    tracer = provider.get_tracer("wallet")
    monitoring.register(_Commands(tracer))
    return Traces(provider, tracer)


def _over_http(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")


class _Commands(monitoring.CommandListener):
    """A span for each database command: its name, collection and outcome."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._open: dict[int, Any] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """A command goes out."""
        span = self._tracer.start_span(f"mongodb {event.command_name}")
        span.set_attribute("db.system.name", "mongodb")
        span.set_attribute("db.operation.name", event.command_name)
        collection = event.command.get(event.command_name)
        if isinstance(collection, str):
            span.set_attribute("db.collection.name", collection)
        self._open[event.request_id] = span

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """It was answered."""
        self._end(event.request_id, ok=True)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """It failed; how, is in our own logs."""
        self._end(event.request_id, ok=False)

    def _end(self, request_id: int, *, ok: bool) -> None:
        span = self._open.pop(request_id, None)
        if span is not None:
            span.set_attribute("wallet.ok", ok)
            span.end()
