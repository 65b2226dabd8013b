"""Which of the processes that share a store this one is."""

from __future__ import annotations

import socket

from monitor.config.service import ServiceSpec

__all__ = ["instance_of"]


def instance_of(spec: ServiceSpec, port: int | None = None) -> str:
    """Return a name that no other process has at the same time, and this one has again after a restart.

    Parameters
    ----------
    spec : ServiceSpec
    port : int or None
        Where it listens; as configured if None.
    """
    # First what people named it in its group: the host name of a container is new each time that one is made. The port
    # tells processes of one machine apart, which may have one file and one name: all of them listen.
    name = spec.kafka.instance or socket.gethostname()
    port = spec.api.port if port is None else port
    return f"{name}:{port}" if port else name
