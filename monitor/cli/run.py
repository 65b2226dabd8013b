"""``leeway run``: the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import socket
    import threading
    from types import FrameType

    from monitor.api.server import Server
    from monitor.clock import Clock
    from monitor.config import Configuration
    from monitor.config.service import Api
    from monitor.service import Service

__all__ = ["GRACE_S", "bind", "command", "serve"]

GRACE_S = 10
"""Requests that are under way get so long to end."""


@click.command("run")
@click.argument("config", type=click.Path())
@click.option("--host", help="Overrides spec.api.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Overrides spec.api.port; 0 takes a free one.")
@click.option("--roles", default="ingest,evaluate,alert,api", show_default=True, help="What this process does.")
@click.option("--json", "json_", is_flag=True, help="Log JSON lines.")
def command(config: str, host: str | None, port: int | None, roles: str, *, json_: bool) -> None:
    """Read, evaluate, alert and serve the API until interrupted.

    CONFIG is a service's file, a folder with one, or a model's file: then everything else has its default.
    SIGTERM and Ctrl-C end it cleanly; after any other end it continues from its checkpoints. SIGHUP takes up who is
    notified, the models and the API's certificate, as the files have them now.

    With a ClickHouse store the roles may be spread over several processes: any number that ingest, one that evaluates
    and one that alerts. Without the role api a process serves only /healthz, /readyz, /metrics and /v1/status.
    """
    # First: what is imported here takes a second, and the store seconds to open.
    with _ended_by_signals() as stop:
        _run(config, host, port, roles, stop, json_=json_)


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Lend what SIGTERM and SIGINT set, until others take them."""
    import signal
    import threading

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    stop = threading.Event()
    former = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _run(config: str, host: str | None, port: int | None, roles: str, stop: threading.Event, *, json_: bool) -> None:
    import structlog

    from monitor.api.server import Server
    from monitor.build import build_tracing
    from monitor.check import load
    from monitor.clock import SystemClock
    from monitor.config.access import unguarded
    from monitor.config.roles import check_roles, parse_roles
    from monitor.errors import InputError, StartStoppedError
    from monitor.logs import log_to_stderr
    from monitor.service import Service

    log_to_stderr(as_json=json_)
    configuration, taken = load(config, certificate=True), parse_roles(roles)
    check_roles(taken, configuration)
    if host is not None and (reason := unguarded(configuration.service.spec.access, host)):
        raise InputError(f"--host: {reason}")
    if configuration.service.spec.access == "none":
        structlog.get_logger("leeway.service").warning(
            "nobody is asked for a token: whoever reaches the port may do everything"
        )
    end_tracing = build_tracing(configuration, taken)
    try:
        with closing(Server(bind(configuration.service.spec.api, host, port), GRACE_S)) as server:
            clock = SystemClock()
            on_wait = _answer_probes(server, configuration, clock)
            service = Service(
                configuration, clock, roles=taken, waits_for_store=True, port=port, stop=stop, on_wait=on_wait
            )
            try:
                _start_and_serve(service, server, as_json=json_)
            finally:
                service.stop()
    except StartStoppedError:
        structlog.get_logger("leeway.service").info("stopped", while_it="waited for the store")
        return
    finally:
        end_tracing()
    service.raise_failure()


def _answer_probes(server: Server, configuration: Configuration, clock: Clock) -> Callable[[str], None]:
    """Answer probes until the service is made; return what has them hear what its start waits for."""
    import structlog

    from monitor.api.starting import Starting
    from monitor.build import build_certificate

    spec, starting = configuration.service.spec, Starting(clock)
    certificate = build_certificate(configuration, clock)
    server.answer(starting.app(spec), starting.limits(spec), certificate)
    structlog.get_logger("leeway.service").info("starting: probes are answered", url=server.url(certificate))

    def on_wait(reason: str) -> None:
        starting.wait(reason)
        if certificate is not None:
            certificate.follow()

    return on_wait


def _start_and_serve(service: Service, server: Server, *, as_json: bool) -> None:
    if service.stopping.is_set():
        return
    service.start()
    serve(service, server, as_json=as_json)


def bind(api: Api, host: str | None = None, port: int | None = None) -> socket.socket:
    """Take the API's address, by default that of the configuration.

    Raises
    ------
    SourceError
        If it cannot be had.
    """
    import socket

    from monitor.errors import SourceError

    address = (host or api.host, api.port if port is None else port)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # Only of a socket that says TCP does asyncio send small answers at once; else each waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SourceError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}", retryable=False) from error
    return listener


def serve(service: Service, server: Server, *, as_json: bool = False) -> None:
    """Serve the API, or where that is not its role the service's health, until a signal comes or the service stops.

    Prints ``listening on http://HOST:PORT``, or ``https://…``, to stderr once it answers; with ``as_json`` a line of
    the log says so.
    """
    import signal
    import threading

    from monitor.api.app import HEALTH, ROUTERS, create_app
    from monitor.web import PAGES

    app = create_app(service, (*PAGES, *ROUTERS) if "api" in service.roles else HEALTH)

    def leave() -> None:
        service.stopping.wait()
        app.state.stopping.set()
        server.stop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        app.state.stopping.set()
        server.stop(hurries=True)

    threading.Thread(target=leave, name="leave", daemon=True).start()
    _reload_on_hangup(service)
    former = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.answer(app, app.state.connections, service.certificate)
        _say_address(server.url(service.certificate), as_json=as_json)
        server.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _say_address(url: str, *, as_json: bool) -> None:
    """Say on stderr where the API answers."""
    import structlog

    if as_json:
        structlog.get_logger("leeway.service").info(f"listening on {url}", url=url)
    else:
        click.echo(f"listening on {url}", err=True)


def _reload_on_hangup(service: Service) -> None:
    """Take up who is notified at each SIGHUP; what is wrong is logged, and everything stays as it is then."""
    import signal
    import threading

    import structlog

    from monitor.errors import LeewayError

    def reload() -> None:
        try:
            service.reload()
        except LeewayError as error:
            structlog.get_logger("leeway.service").error("nothing was reloaded", reason=str(error))

    def on_signal(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=reload, name="reload", daemon=True).start()

    signal.signal(signal.SIGHUP, on_signal)
