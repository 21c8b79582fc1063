"""Tracing by OpenTelemetry: spans to an OTLP/HTTP receiver, in batches, from a thread.

Imported only when an endpoint is set (`app/core/tracing.py`). The standard variables OTEL_* hold:
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_*, OTEL_RESOURCE_ATTRIBUTES.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.core.code_revision import code_revision
from app.core.settings import Settings
from app.core.tracing import Attribute, Kind, Span, told

_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_PATH = "/v1/traces"
_SEND_SECONDS = 5
_W3C = TraceContextTextMapPropagator()


class _Open(Span):
    def __init__(self, opened: trace.Span) -> None:
        self._opened = opened

    def set(self, **attributes: Attribute | None) -> None:
        self._opened.set_attributes(told(attributes))

    def rename(self, name: str) -> None:
        self._opened.update_name(name)


class Tracing:
    """Of one process."""

    def __init__(self, settings: Settings, *, role: str) -> None:
        endpoint = settings.otlp_endpoint.rstrip("/")
        address = endpoint if endpoint.endswith(_PATH) else f"{endpoint}{_PATH}"
        resource = Resource.create(
            {
                "service.name": os.environ.get("OTEL_SERVICE_NAME") or f"retort-{role}",
                "service.version": code_revision()["version"] or "unknown",
                "host.name": socket.gethostname(),
                "process.pid": os.getpid(),
            }
        )
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=address, timeout=_SEND_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("retort")

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind,
        traceparent: str | None,
        attributes: Mapping[str, Attribute],
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, context=_parent(traceparent), kind=_KINDS[kind], attributes=attributes
        ) as opened:
            yield _Open(opened)

    def record(
        self,
        name: str,
        kind: Kind,
        traceparent: str | None,
        attributes: Mapping[str, Attribute],
        since: int,
        until: int,
    ) -> None:
        opened = self._tracer.start_span(
            name,
            context=_parent(traceparent),
            kind=_KINDS[kind],
            attributes=attributes,
            start_time=since,
        )
        opened.end(until)

    def current_traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        self._provider.shutdown()


def _parent(traceparent: str | None) -> Context | None:
    """None: what is open here. One that is malformed begins a new trace."""
    return _W3C.extract({"traceparent": traceparent}, Context()) if traceparent else None
