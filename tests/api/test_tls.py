"""An API that encrypts: its certificate is renewed without a pause, and those of clients have roles."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import uvicorn
from cryptography import x509
from prometheus_client import CollectorRegistry

from monitor.access.roles import MAY, Role
from monitor.api.app import ROUTERS, create_app
from monitor.api.connections import Connections
from monitor.api.handshake import encrypted
from monitor.api.http_protocol import CLIENT_CERTIFICATE
from monitor.api.needs import FREE, NEEDS
from monitor.client import AsyncLeeway, Leeway, UnreachableError
from monitor.clock import ManualClock, SystemClock
from monitor.config.listener_tls import ListenerTls
from monitor.config.service import Service
from monitor.tls import files
from monitor.tls.client import ClientTls
from monitor.tls.files import WrongFileError
from monitor.tls.listener import ListenerCertificate
from monitor.web import PAGES
from tests.api.world import Client, World, configured, document, model
from tests.cli.console import Console
from tests.service.shop import wait_until
from tests.services.alertmanager import amtool
from tests.services.certificates import DAY, Authority, make_certificate
from tests.services.refusing import Refusing

ROLES: tuple[Role, ...] = get_args(Role)
OPERATIONS = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in operations
    if path not in FREE
]
CERTIFICATES = [{"subject": f"CN=the {role}", "role": role} for role in ROLES]


def guarded(**access: Any) -> World:
    tls = {"certificate": "server.pem", "key": "server.key", "client_ca": "authority.pem"}
    service = Service.model_validate(
        {"spec": {"api": {"tls": tls}, "access": {"certificates": CERTIFICATES, **access}}}
    )
    return World(configuration=replace(configured(model("fraud")), service=service))


class Served:
    """A service that encrypts."""

    def __init__(self, folder: Path, world: World, tls: ListenerTls, *, most: int, timeout_s: float) -> None:
        self.folder = folder
        self.app = create_app(world)
        self.app.state.stopping.set()
        self.registry = CollectorRegistry()
        self.limits = Connections(most, timeout_s, self.registry)
        self.certificate = ListenerCertificate(tls.files(folder), tls.context, SystemClock())
        self.address = ("", 0)
        self.clients = ExitStack()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.address[1]}"

    def closed(self, reason: str) -> float:
        return self.registry.get_sample_value("leeway_http_connections_closed_total", {"reason": reason}) or 0

    def client(self, certificate: tuple[Path, Path] | None = None) -> httpx.Client:
        cert, key = map(str, certificate) if certificate else ("", "")
        verify = ClientTls(str(self.folder / "authority.pem"), cert, key).context()
        return self.clients.enter_context(httpx.Client(base_url=self.url, verify=verify, timeout=60))

    def connect(self) -> socket.socket:
        return self.clients.enter_context(socket.create_connection(self.address, timeout=120))

    def is_left(self) -> bool:
        return self.registry.get_sample_value("leeway_http_connections") == 0

    def serial(self) -> int:
        """Of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        with context.wrap_socket(self.connect(), server_hostname="127.0.0.1") as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.sign_server()
    return authority


@contextmanager
def served(
    folder: Path, world: World | None = None, *, most: int = 100, timeout_s: float = 600, **tls: Any
) -> Iterator[Served]:
    spec = ListenerTls(certificate="server.pem", key="server.key", **tls)
    serving = Served(folder, world or World(), spec, most=most, timeout_s=timeout_s)
    http: Any = partial(encrypted, serving.limits, serving.certificate.context)
    config = uvicorn.Config(serving.app, log_level="error", lifespan="off", port=0, http=http)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()
    serving.address = listener.getsockname()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield serving
    finally:
        serving.clients.close()
        wait_until(serving.is_left, "all clients have left")
        server.should_exit = True
        thread.join(120)
        listener.close()


def test_an_encrypted_answer_asks_to_stay_so(authority: Authority) -> None:
    with served(authority.file.parent) as serving:
        client = serving.client()
        answer = client.get("/healthz")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        assert client.post("/v1/events/fraud", json={"amount": 1}).status_code == 202


def test_what_is_not_encrypted_or_in_an_old_way_is_not_answered(authority: Authority) -> None:
    with served(authority.file.parent, minimum="1.3") as serving:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(serving.url.replace("https", "http"))
        old = ssl.create_default_context(cafile=str(authority.file))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            httpx.get(serving.url, verify=old)
        wait_until(lambda: serving.closed("handshake") == 2, "both are counted")
        assert serving.client().get("/healthz").status_code == 200
    spec = ListenerTls(certificate="server.pem", key="server.key")
    context = spec.context(spec.files(authority.file.parent))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "half of a hello"])
def test_a_handshake_that_does_not_go_on_is_given_up(sent: bytes, authority: Authority) -> None:
    with served(authority.file.parent, timeout_s=0.1) as serving:
        connection = serving.connect()
        connection.sendall(sent)
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""
        wait_until(lambda: serving.closed("handshake") == 1, "it is counted")


def test_handshakes_that_do_not_go_on_give_way_to_others(authority: Authority) -> None:
    with served(authority.file.parent, most=3) as serving:
        silent = [serving.connect() for _ in range(3)]
        assert serving.client().get("/healthz").status_code == 200
        with suppress(ConnectionResetError):
            assert silent[0].recv(1) == b""
        assert serving.closed("crowded") == 1


def test_where_every_connection_is_at_work_there_is_no_handshake(authority: Authority) -> None:
    with served(authority.file.parent, most=0) as serving:
        connection = serving.connect()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        assert serving.closed("crowded") == 1


def test_a_new_certificate_is_shown_to_whoever_comes_and_nobody_is_cut_off(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.sign_server()
    with served(tmp_path) as serving:
        client = serving.client()
        former = serving.serial()
        assert client.get("/healthz").status_code == 200
        authority.sign_server()
        serving.certificate.follow()
        assert serving.serial() == former, "who writes files one by one has some time"
        serving.certificate.follow()
        assert serving.serial() != former
        (connection,) = client._transport._pool.connections  # type: ignore[attr-defined]
        assert client.get("/healthz").status_code == 200
        assert client._transport._pool.connections == [connection]  # type: ignore[attr-defined]


def test_a_new_certificate_that_cannot_be_used_is_said_and_the_former_stays(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.sign_server()
    with served(tmp_path) as serving:
        former, file = serving.serial(), str(tmp_path / "server.pem")
        assert serving.certificate.holding() == {}
        authority.sign("other", ["other"])
        os.replace(tmp_path / "other.key", tmp_path / "server.key")
        for _ in range(3):
            serving.certificate.follow()
        assert serving.serial() == former
        assert "server.key is not the key of the certificate" in serving.certificate.holding()[file]
        with pytest.raises(WrongFileError):
            serving.certificate.renew()
        authority.sign_server()
        serving.certificate.renew()
        assert serving.certificate.holding() == {}
        assert serving.serial() != former


def test_a_key_that_can_be_read_only_later_is_taken_up_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority(tmp_path).sign_server()
    spec = ListenerTls(certificate="server.pem", key="server.key")
    certificate = ListenerCertificate(spec.files(tmp_path), spec.context, SystemClock())
    Authority(tmp_path).sign_server()
    key, read = tmp_path / "server.key", files._check_readable

    def refused_key(name: str, path: Path) -> bytes:
        if path == key:
            raise WrongFileError(name, f"{path}: Permission denied")
        return read(name, path)

    with monkeypatch.context() as forbidden:
        # Root reads whatever the mode says.
        forbidden.setattr(files, "_check_readable", refused_key)
        for _ in range(3):
            certificate.follow()
        assert "Permission denied" in "".join(certificate.holding().values())
    key.chmod(0o640)
    for _ in range(2):
        certificate.follow()
    assert certificate.holding() == {}


@pytest.mark.parametrize("gone", ["server.key", "authority.pem"])
def test_a_file_that_vanishes_while_it_is_read_is_named(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Authority(tmp_path).sign_server()
    spec = ListenerTls(certificate="server.pem", key="server.key", client_ca="authority.pem")
    certificate = ListenerCertificate(spec.files(tmp_path), spec.context, SystemClock())
    read = files._check_readable

    def read_and_lose(name: str, path: Path) -> bytes:
        text = read(name, path)
        if path.name == gone:
            path.unlink()
        return text

    monkeypatch.setattr(files, "_check_readable", read_and_lose)
    Authority(tmp_path).sign_server()
    for _ in range(2):
        certificate.follow()
    assert f"{gone}: No such file" in "".join(certificate.holding().values())


@pytest.mark.parametrize(
    ("lasts", "passed", "said"),
    [
        (timedelta(days=90), timedelta(days=50), ""),
        (timedelta(days=90), timedelta(days=60), "is not renewed yet"),
        (timedelta(hours=24), timedelta(hours=15), ""),
        (timedelta(hours=24), timedelta(hours=17), "is not renewed yet"),
        (timedelta(days=90), timedelta(days=91), "ended at"),
    ],
)
def test_that_a_certificate_ends_is_said_when_it_should_have_been_renewed(
    lasts: timedelta, passed: timedelta, said: str, tmp_path: Path
) -> None:
    Authority(tmp_path).sign_server(lasts=lasts)
    spec, passed_ms = (
        ListenerTls(certificate="server.pem", key="server.key"),
        (passed - DAY) // timedelta(milliseconds=1),
    )
    clock = ManualClock(SystemClock().now_ms() + passed_ms)
    certificate = ListenerCertificate(spec.files(tmp_path), spec.context, clock)
    assert [title for title in certificate.holding().values() if said not in title] == []
    assert bool(certificate.holding()) == bool(said)
    (metric,) = certificate.collect()
    assert metric.samples[0].value == pytest.approx((lasts - passed).total_seconds(), abs=30)


def shown(*names: tuple[str, str], ends: str = "Jan  5 09:34:43 2030 GMT", alternatives: Any = ()) -> dict[str, Any]:
    return {"subject": tuple(((name),) for name in names), "notAfter": ends, "subjectAltName": alternatives}


class Certified(Client):
    """Asks as if each connection had shown a certificate."""

    def __init__(self, world: World, **options: Any) -> None:
        super().__init__(world, **options)
        self.certificate: dict[str, Any] | None = None
        self.app.state.stopping.set()
        application = self.app

        async def shown(scope: Any, receive: Any, send: Any) -> None:
            state = {} if self.certificate is None else {CLIENT_CERTIFICATE: self.certificate}
            await application({**scope, "state": state}, receive, send)

        self.app = shown  # type: ignore[assignment]


@pytest.fixture(scope="module")
def certified() -> Certified:
    return Certified(guarded(), routers=(*ROUTERS, *PAGES))


def test_a_certificate_does_what_its_role_may_on_every_route(certified: Certified) -> None:
    # Roles are the same as those of tokens, with which each is tried on each route.
    for (method, path), role in zip(OPERATIONS, cycle(ROLES), strict=False):
        certified.certificate = shown(("commonName", f"the {role}"))
        answer = certified.request(method, path)
        may = NEEDS[f"{method} {path}"] in MAY[role]
        assert (answer.status_code not in (401, 403)) == may, f"{method} {path} as {role}"
        assert may or f"the token 'CN=the {role}' has {role}" in answer.text


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (None, "this service asks for a token"),
        (shown(("commonName", "the stranger")), "the certificate of 'CN=the stranger' has no role here"),
        (shown(("organizationName", "the admin")), "the certificate of nobody has no role here"),
        (shown(("commonName", "the admin"), ("commonName", "x")), "has no role here"),
        (shown(alternatives=(("DNS", "the admin"),)), "the certificate of 'DNS:the admin' has no role here"),
        (shown(("commonName", "the admin"), ends="Jan  5 09:34:43 2020 GMT"), "has expired"),
    ],
    ids=["none", "unknown", "another part of the subject", "two names", "another kind of name", "expired since"],
)
def test_no_other_certificate_does_anything(
    certificate: dict[str, Any] | None, reason: str, certified: Certified
) -> None:
    certified.certificate = certificate
    for method, path in OPERATIONS if certificate is None else OPERATIONS[:10]:
        answer = certified.request(method, path)
        assert (answer.status_code, reason in answer.text) == (401, True)


def test_a_token_counts_before_a_certificate(certified: Certified) -> None:
    certified.certificate = shown(("commonName", "the admin"))
    assert certified.request("GET", "/v1/models", headers={"Authorization": "Bearer forged"}).status_code == 401


def test_certificates_of_known_authorities_have_roles(authority: Authority, tmp_path: Path) -> None:
    viewer, stranger = authority.sign("viewer", ["the viewer"]), authority.sign("stranger", ["the stranger"])
    foreign = Authority(tmp_path).sign("admin", ["the admin"])
    with served(authority.file.parent, guarded(), client_ca="authority.pem") as serving:
        assert serving.client(viewer).get("/v1/models").status_code == 200
        assert serving.client(viewer).post("/v1/marks", json={}).status_code == 403
        assert serving.client(stranger).get("/v1/models").status_code == 401
        assert serving.client().get("/v1/models").status_code == 401
        assert serving.client().get("/healthz").status_code == 200
        with pytest.raises(httpx.TransportError):
            serving.client(foreign).get("/healthz")
    with served(authority.file.parent, guarded(), client_ca="authority.pem", clients="must") as serving:
        assert serving.client(viewer).get("/healthz").status_code == 200
        with pytest.raises(httpx.TransportError):
            serving.client().get("/healthz")


def test_other_authorities_count_for_whoever_comes_after(tmp_path: Path) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    authority.sign_server()
    viewer = clients.sign("viewer", ["the viewer"])
    with served(tmp_path, guarded(), client_ca="clients.pem") as serving:
        assert serving.client(viewer).get("/v1/models").status_code == 200
        Authority(tmp_path, "clients")
        serving.certificate.renew()
        with pytest.raises(httpx.TransportError):
            serving.client(viewer).get("/v1/models")


def asked_anew(serving: Served, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[bytes, Any]:
    """The beginning of an answer, if there is one, and what a next connection may resume."""
    try:
        with context.wrap_socket(serving.connect(), server_hostname="127.0.0.1", session=session) as connection:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(12), connection.session
    except OSError:
        return b"", None


@pytest.mark.parametrize(("version", "first"), [("TLSv1_2", b""), ("TLSv1_3", b"HTTP/1.1 200")])
def test_no_session_of_former_authorities_is_resumed(version: str, first: bytes, tmp_path: Path) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    authority.sign_server()
    context = ClientTls(str(authority.file), *map(str, clients.sign("viewer", ["the viewer"]))).context()
    assert isinstance(context, ssl.SSLContext)
    context.maximum_version = ssl.TLSVersion[version]
    with served(tmp_path, guarded(), client_ca="clients.pem") as serving:
        answer, session = asked_anew(serving, context)
        assert answer == first
        Authority(tmp_path, "clients")
        serving.certificate.renew()
        assert asked_anew(serving, context, session)[0] == b""


def test_the_client_trusts_and_shows_what_it_is_told(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = map(str, authority.sign("viewer", ["the viewer"]))
    with served(authority.file.parent, guarded(), client_ca="authority.pem") as serving:
        with Leeway(serving.url, tls=ClientTls(str(authority.file), cert, key)) as leeway:
            assert [row["name"] for row in leeway.models()] == ["fraud"]
        with Leeway(serving.url, retries=0) as leeway, pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY"):
            list(leeway.models())
        for name, value in (("CA", str(authority.file)), ("CERT", cert), ("KEY", key)):
            monkeypatch.setenv(f"LEEWAY_{name}", value)
        with Leeway(serving.url) as leeway:
            assert [row["name"] for row in leeway.models()] == ["fraud"]


def test_a_client_without_the_certificate_that_is_wanted_is_told_so(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ClientTls(str(certificate))

    async def ask(url: str) -> None:
        async with AsyncLeeway(url, retries=0, tls=tls) as leeway:
            with pytest.raises(UnreachableError, match="certificate required"):
                _ = [row async for row in leeway.models()]
            with pytest.raises(UnreachableError, match="certificate required"):
                _ = [happened async for happened in leeway.follow()]

    with Refusing(certificate, key) as server:
        asyncio.run(ask(server.url))
        with Leeway(server.url, retries=0, tls=tls) as leeway:
            with pytest.raises(UnreachableError, match="certificate required"):
                list(leeway.models())
            with pytest.raises(UnreachableError, match="certificate required"):
                next(iter(leeway.follow()))


def test_a_client_trusts_whom_the_environment_names_when_it_is_made(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEEWAY_CA", raising=False)
    assert len(ClientTls().context().get_ca_certs()) > 1
    # As in a notebook, after the first try.
    monkeypatch.setenv("SSL_CERT_FILE", f"{authority.file}")
    assert len(ClientTls().context().get_ca_certs()) == 1


def test_so_does_amtool(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.sign("editor", ["the editor"])
    file = tmp_path / "amtool.yaml"
    file.write_text(f"tls_config: {{ca_file: {authority.file}, cert_file: {cert}, key_file: {key}}}")
    with served(authority.file.parent, guarded(), client_ca="authority.pem") as serving:
        words = (f"--alertmanager.url={serving.url}", f"--http.config.file={file}", "silence")
        assert amtool(*words, "add", "--comment=night", "model=fraud").strip() in amtool(*words, "query")


def test_so_do_commands(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(capsys)
    cert, key = map(str, authority.sign("editor", ["the editor"]))
    options = ("--ca", str(authority.file), "--cert", cert, "--key", key)
    with served(authority.file.parent, guarded(), client_ca="authority.pem") as serving:
        listed = console("subscriptions", "--url", serving.url, *options)
        assert listed.code == 0, listed.err
        made = console("silence", "add", "model=fraud", "--for", "1h", "--comment", "x", "--url", serving.url, *options)
        assert made.code == 0, made.err
        refused = console("token", "list", "--url", serving.url, *options)
        assert "the token 'CN=the editor' has editor" in refused.err
        assert "self-signed certificate" in console("subscriptions", "--url", serving.url).err
        missing = console("subscriptions", "--url", serving.url, "--ca", "missing.pem")
        assert (missing.code, "missing.pem cannot be used: No such file" in missing.err) == (2, True)
