"""The program: ``python -m tests.services.clickhouse``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import stat
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from tests.services.clickhouse.chdb import Engine
from tests.services.clickhouse.faults import Plan
from tests.services.clickhouse.server import Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until someone asks for the end; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.services.clickhouse", description="ClickHouse, locally")
    parser.add_argument("--port", type=int, default=9000, help="of 127.0.0.1, for the native protocol")
    parser.add_argument("--secure-port", type=int, help="the same, with TLS")
    parser.add_argument("--certificate", nargs=2, type=Path, metavar=("CERTIFICATE", "KEY"), help="for --secure-port")
    parser.add_argument("--data", type=Path, help="folder that is kept; without it a temporary one")
    parser.add_argument("--users", type=json.loads, default={"default": ""}, help='passwords: {"default": ""}')
    options = parser.parse_args(arguments)
    # Standard output is for whoever gives commands.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if options.data:
        _serve(options, options.data)
    else:
        with tempfile.TemporaryDirectory(prefix="leeway-clickhouse-") as scratch:
            _serve(options, Path(scratch))
    return 0


def _serve(options: argparse.Namespace, data: Path) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    data.mkdir(parents=True, exist_ok=True)
    server = Server(Engine(data / "store"), Plan(data / "faults.jsonl"), options.users)
    server.listen(options.port)
    if options.secure_port:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.certificate)
        server.listen(options.secure_port, tls)
    print(f"ready 127.0.0.1:{options.port}", flush=True)
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        threading.Thread(target=_obey, args=[server, ended], daemon=True).start()
    ended.wait()
    server.refuse()


def _obey(server: Server, ended: threading.Event) -> None:
    """Carry out commands from standard input, a line of JSON each, until it ends."""
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "refuse":
            server.refuse()
        elif command["do"] == "accept":
            server.accept_again()
        else:
            server.plan.obey(command)
        print("done", flush=True)
    ended.set()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Without the engine's own end, which now and then takes half a minute; what it has acknowledged is on the disk.
    os._exit(status)
