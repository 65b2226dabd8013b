"""Which of the processes that share a store this one is."""

from __future__ import annotations

import socket
from collections.abc import Collection

from monitor.config.roles import ROLES
from monitor.config.service import ServiceSpec

__all__ = ["instance_of"]


def instance_of(spec: ServiceSpec, roles: Collection[str] = tuple(ROLES), port: int | None = None) -> str:
    """Return a name that this process has again after a restart, and that tells it apart from others.

    Processes of one machine with the same roles need ports, or ``kafka.instance``, of their own.

    Parameters
    ----------
    spec : ServiceSpec
    roles : collection of str
        Those that run here.
    port : int or None
        Where it listens; as configured if None. A port that is chosen anew at each start, 0, is left out.
    """
    # One file may serve several machines, and several processes of each: neither part is enough by itself.
    host = socket.gethostname()
    name = f"{spec.kafka.instance}@{host}" if spec.kafka.instance else host
    port = spec.api.port if port is None else port
    listening = f"{name}:{port}" if port else name
    taken = [role for role in ROLES if role in roles]
    return listening if taken == list(ROLES) else f"{listening}/{'+'.join(taken)}"
