"""Encryption and users towards a real broker that wants them, and a server that gives tokens."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from monitor.clock import ManualClock
from monitor.config.kafka import KafkaCluster, KafkaToken
from monitor.errors import InputError, SourceError
from monitor.messages import Message
from monitor.sources.kafka.members import KafkaMembers
from monitor.sources.kafka.outlet import KafkaOutlet
from monitor.sources.kafka.source import KafkaSource
from monitor.sources.kafka.token import TokenProvider
from tests.services.certificates import make_certificate
from tests.services.dripping import Dripping
from tests.services.kafka import SecureBroker
from tests.services.kafka.secure import PASSWORD, USER, unsecured_token
from tests.services.refusing import Refusing
from tests.sources.reading import nowhere, produce, read, read_to_end

LOGIN = {"user": USER, "password": PASSWORD}


@pytest.fixture
def one_message(secure_kafka: SecureBroker, topic_name: str) -> str:
    """A topic that holds one message."""
    secure_kafka.create_topic(topic_name)
    produce(secure_kafka, topic_name, [b"hello"])
    return topic_name


@contextmanager
def opened(address: str, topic: str, *, bounded: bool = True, **cluster: Any) -> Iterator[KafkaSource]:
    settings = KafkaCluster.model_validate({"bootstrap": [address], "group": topic, **cluster})
    made = KafkaSource(settings, [topic], bounded=bounded)
    before = threading.active_count()
    try:
        made.open(nowhere)
        yield made
    finally:
        made.close()
    assert threading.active_count() <= before + bounded


def token(lifetime_s: int = 3600) -> str:
    now_s = int(time.time())
    return unsecured_token(now_s - 10, now_s + lifetime_s)


def reads(address: str, topic: str, **cluster: Any) -> bool:
    with opened(address, topic, **cluster) as reader:
        return read_to_end(reader) == {0: [(0, b"hello")]}


def refusal(address: str, topic: str, **cluster: Any) -> SourceError:
    """What opening fails with; it must not be worth trying again."""
    with pytest.raises(SourceError) as caught, opened(address, topic, **cluster):
        pass
    assert not caught.value.retryable
    assert address in str(caught.value)
    return caught.value


def test_a_group_is_looked_at_as_it_is_read(secure_kafka: SecureBroker, one_message: str) -> None:
    secured = {"tls": {"ca": str(secure_kafka.certificate)}, "sasl": {"mechanism": "SCRAM-SHA-512", **LOGIN}}
    settings = {"bootstrap": [secure_kafka.sasl_tls], "group": one_message, "client_id": "reader", **secured}
    cluster = KafkaCluster.model_validate(settings)
    reader = KafkaSource(cluster, [one_message], store_id="ours")
    try:
        reader.open(nowhere)
        read(reader, 1)
        [ours], [theirs] = KafkaMembers(cluster, "ours").read() or [], KafkaMembers(cluster, "theirs").read() or []
    finally:
        reader.close()
    assert (ours.name, ours.host, ours.partitions) == ("reader", "127.0.0.1", frozenset({(one_message, 0)}))
    assert (ours.shares_store, theirs.shares_store) == (True, False)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_user_with_a_password_reads_through_tls(secure_kafka: SecureBroker, one_message: str, mechanism: str) -> None:
    tls = {"ca": str(secure_kafka.certificate)}
    assert reads(secure_kafka.sasl_tls, one_message, tls=tls, sasl={"mechanism": mechanism, **LOGIN})


def test_a_member_of_a_group_reads_through_tls_with_a_user(secure_kafka: SecureBroker, one_message: str) -> None:
    tls, sasl = {"ca": str(secure_kafka.certificate)}, {"mechanism": "SCRAM-SHA-512", **LOGIN}
    with opened(secure_kafka.sasl_tls, one_message, bounded=False, tls=tls, sasl=sasl) as reader:
        assert read(reader, 1)[0] == [(0, b"hello")]


def test_encryption_alone_or_a_user_alone_is_enough_where_the_listener_says_so(
    secure_kafka: SecureBroker, one_message: str
) -> None:
    assert reads(secure_kafka.tls, one_message, tls={"ca": str(secure_kafka.certificate)})
    assert reads(secure_kafka.tls, one_message, tls={"verify": False})
    assert reads(secure_kafka.sasl, one_message, sasl={"mechanism": "PLAIN", **LOGIN})


def test_a_certificate_of_our_own_is_shown_to_a_broker_that_wants_one(
    secure_kafka: SecureBroker, one_message: str
) -> None:
    ca = str(secure_kafka.certificate)
    assert reads(
        secure_kafka.tls_only_known, one_message, tls={"ca": ca, "certificate": ca, "key": str(secure_kafka.key)}
    )
    options = {"bootstrap_timeout_ms": 500}
    with (
        pytest.raises(SourceError, match=r"do they want kafka.tls, a certificate") as caught,
        opened(secure_kafka.tls_only_known, one_message, tls={"ca": ca}, options=options),
    ):
        pass
    assert caught.value.retryable


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("wrong", [{"user": "nobody"}, {"password": "wrong"}], ids=["user", "password"])
def test_a_wrong_user_or_password_is_not_tried_again(
    secure_kafka: SecureBroker, one_message: str, mechanism: str, wrong: dict[str, str]
) -> None:
    sasl = {"mechanism": mechanism, **LOGIN, **wrong}
    message = str(refusal(secure_kafka.sasl, one_message, sasl=sasl))
    assert "check mechanism, user, password" in message
    assert PASSWORD not in message


def test_a_certificate_of_somebody_else_is_not_trusted(
    secure_kafka: SecureBroker, one_message: str, tmp_path: Path
) -> None:
    other, _ = make_certificate(tmp_path)
    message = str(refusal(secure_kafka.tls, one_message, tls={"ca": str(other)}))
    assert "is not trusted" in message
    assert "check kafka.tls.ca" in message


def test_a_port_without_tls_is_named(secure_kafka: SecureBroker, one_message: str) -> None:
    message = str(refusal(secure_kafka.bootstrap, one_message, tls={}))
    assert "does not speak TLS" in message


def test_files_that_hold_no_certificate_are_named(tmp_path: Path) -> None:
    for tls, key in (
        ({"ca": str(tmp_path / "missing.pem")}, "kafka.tls.ca"),
        ({"certificate": str(tmp_path / "missing.pem")}, "kafka.tls.certificate"),
    ):
        with pytest.raises(InputError, match=f"{key}.*missing.pem: No such file"):
            KafkaSource(KafkaCluster.model_validate({"tls": tls}), ["t"])


def test_dead_letters_are_written_by_the_same_user_through_tls(secure_kafka: SecureBroker, one_message: str) -> None:
    tls, sasl = {"ca": str(secure_kafka.certificate)}, {"mechanism": "SCRAM-SHA-256", **LOGIN}
    cluster = {"bootstrap": [secure_kafka.sasl_tls], "tls": tls, "sasl": sasl}
    outlet = KafkaOutlet(KafkaCluster.model_validate(cluster))
    outlet.open([one_message])
    outlet.send(one_message, Message(b"bad", 5))
    assert [written.offset for written in outlet.flush()] == [1]
    outlet.close()

    wrong = KafkaOutlet(KafkaCluster.model_validate({**cluster, "sasl": {**sasl, "password": "wrong"}}))
    with pytest.raises(SourceError, match=r"check mechanism, user") as caught:
        wrong.open([one_message])
    assert not caught.value.retryable


# -- rights ------------------------------------------------------------------------------------------------------


def allow_only(kafka: SecureBroker, user: str, operation: ACLOperation, kind: ResourceType, name: str) -> None:
    """From now on only this is allowed with a topic or group, and only to the user."""
    right = ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
    with kafka.admin() as admin:
        assert admin.create_acls([right])["succeeded"]


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (("nobody", ACLOperation.READ, ResourceType.GROUP), r"GroupAuthorization.*Read on its group"),
        ((USER, ACLOperation.DESCRIBE, ResourceType.TOPIC), r"TopicAuthorization.*needs Describe and Read"),
        (("nobody", ACLOperation.READ, ResourceType.TOPIC), r"does not exist .*or the service has no right to see it"),
    ],
    ids=["group", "topic", "topic_unseen"],
)
def test_a_right_that_is_missing_is_named(
    secure_kafka: SecureBroker, one_message: str, allowed: tuple[str, ACLOperation, ResourceType], said: str
) -> None:
    allow_only(secure_kafka, *allowed, one_message)
    with pytest.raises(SourceError, match=said) as caught:
        reads_as_a_member(secure_kafka.sasl, one_message)
    # A topic that is not seen cannot be told from one that is still to come.
    assert caught.value.retryable is ("does not exist" in said)


def reads_as_a_member(address: str, topic: str) -> bool:
    with opened(address, topic, bounded=False, sasl={"mechanism": "PLAIN", **LOGIN}) as reader:
        return bool(read(reader, 1))


# -- tokens ------------------------------------------------------------------------------------------------------


def bearer(**source: Any) -> dict[str, Any]:
    return {"mechanism": "OAUTHBEARER", "token": source}


def test_a_token_that_is_stated_or_in_a_file_lets_in(
    secure_kafka: SecureBroker, one_message: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token() + "\n")
    assert reads(secure_kafka.sasl, one_message, sasl=bearer(value=token()))
    assert reads(secure_kafka.sasl, one_message, sasl=bearer(file=str(file)))


def test_an_expired_token_is_not_tried_again(secure_kafka: SecureBroker, one_message: str) -> None:
    message = str(refusal(secure_kafka.sasl, one_message, sasl=bearer(value=token(lifetime_s=-5))))
    assert "token of kafka.sasl" in message


def test_a_token_that_is_not_renewed_ends_reading_and_says_so(
    secure_kafka: SecureBroker, one_message: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token(lifetime_s=3))
    with (
        opened(secure_kafka.sasl, one_message, bounded=False, sasl=bearer(file=str(file))) as reader,
        pytest.raises(SourceError, match=r"token of kafka.sasl") as caught,
    ):
        read(reader, 2)  # there is one message
    assert not caught.value.retryable


def test_a_token_that_is_renewed_in_its_file_lets_reading_go_on(
    secure_kafka: SecureBroker, one_message: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token(lifetime_s=2))
    expired_s = time.time() + 3
    with opened(secure_kafka.sasl, one_message, bounded=False, sasl=bearer(file=str(file))) as reader:
        read(reader, 1)
        file.write_text(token())
        while time.time() < expired_s:
            reader.poll(10, 0.1)
        produce(secure_kafka, one_message, [b"later"])
        assert read(reader, 1)[0] == [(1, b"later")]


def test_a_token_file_that_is_missing_is_named(secure_kafka: SecureBroker, one_message: str) -> None:
    with (
        pytest.raises(SourceError, match=r"kafka.sasl.token.file: nowhere: .*No such file") as caught,
        opened(secure_kafka.sasl, one_message, sasl=bearer(file="nowhere")),
    ):
        pass
    assert not caught.value.retryable


class _TokenServer(BaseHTTPRequestHandler):
    """Gives tokens to one client."""

    asked: list[tuple[str, dict[str, list[str]]]]
    make: Callable[[], str]

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.asked.append((self.headers["authorization"], form))
        known = "Basic " + b64encode(b"leeway:s%3Acret").decode()
        body = {"access_token": self.make(), "expires_in": 3600} if self.headers["authorization"] == known else {}
        content = json.dumps(body or {"error": "invalid_client"}).encode()
        self.send_response(200 if body else 401)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def token_server() -> Iterator[tuple[str, type[_TokenServer]]]:
    handler = type("Handler", (_TokenServer,), {"asked": [], "make": staticmethod(token)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token", handler
        server.shutdown()
        thread.join()


def test_a_token_is_fetched_with_the_client_s_credentials_once_for_all_connections(
    secure_kafka: SecureBroker, one_message: str, token_server: tuple[str, type[_TokenServer]]
) -> None:
    url, handler = token_server
    sasl = bearer(url=url, client_id="leeway", client_secret="s:cret", scope="kafka")
    with opened(secure_kafka.sasl, one_message, bounded=False, sasl=sasl) as reader:
        assert read(reader, 1)[0] == [(0, b"hello")]
    [(_, form)] = handler.asked
    assert form == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


def test_a_client_that_the_token_s_server_does_not_know_is_not_tried_again(
    secure_kafka: SecureBroker, one_message: str, token_server: tuple[str, type[_TokenServer]]
) -> None:
    url, _ = token_server
    sasl = bearer(url=url, client_id="leeway", client_secret="wrong")
    with (
        pytest.raises(SourceError, match="gives no token: invalid_client; check url, client_id") as caught,
        opened(secure_kafka.sasl, one_message, sasl=sasl),
    ):
        pass
    assert not caught.value.retryable


def test_a_token_s_server_that_is_away_is_worth_another_try(secure_kafka: SecureBroker, one_message: str) -> None:
    sasl = bearer(url="http://127.0.0.1:1/token", client_id="leeway", client_secret="secret")
    with (
        pytest.raises(SourceError, match=r"no token from http://127.0.0.1:1/token: .*refused") as caught,
        opened(secure_kafka.sasl, one_message, sasl=sasl),
    ):
        pass
    assert caught.value.retryable


def test_a_token_is_replaced_before_it_expires() -> None:
    answers = iter([("first", 600), ("second", 100), ("third", None), ("fourth", None)])

    def answer(_request: httpx.Request) -> httpx.Response:
        name, lifetime_s = next(answers)
        return httpx.Response(200, json={"access_token": name} | ({"expires_in": lifetime_s} if lifetime_s else {}))

    clock = ManualClock()
    spec = KafkaToken.model_validate({"url": "https://login/token", "client_id": "a", "client_secret": "b"})
    provider = TokenProvider(spec, clock, httpx.MockTransport(answer))
    given = []
    for later_s in (0, 569, 1, 89, 1, 0):
        clock.advance(later_s)
        given.append(provider.token())
    assert given == ["first", "first", "second", "second", "third", "fourth"]


def test_a_token_s_server_whose_answer_drips_is_left_after_the_time_out() -> None:
    with Dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n") as server:
        spec = KafkaToken.model_validate(
            {"url": server.url, "client_id": "a", "client_secret": "hidden", "timeout": "300ms"}
        )
        with pytest.raises(SourceError, match="timed out after 300 ms") as caught:
            TokenProvider(spec, ManualClock()).token()
        assert server.was_left
    assert caught.value.retryable


def test_a_token_s_server_that_wants_a_certificate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", f"{files[0]}")
    with Refusing(*files) as server:
        spec = KafkaToken.model_validate({"url": server.url, "client_id": "a", "client_secret": "hidden"})
        with pytest.raises(SourceError, match=r"no token from https.*certificate required") as caught:
            TokenProvider(spec, ManualClock()).token()
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (httpx.Response(503), True),
        (httpx.Response(429), True),
        (httpx.Response(404), False),
        (httpx.Response(200, text="<html>"), False),
        (httpx.Response(200, json={"access_token": ""}), False),
        (httpx.Response(400, json={"error": "invalid_scope", "error_description": "no such scope"}), False),
    ],
)
def test_what_a_token_s_server_answers_says_whether_to_try_again(answer: httpx.Response, retryable: bool) -> None:
    spec = KafkaToken.model_validate({"url": "https://login/token", "client_id": "a", "client_secret": "hidden"})
    with pytest.raises(SourceError) as caught:
        TokenProvider(spec, ManualClock(), httpx.MockTransport(lambda _request: answer)).token()
    assert caught.value.retryable is retryable
    assert "hidden" not in str(caught.value)
