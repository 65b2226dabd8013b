"""Run a broker from a shell: ``python -m tests.services.kafka run``."""

from __future__ import annotations

import argparse
import os
import signal
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from tests.services.cache import UnavailableError
from tests.services.kafka import Broker, fetch


def serve(broker: Broker, out: TextIO) -> int:
    """Run a broker until someone asks for its end; return the exit status.

    Parameters
    ----------
    broker
        Not started yet.
    out
        Gets the line ``ready host:port``.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with broker:
        print(f"ready {broker.bootstrap}", file=out, flush=True)
        if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            threading.Thread(target=_set_at_end_of_input, args=[ended], daemon=True).start()
        while not ended.wait(0.2):
            if not broker.running:
                print(f"the broker stopped:\n{broker.log_tail()}", file=sys.stderr)
                return 1
    return 0


def _set_at_end_of_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.services.kafka", description="Apache Kafka, locally")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="copy Kafka's jars into the cache, once")
    run = verbs.add_parser("run", help="run a broker until SIGTERM or the end of standard input")
    run.add_argument("--port", type=int, default=0, help="for clients; 0 picks a free one")
    run.add_argument("--data", type=Path, help="folder that is kept; without it a temporary one")
    options = parser.parse_args(arguments)
    try:
        if options.verb == "fetch":
            print(fetch())
            return 0
        return serve(Broker(options.data, options.port, for_load=True), sys.stdout)
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
