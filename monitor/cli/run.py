"""``leeway run``: the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

    from monitor.service import Service

__all__ = ["command", "serve"]


@click.command("run")
@click.argument("config", type=click.Path())
@click.option("--host", help="Overrides spec.api.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Overrides spec.api.port; 0 takes a free one.")
@click.option("--json", "json_", is_flag=True, help="Log JSON lines.")
def command(config: str, host: str | None, port: int | None, *, json_: bool) -> None:
    """Read, judge, alert and serve the API until interrupted.

    CONFIG is a service's file, a folder with one, or a model's file: then everything else has its default.
    SIGTERM and Ctrl-C end it cleanly; after any other end it goes on where its checkpoints say.
    """
    from monitor.clock import SystemClock
    from monitor.config import load
    from monitor.logs import log_to_stderr
    from monitor.service import Service

    log_to_stderr(as_json=json_)
    service = Service(load(config), SystemClock())
    service.start()
    try:
        serve(service, host, port)
    finally:
        service.stop()
    service.raise_failure()


def serve(service: Service, host: str | None = None, port: int | None = None) -> None:
    """Serve the API until a signal comes or the service stops.

    Prints ``listening on http://HOST:PORT`` to stderr once it does.
    """
    import socket
    import threading

    import uvicorn

    from monitor.api.app import create_app
    from monitor.errors import SourceError

    api = service.configuration.service.spec.api
    app = create_app(service)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    address = (host or api.host, api.port if port is None else port)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SourceError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror}", retryable=False) from error
    bound_host, bound_port = listener.getsockname()
    click.echo(f"listening on http://{bound_host}:{bound_port}", err=True)

    def leave() -> None:
        service.stopping.wait()
        app.state.stopping.set()
        server.should_exit = True

    threading.Thread(target=leave, name="leave", daemon=True).start()
    handle_exit = server.handle_exit

    def on_signal(signal: int, frame: FrameType | None) -> None:
        app.state.stopping.set()
        handle_exit(signal, frame)

    server.handle_exit = on_signal  # type: ignore[method-assign, assignment]
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again once everything is closed; that is the wanted end
    finally:
        listener.close()
