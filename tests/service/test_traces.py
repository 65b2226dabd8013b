"""Whoever collects traces gets spans of what each stage does, and a collector that is away holds nothing up."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitor.build import build_tracing
from monitor.config import ConfigError, load
from monitor.config.roles import ROLES
from monitor.errors import InputError
from monitor.tracing.spans import Tracing, span
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_misfits import ENOUGH, misplaced, post
from tests.services.processes import free_port

STEPS = {"ingest", "poll", "decode", "fold", "write", "checkpoint", "evaluate", "notify"}


class Collector(ThreadingHTTPServer):
    """Takes spans as a collector does: OTLP over HTTP, protobuf."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.keys: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            self.resources.append({each.key: each.value.string_value for each in of_resource.resource.attributes})
            self.spans += [span for scope in of_resource.scope_spans for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.add(self.headers["X-Key"])
        self.server.take(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def tracing(folder: Path, **traces: Any) -> Iterator[Any]:
    configuration = load(shop.configured(folder, misplaced("shop", "amuont"), traces=traces, checkpoint_every="200ms"))
    end = build_tracing(configuration, ROLES)
    try:
        yield configuration
    finally:
        end()
        assert Tracing.tracer is None


def attributes(sent: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in sent.attributes}


def test_each_stage_sends_spans_of_what_it_does(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.ingest.misfits.AFTER_S", 0.2)
    store = MemoryStore()
    monkeypatch.setenv("COLLECTOR_KEY", "secret")
    traces: dict[str, Any] = {"endpoint": collector.url, "headers": {"X-Key": "${COLLECTOR_KEY}"}}
    with tracing(tmp_path, **traces) as configuration, shop.serving(configuration, store) as service:
        post(service, 0, ENOUGH, amount=60.0)
        shop.wait_until(lambda: len(store.read(Query("notifications"))["receiver"]), "it is notified")
        shop.wait_until(lambda: service.loop.windows["shop"] > 40, "windows are evaluated")
    assert {sent.name for sent in collector.spans} == STEPS
    assert collector.keys == {"secret"}
    assert all(resource["service.name"] == "leeway" for resource in collector.resources)
    by_id = {sent.span_id: sent for sent in collector.spans}
    decodes = [sent for sent in collector.spans if sent.name == "decode"]
    assert {by_id[sent.parent_span_id].name for sent in decodes} == {"ingest"}
    offsets = sorted(
        (attributes(sent)["leeway.first_offset"], attributes(sent)["leeway.last_offset"]) for sent in decodes
    )
    assert (offsets[0][0], offsets[-1][1]) == (0, ENOUGH - 1)
    evaluated = [attributes(sent) for sent in collector.spans if sent.name == "evaluate"]
    assert {each["leeway.model"] for each in evaluated} == {"shop"}
    assert sum(each["leeway.windows"] for each in evaluated) > 40
    assert all(sent.end_time_unix_nano >= sent.start_time_unix_nano for sent in collector.spans)
    assert {attributes(sent)["leeway.answer"] for sent in collector.spans if sent.name == "notify"} == {"delivered"}


def test_what_fails_is_sent_without_what_it_says_which_may_name_a_person(tmp_path: Path, collector: Collector) -> None:
    def fold() -> None:
        with span("fold") as folding:
            folding.forget()
            raise KeyError("ann@example.org")

    with tracing(tmp_path, endpoint=collector.url), pytest.raises(KeyError):
        fold()
    [sent] = collector.spans
    assert sent.status.code == 2
    assert attributes(sent) == {"error.type": "KeyError"}
    assert b"ann" not in sent.SerializeToString()


def test_a_collector_that_is_away_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.tracing.sending.TIMEOUT_S", 0.2)
    with tracing(tmp_path, endpoint=f"http://127.0.0.1:{free_port()}/v1/traces"):
        for _ in range(5_000):
            with span("fold"):
                pass


def test_only_a_share_is_sent_and_with_a_span_all_inside_it(tmp_path: Path, collector: Collector) -> None:
    with tracing(tmp_path, endpoint=collector.url, share=0.2):
        for _ in range(500):
            with span("ingest"), span("fold"):
                pass
    names = [sent.name for sent in collector.spans]
    assert 0 < names.count("ingest") == names.count("fold") < 250


def test_what_the_packages_are_missing_for_says_how_to_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InputError, match=r"pip install 'leeway\[traces\]'"), tracing(tmp_path, endpoint="http://x"):
        pass


def test_an_endpoint_is_an_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"spec\.traces\.endpoint"), tracing(tmp_path, endpoint="collector:4317"):
        pass
