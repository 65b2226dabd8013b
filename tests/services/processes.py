"""Programs that tests start: ports for them, and that none outlives the tests."""

from __future__ import annotations

import random
import socket
import subprocess
from pathlib import Path

__all__ = ["free_port", "is_free", "watch_over"]


def free_port() -> int:
    """Return a loopback port that nothing listens on, outside the range of outgoing connections.

    Inside that range a client that reconnects while the server is down can be given the server's
    own port as its source, connect to itself, and keep the server from coming back.
    """
    outgoing_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.SystemRandom().sample(range(10_000, outgoing_from), 50):
        if is_free(port):
            return port
    raise OSError("no free loopback port")


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port."""
    with socket.socket() as probe:
        # Connections of an earlier run that linger are no listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def watch_over(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that ends `pid` when this one is gone, however it went: then its pipe closes."""
    return subprocess.Popen(
        ["sh", "-c", 'read -r _; kill "$0"', str(pid)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
