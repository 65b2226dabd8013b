"""`leeway run` while its store is away: probes are answered, and everything else is told to come again."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service import shop
from tests.service.process import Running
from tests.services.certificates import make_certificate

pytestmark = pytest.mark.slow

AWAY_UNTIL_A_FILE_IS_THERE = """
import sys
from pathlib import Path

import monitor.build
import sinks.store
from monitor.cli import main
from sinks.store.contract import StoreError
from sinks.store.memory import MemoryStore

def store():
    if not Path("there").exists():
        raise StoreError("nobody answers at db1", retryable=True)
    return MemoryStore()

monitor.build.RETRY_S = 0.05
sinks.store.STORES["memory"] = store
main()
"""


class Starting(Running):
    """A process whose store is away until :meth:`let_go_on`; its address is that which it says first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, encrypts: bool = False) -> None:
        monkeypatch.setattr("tests.service.process.LEEWAY", [sys.executable, "-c", AWAY_UNTIL_A_FILE_IS_THERE])
        api: dict[str, Any] = {}
        if encrypts:
            certificate, key = make_certificate(folder)
            api = {"tls": {"certificate": str(certificate), "key": str(key)}}
        config = shop.configured(folder, shop.model("shop", {"http": "shop"}), store={"kind": "memory"}, api=api)
        super().__init__("run", config, "--port", 0, "--json", cwd=folder)
        self._folder, self._trust = folder, ssl.create_default_context()
        if encrypts:
            self._trust.load_verify_locations(folder / certificate)
            self._trust.check_hostname = False

    def _address(self) -> str:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {''.join(self.log)}"
        lines = [json.loads(line) for line in self.log if line.startswith("{")]
        return next((line["url"] for line in lines if line["event"].startswith("starting")), "")

    def let_go_on(self) -> None:
        (self._folder / "there").touch()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self._trust, timeout=60)

    def waits(self) -> bool:
        with self.client() as client:
            return bool(client.get("/readyz").json()["attempts"] > 1)

    def listens(self) -> bool:
        return any("listening on" in line for line in self.log)


@pytest.mark.parametrize("encrypts", [False, True], ids=["plain", "encrypted"])
def test_a_start_that_waits_for_its_store_answers_probes_and_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, encrypts: bool
) -> None:
    begun_ms = time.time() * 1000
    with Starting(tmp_path, monkeypatch, encrypts=encrypts) as service, service.client() as client:
        assert service.url.startswith("https:" if encrypts else "http:")
        shop.wait_until(service.waits, "it has tried more than once")
        lives, ready = client.get("/healthz"), client.get("/readyz")
        assert (lives.status_code, lives.json()) == (200, {"status": "ok"})
        assert ready.status_code == 503
        assert ready.headers["content-type"] == "application/problem+json"
        document = ready.json()
        assert (document["type"], document["instance"]) == ("/v1/problems#not-ready", "/readyz")
        assert document["detail"].endswith(f"has tried {document['attempts']} times: nobody answers at db1")
        assert document["reasons"] == [document["detail"]]
        assert begun_ms <= document["since_ms"] <= time.time() * 1000
        for path in ("/metrics", "/v1/alerts", "/"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), path
            assert answer.json()["type"] == "/v1/problems#unavailable"
            assert "nobody answers at db1" in answer.json()["detail"]
        assert client.post("/v1/events/shop", json={}).status_code == 503
        assert not service.listens()

        service.let_go_on()
        shop.wait_until(service.listens, "the API answers")
        # On the connection that was open before, too.
        assert [model["name"] for model in client.get("/v1/models").json()["items"]] == ["shop"]
        assert client.get("/metrics").status_code == 200
        assert service.signal(signal.SIGTERM) == 0, "".join(service.log)


def test_no_connection_is_refused_while_the_service_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Starting(tmp_path, monkeypatch) as service:
        shop.wait_until(service.waits, "it has tried more than once")
        statuses: list[int] = []
        ready = threading.Event()

        def probe() -> None:
            while not ready.is_set():
                with service.client() as client:
                    statuses.append(client.get("/healthz").status_code)
                with service.client() as client:
                    if client.get("/readyz").status_code == 200:
                        ready.set()

        # One that is open, and says nothing until the service has taken over.
        address = httpx.URL(service.url)
        with socket.create_connection((address.host, address.port or 0)) as silent:
            probing = threading.Thread(target=probe)
            probing.start()
            shop.wait_until(lambda: len(statuses) > 3, "probes are answered")
            service.let_go_on()
            probing.join(120)
            silent.sendall(b"GET /v1/models HTTP/1.1\r\nHost: leeway\r\n\r\n")
            assert silent.recv(1000).startswith(b"HTTP/1.1 200")
        assert ready.is_set()
        assert set(statuses) == {200}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_start_of_which_somebody_asks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with Starting(tmp_path, monkeypatch) as service, service.client() as client:
        shop.wait_until(service.waits, "it has tried more than once")
        assert client.get("/healthz").status_code == 200
        assert service.signal(number) == 0, "".join(service.log)
    assert "stopped" in service.log[-1]
    assert not any("Traceback" in line for line in service.log)
