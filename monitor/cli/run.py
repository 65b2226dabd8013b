"""``leeway run``: the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import socket
    import threading
    from types import FrameType

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
        service = Service(configuration, SystemClock(), roles=taken, waits_for_store=True, port=port, stop=stop)
        try:
            _start_and_serve(service, host, port, as_json=json_)
        finally:
            service.stop()
    except StartStoppedError:
        structlog.get_logger("leeway.service").info("stopped", while_it="waited for the store")
        return
    finally:
        end_tracing()
    service.raise_failure()


def _start_and_serve(service: Service, host: str | None, port: int | None, *, as_json: bool) -> None:
    listener = bind(service.configuration.service.spec.api, host, port)
    if service.stopping.is_set():
        listener.close()
        return
    service.start()
    serve(service, listener, as_json=as_json)


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


def serve(service: Service, listener: socket.socket, *, as_json: bool = False) -> None:
    """Serve the API, or where that is not its role the service's health, until a signal comes or the service stops.

    Requests that hang are left unfinished after :data:`GRACE_S`.
    Prints ``listening on http://HOST:PORT``, or ``https://…``, to stderr once connections are taken; with ``as_json``
    a line of the log says so.
    """
    import signal
    import threading
    from concurrent.futures import Future
    from functools import partial

    import uvicorn

    from monitor.api.app import HEALTH, ROUTERS, create_app
    from monitor.api.handshake import encrypted
    from monitor.api.http_protocol import Connection
    from monitor.web import PAGES

    app = create_app(service, (*PAGES, *ROUTERS) if "api" in service.roles else HEALTH)
    http: Any = partial(Connection, app.state.connections)
    certificate = service.certificate
    if certificate is not None:
        http = partial(encrypted, app.state.connections, certificate.context)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=http,
        proxy_headers=False,  # else any client says from where it asks
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    served: Future[None] = Future()

    def run() -> None:
        try:
            server.run(sockets=[listener])
            served.set_result(None)
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            served.set_exception(error)

    def leave() -> None:
        service.stopping.wait()
        app.state.stopping.set()
        server.should_exit = True

    def on_signal(number: int, frame: FrameType | None) -> None:
        app.state.stopping.set()
        server.force_exit = server.should_exit
        server.should_exit = True

    threading.Thread(target=leave, name="leave", daemon=True).start()
    _reload_on_hangup(service)
    former = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    with listener:
        listener.listen()
        _say_address(listener, "http" if certificate is None else "https", as_json=as_json)
        # Threads that work for requests are daemons only if this one is: others would hold up the process's end.
        threading.Thread(target=run, name="serve", daemon=True).start()
        try:
            served.result()
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _say_address(listener: socket.socket, scheme: str, *, as_json: bool) -> None:
    """Say on stderr where connections are taken."""
    import structlog

    host, port = listener.getsockname()[:2]
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
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
