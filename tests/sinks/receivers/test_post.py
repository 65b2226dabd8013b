"""Where notifications may be posted to."""

from __future__ import annotations

import gzip
import socket
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sinks.receivers import post
from sinks.receivers.contract import Delivered, Outcome, Refused, Retry
from sinks.receivers.post import Post
from tests.services.certificates import make_certificate
from tests.services.dripping import Dripping
from tests.services.refusing import Refusing
from tests.sinks.receivers.listener import Answer, Listener


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let every name have these addresses, one list at each question; return the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        found = [host]
        if not host[0].isdigit():
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_an_address_on_this_machine_is_refused_unless_it_is_allowed() -> None:
    with Listener() as listener:
        refused = Post(listener.url("/secret")).send(b"{}")
        assert listener.requests == []
        assert Post(listener.url(), allow_private=True).send(b"{}") == Delivered()
    assert isinstance(refused, Refused)
    assert "127.0.0.1 is not a public address; set `allow_private: true`" in refused.reason
    assert "secret" not in refused.reason


@pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254", "::1", "::ffff:192.168.1.1"])
def test_a_name_that_leads_into_a_private_network_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolves_to(monkeypatch, ["93.184.215.14", address])
    outcome = Post("https://hooks.example/x").send(b"{}")
    assert isinstance(outcome, Refused)
    assert address in outcome.reason


def test_the_request_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "private", lambda address: False)
    with Listener() as listener:
        # A server of names may answer otherwise when it is asked again.
        asked = resolves_to(monkeypatch, ["127.0.0.1"], ["203.0.113.1"])
        port = listener.address.partition(":")[2]
        assert Post(f"http://hooks.example:{port}/x").send(b"{}") == Delivered()
    assert asked == ["hooks.example"]
    assert listener.requests[0].headers["host"] == f"hooks.example:{port}"


def test_an_address_that_cannot_be_connected_to_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "private", lambda address: False)
    # A host with IPv6 and no way out for it: one address refuses, one never answers.
    resolves_to(monkeypatch, ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    with Listener() as listener, socket.socket() as silent:
        port = int(listener.address.partition(":")[2])
        silent.bind(("127.0.0.3", port))
        silent.listen(0)
        with socket.create_connection(("127.0.0.3", port)):  # the queue of those that wait is full from now on
            outcome = Post(f"http://hooks.example:{port}/x", timeout_ms=3_000).send(b"{}")
    assert outcome == Delivered()
    assert len(listener.requests) == 1


def test_a_name_of_which_no_address_answers_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "private", lambda address: False)
    resolves_to(monkeypatch, ["127.0.0.2", "127.0.0.3"])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        outcome = Post(f"http://hooks.example:{port}/x").send(b"{}")
    assert outcome == Retry(f"http://hooks.example:{port}: ConnectError: [Errno 111] Connection refused")


def test_a_name_that_nobody_knows_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    outcome = Post("https://hooks.example/secret").send(b"{}")
    assert outcome == Retry("https://hooks.example: the name is not known (Name or service not known)")


def test_a_certificate_that_is_wanted_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", f"{files[0]}")
    with Refusing(*files) as server:
        outcome = Post(f"{server.url}/secret", allow_private=True).send(b"{}")
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith(f"{server.url}: SSLError: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")


def test_behind_a_proxy_the_proxy_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        assert Post("http://10.0.0.7/x").send(b"{}") == Delivered()
        assert proxy.requests[0].path == "http://10.0.0.7/x"


UNTIL_A_DATE = b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\nRetry-After: Sat, 09 Feb 2013 05:31:00 GMT\r\n\r\nno"
"""Of an answer that does not say what time it is there."""


@pytest.mark.parametrize(
    ("first", "drip", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", Retry("no answer in time (ReadTimeout)", may_have_it=True)),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n", Retry("no answer in time (ReadTimeout)", may_have_it=True)),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5000\r\n\r\n", b" ", Retry("502 Bad Gateway")),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\nRetry-After: 7\r\n\r\nno", b" ", Retry("503 Busy: no", 7.0)),
        (UNTIL_A_DATE, b" ", Retry("503 Busy: no", until_ms=1_360_387_860_000)),
        (b"HTTP/1.1 404 Gone\r\nContent-Length: 5000\r\n\r\nno", b" ", Refused("404 Gone: no")),
    ],
    ids=["headers", "interim answers", "an error page", "a busy one", "one that names a date", "a refusal"],
)
def test_an_answer_that_drips_is_left_after_the_time_out(first: bytes, drip: bytes, expected: Retry | Refused) -> None:
    """A byte now and then keeps a request from timing out by itself."""
    with Dripping(first, drip) as server:
        outcome = Post(server.url, allow_private=True, timeout_ms=300).send(b"{}")
        assert server.was_left
    assert not isinstance(outcome, Delivered)
    assert outcome.reason == f"http://{server.address}: {expected.reason}"
    assert outcome == type(expected)(outcome.reason, **{k: v for k, v in vars(expected).items() if k != "reason"})


@pytest.mark.parametrize("text", [b'{"ok": true', b""], ids=["said enough", "said nothing"])
def test_an_answer_that_says_enough_before_the_time_out_counts(text: bytes) -> None:
    def read(answer: bytes) -> Outcome:
        return Delivered(answer.decode().strip())

    with Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + text, b" " if text else b"") as server:
        outcome = Post(server.url, allow_private=True, timeout_ms=300).send(b"{}", read=read)
    late = Retry(f"http://{server.address}: no answer in time (ReadTimeout)", may_have_it=True)
    assert outcome == (Delivered(text.decode()) if text else late)


def test_a_name_that_is_looked_up_for_ever_is_left_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def hang(*args: Any, **kwargs: Any) -> list[Any]:
        assert is_over.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outcome = Post("https://hooks.example/secret", timeout_ms=200).send(b"{}")
    assert outcome == Retry("https://hooks.example: no answer in time (ConnectTimeout)")
    is_over.set()


@pytest.mark.parametrize(
    "wait",
    [
        "-5",
        "1e9",
        "soon",
        "Sat, 09 Feb 2013 05:31:00 +9999999999999999999999",
        "Sat, 09 Feb 99999999999999999999 05:31:00 GMT",
    ],
)
def test_a_retry_after_that_nobody_can_read_is_none(wait: str) -> None:
    with Listener(Answer(429, headers={"Retry-After": wait})) as listener:
        outcome = Post(listener.url(), allow_private=True).send(b"{}")
    assert outcome == Retry(f"http://{listener.address}: 429 Too Many Requests")


@pytest.mark.parametrize(
    ("coding", "layers", "expected"),
    [
        ("gzip", 1, ": " + "x" * 200),
        ("gzip, gzip", 2, " (no text: DecodingError)"),
        ("br", 0, " (no text: DecodingError)"),
    ],
)
def test_of_a_packed_answer_no_more_is_unpacked_than_is_read(coding: str, layers: int, expected: str) -> None:
    text = b"x" * (1 << 26)
    for _ in range(layers):
        text = gzip.compress(text)
    head = f"HTTP/1.1 400 Bad\r\nContent-Encoding: {coding}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
    tracemalloc.start()
    try:
        with Dripping(head + text[:100_000], b"") as server:
            outcome = Post(server.url, allow_private=True).send(b"{}")
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome == Refused(f"http://{server.address}: 400 Bad{expected}")
    assert most_bytes < 1 << 24


def test_what_an_answer_quotes_can_be_shown() -> None:
    with Listener(Answer(400, text="red \x1b[31m\x00 \u202e")) as listener:
        outcome = Post(listener.url(), allow_private=True).send(b"{}")
    sign = "\N{REPLACEMENT CHARACTER}"
    assert outcome == Refused(f"http://{listener.address}: 400 Bad Request: red {sign}[31m{sign} {sign}")
