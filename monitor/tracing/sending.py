"""Spans on their way to a collector: OTLP over HTTP, in the background, bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from monitor.errors import InputError
from monitor.tracing.spans import Tracing

__all__ = ["send_spans"]

TIMEOUT_S = 5.0
"""For which a collector may take its time, and spans are waited for at the end."""


def send_spans(
    endpoint: str, share: float, headers: Mapping[str, str], attributes: Mapping[str, str]
) -> Callable[[], None]:
    """Send the spans of this process from now on; returns what sends the rest and ends it.

    Spans wait in a queue of 2,048. What comes while it is full, or a collector does not take, is lost, and the log
    says so.

    Parameters
    ----------
    endpoint : str
        Such as ``http://collector:4318/v1/traces``.
    share : float
        Of all spans that have no parent; their children go with them.
    headers : mapping of str to str
    attributes : mapping of str to str
        Of the process, such as ``service.name``.

    Raises
    ------
    InputError
        The packages for it are missing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise InputError("spec.traces needs OpenTelemetry's packages: pip install 'leeway[traces]'") from error
    provider = TracerProvider(
        resource=Resource.create(dict(attributes)),
        sampler=ParentBased(TraceIdRatioBased(share)),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, headers=dict(headers), timeout=TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    Tracing.tracer = provider.get_tracer("leeway")

    def end() -> None:
        Tracing.tracer = None
        # A collector that is away holds up no stop.
        ending = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(TIMEOUT_S)

    return end
