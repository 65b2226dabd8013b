"""`leeway run` as a process: from events over HTTP to alerts and notifications, and how it ends."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.cli.run import bind
from monitor.config import load
from monitor.config.service import Api
from sinks.store import open_store
from tests.cli.console import Console, by_line
from tests.service import shop
from tests.service.process import Running, leeway
from tests.sinks.receivers.listener import Listener

pytestmark = pytest.mark.slow
Log = list[bytes]


def http_log(seed: int, start_ms: int = shop.START_MS) -> tuple[Log, int]:
    """A stream of some 40 windows."""
    [log], end_ms = shop.traffic(seed, windows=40, per_window=100, partitions=1, start_ms=start_ms)
    return log, end_ms


def post_lines(service: Running, log: Log, portion: int = 500) -> None:
    for start in range(0, len(log), portion):
        body = b"\n".join(log[start : start + portion])
        service.post("shop", body, content_type="application/x-ndjson")


def wait_judged(service: Running, end_ms: int) -> None:
    def judged() -> bool:
        assert service.process.poll() is None, "".join(service.log)
        return bool(service.items("/v1/history", model="shop", signal="volume", **{"from": end_ms}))

    shop.wait_until(judged, "the last window is judged")


@contextmanager
def listening_to_alerts(service: Running) -> Iterator[list[dict[str, Any]]]:
    """Transitions as the stream delivers them; the block is entered when the stream is open."""
    told: list[dict[str, Any]] = []
    opened = threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{service.url}/v1/alerts/stream", timeout=60) as answer:
            for line in answer.iter_lines():
                opened.set()
                if line.startswith("data:"):
                    told.append(json.loads(line[5:]))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert opened.wait(120)
        yield told
        assert service.signal(signal.SIGTERM) == 0, "".join(service.log)
    finally:
        service.kill()
        thread.join()


def future_ms() -> int:
    """The start of a window after now: a receiver is not told about what is older than its own start."""
    return (int(time.time() * 1000) // shop.WINDOW_MS + 3) * shop.WINDOW_MS


def test_events_posted_become_history_alerts_and_notifications(tmp_path: Path) -> None:
    log, end_ms = http_log(3, future_ms())
    single, array, lines, packed = log[:1], log[1:200], log[200:2000], log[2000:]
    with Listener() as ops:
        receivers = [{"kind": "log"}, {"kind": "webhook", "name": "ops", "url": ops.url(), "allow_private": True}]
        config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), receivers=receivers)
        with Running("run", config, "--port", 0, "--json") as service, listening_to_alerts(service) as told:
            shop.wait_until(lambda: service.get("/readyz").status_code == 200, "it is ready")
            assert service.post("shop", single[0], content_type="application/json")["first_offset"] == 0
            service.post("shop", b"[%s]" % b",".join(array), content_type="application/json")
            service.post("shop", b"\n".join(lines), content_type="application/x-ndjson")
            answer = service.post(
                "shop",
                gzip.compress(b"\n".join(packed)),
                content_type="application/x-ndjson",
                content_encoding="gzip",
            )
            assert answer["last_offset"] == len(log) - 1
            wait_judged(service, end_ms)

            # Scores are written before alerts.
            resolved = partial(service.items, "/v1/alerts", model="shop", state="resolved")
            [alert] = shop.wait_until(resolved, "the alert is over")
            history = service.items("/v1/history", model="shop", signal="feature:amount", detector="change", limit=1000)
            assert {row["status"] for row in history} >= {"ok", "drift", "learning"}
            detail = service.get(f"/v1/alerts/{alert['alert_id']}").json()
            steps = [step["state"] for step in detail["transitions"]]
            shop.wait_until(lambda: [step["state"] for step in told] == steps, "the stream delivers every transition")

            # An alert that another signal joins is told once more in between.
            shop.wait_until(lambda: ops.requests and ops.requests[-1].body["status"] == "resolved", "the end is told")
            first, last = ops.requests[0].body, ops.requests[-1].body
            assert (first["version"], first["status"], last["status"]) == ("4", "firing", "resolved")
            assert first["alerts"][0]["labels"]["model"] == "shop"
            assert first["groupKey"] == last["groupKey"]

            def families() -> dict[str, Any]:
                text = service.get("/metrics").text
                return {family.name: family for family in text_string_to_metric_families(text)}

            [records] = families()["leeway_records"].samples
            assert (records.name, records.value) == ("leeway_records_total", len(log))
            # Windows are counted behind the alerts that they wrote.
            shop.wait_until(lambda: families()["leeway_alert_transitions"].samples, "transitions are counted")
    logged = [json.loads(line) for line in service.log if line.startswith("{")]
    assert "stopped" in {entry["event"] for entry in logged}


def test_a_restart_and_a_kill_change_no_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, end_ms = http_log(4)
    document = shop.model("shop", {"http": "shop"})
    config = shop.configured(tmp_path, document, checkpoint_every="200ms", idle_after="1h")
    third = len(log) // 3

    with Running("run", config, "--port", 0) as service:
        post_lines(service, log[:third])
        assert service.signal(signal.SIGTERM) == 0
    with Running("run", config, "--port", 0) as service:
        post_lines(service, log[third : 2 * third])
        shop.wait_until(lambda: service.items("/v1/alerts", model="shop"), "the drift fires")
        service.kill()
    with Running("run", config, "--port", 0) as service:
        post_lines(service, log[2 * third :])
        wait_judged(service, end_ms)
        assert service.signal(signal.SIGINT) == 0

    with closing(open_store("chdb", str(tmp_path / "store"))) as store:
        found = shop.results(store, end_ms)
    expected = shop.results(shop.replayed(tmp_path, load(config), {"shop": [log]}), end_ms)
    assert found == expected
    shown = Console(capsys)("alerts", "--store", tmp_path / "store", "--json")
    assert [line["state"] for line in shown.lines] == ["resolved"], shown.err


def test_a_broker_that_does_not_answer_makes_the_service_wait_not_end(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        models = [shop.model("shop", {"http": "shop"}), shop.model("other", {"kafka": "events"})]
        config = shop.configured(tmp_path, *models, kafka={"bootstrap": [address]}, store={"kind": "memory"})
        log, end_ms = http_log(5)
        with Running("run", config, "--port", 0) as service:
            shop.wait_until(
                lambda: f"kafka is not open yet: no answer from Kafka at {address}" in service.get("/readyz").text,
                "it says what it waits for",
            )
            assert service.get("/readyz").status_code == 503
            assert service.get("/healthz").status_code == 200
            post_lines(service, log)
            wait_judged(service, end_ms)
            assert service.signal(signal.SIGTERM) == 0


def test_a_client_that_asks_for_a_websocket_makes_the_log_name_no_library(tmp_path: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    with Running("run", config, "--port", 0) as service:
        assert httpx.get(f"{service.url}/healthz", headers=upgrade, timeout=60).status_code == 200
        assert service.signal(signal.SIGTERM) == 0
    assert "uvicorn" not in "".join(service.log)


def test_where_it_listens_is_a_line_of_json_among_others(tmp_path: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with Running("run", config, "--port", 0, "--json") as service:
        assert service.get("/healthz").status_code == 200
        assert service.signal(signal.SIGTERM) == 0
    (line,) = [json.loads(line) for line in service.log if "listening on" in line]
    assert (line["event"], line["url"]) == (f"listening on {service.url}", service.url)


def test_a_port_in_use_ends_with_3(tmp_path: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), store={"kind": "memory"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = leeway("run", config, "--port", port)
    assert said.returncode == 3, said.stderr
    assert f"cannot listen on 127.0.0.1:{port}" in said.stderr


def test_a_store_that_another_process_holds_ends_with_3(tmp_path: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with Running("run", config, "--port", 0) as service:
        said = leeway("run", config, "--port", 0)
        assert said.returncode == 3, said.stderr
        assert str(service.process.pid) in said.stderr


def no_log(folder: Path) -> dict[str, Any]:
    (folder / "file").touch()
    return {"ingest_log": str(folder / "file" / "folder" / "ingest.log")}


def no_database(folder: Path) -> dict[str, Any]:
    (folder / "text.log").write_text("no database, but a text of some length\n" * 100)
    return {"ingest_log": str(folder / "text.log")}


UNKNOWN = {"kind": "apprise", "name": "nobody", "url": "nowhere://example"}


@pytest.mark.parametrize(
    ("wrong", "code", "reason"),
    [
        (no_log, 3, "Not a directory"),
        (no_database, 3, "file is not a database"),
        (lambda _: {"receivers": [UNKNOWN]}, 2, "Apprise knows no such address"),
    ],
    ids=["no_log", "no_database", "receiver"],
)
def test_a_start_that_fails_behind_the_opening_of_its_store_ends_and_leaves_the_store_to_the_next(
    tmp_path: Path, wrong: Callable[[Path], dict[str, Any]], code: int, reason: str
) -> None:
    model = shop.model("shop", {"http": "shop"})
    config = shop.configured(tmp_path, model, **wrong(tmp_path))
    ended = leeway("run", config, "--port", 0, timeout_s=120)
    assert ended.returncode == code, ended.stderr
    [error] = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert reason in error
    with Running("run", shop.configured(tmp_path, model), "--port", 0) as service:
        assert service.signal(signal.SIGTERM) == 0, "".join(service.log)


def test_a_start_ends_with_3_while_another_service_has_its_log_of_http_events(tmp_path: Path) -> None:
    model, other = shop.model("shop", {"http": "shop"}), {"kind": "chdb", "path": str(tmp_path / "other")}
    with Running("run", shop.configured(tmp_path, model), "--port", 0) as service:
        config = shop.configured(tmp_path, model, store=other)
        ended = leeway("run", config, "--port", 0, timeout_s=120)
        assert ended.returncode == 3, ended.stderr
        assert f"{tmp_path / 'ingest.log'}" in ended.stderr
        assert service.signal(signal.SIGTERM) == 0, "".join(service.log)
    with closing(open_store(**other)):
        pass


@pytest.mark.parametrize("command", [["run"], ["sql", "SELECT 1", "--config"]], ids=lambda command: command[0])
def test_an_engine_that_does_not_load_ends_with_3(tmp_path: Path, command: list[str]) -> None:
    """A wheel for another machine, or a library that is not there: nothing was said, and nothing ended."""
    package = tmp_path / "packages" / "chdb" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text('raise ImportError("libchdb.so: cannot open shared object file\\nNo such file")')
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "leeway.lock").touch()
    said = leeway(*command, config, packages=package.parents[1], timeout_s=120)
    assert said.returncode == 3, said.stderr
    [error] = [line for line in said.stderr.splitlines() if line.startswith("error: ")]
    assert "its engine, the package chdb, does not load: ImportError: libchdb.so: cannot open shared object" in error
    assert error.endswith("No such file")


OPENING = """
import sys
import threading

import monitor.service

def build_store(*arguments):
    print("listening on http://nowhere", file=sys.stderr, flush=True)  # for whoever waits for a line
    {opens}

build = monitor.service.build_store
monitor.service.build_store = build_store
from monitor.cli import main
main()
"""
SLOWLY = "threading.Event().wait(1); return build(*arguments)"
NEVER = """
    from sinks.store.contract import StoreError
    def refuse():
        raise StoreError("away", retryable=True)
    arguments[4](refuse)
"""


@pytest.mark.parametrize("opens", [SLOWLY, NEVER], ids=["slowly", "never"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_ends_it_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, opens: str
) -> None:
    monkeypatch.setattr("tests.service.process.LEEWAY", [sys.executable, "-c", OPENING.format(opens=opens)])
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), store={"kind": "memory"})
    with Running("run", config, "--port", 0) as service:
        assert service.signal(number) == 0, "".join(service.log)
    assert "stopped" in service.log[-1]
    assert not any("Traceback" in line for line in service.log)


def test_a_mistake_in_the_configuration_ends_with_2_and_its_place(tmp_path: Path) -> None:
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop", "alowed_lateness": "5s"}))
    said = leeway("run", config)
    assert said.returncode == 2
    text = (tmp_path / "models" / "shop.yaml").read_text().splitlines()
    line = next(number for number, found in enumerate(text, 1) if "alowed" in found)
    assert f"shop.yaml:{line}: spec.sources.0.alowed_lateness" in by_line(said.stderr)


HANGING = """
import sys
import threading

import monitor.api.health
import monitor.cli.run
from monitor.cli import main

monitor.cli.run.GRACE_S = 1
monitor.api.health.unseen = lambda store: print("asked", file=sys.stderr, flush=True) or threading.Event().wait()
main()
"""


def test_a_request_that_hangs_does_not_keep_the_service_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.service.process.LEEWAY", [sys.executable, "-c", HANGING])
    config = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with Running("run", config, "--port", 0) as service:
        address = httpx.URL(service.url)
        with socket.create_connection((address.host, address.port or 0)) as client:
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: leeway\r\n\r\n")
            shop.wait_until(lambda: "asked" in "".join(service.log), "it is asked")
            assert service.signal(signal.SIGTERM) == 0, "".join(service.log)


def test_small_answers_are_sent_at_once() -> None:
    """The sockets of a listener that does not say TCP are left with Nagle's algorithm: 40 ms for every answer."""
    with bind(Api(port=0)) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            accepted, _ = listener.accept()
            with accepted:
                assert (client.proto, accepted.proto) == (socket.IPPROTO_TCP, socket.IPPROTO_TCP)
