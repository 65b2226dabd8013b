"""By which names the API answers: a page of a stranger's must not reach it through a name of the stranger's own.

A browser lets a page of ``evil.example`` read what ``evil.example`` answers, also once that name leads to this machine
(DNS rebinding). The header ``Host`` gives it away.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from fnmatch import fnmatchcase
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.problems import ProblemError, problem
from monitor.config.service import ServiceSpec

__all__ = ["AllowedHosts", "is_known", "name_of", "names_of"]

PROBES = frozenset({"/healthz", "/readyz"})
"""They say nothing that is worth a detour, and whoever probes may have a name of its own for this machine."""


class AllowedHosts:
    """Refuses requests to a name that nobody has said is this service's.

    Addresses and names without a dot need not be said: no stranger owns them.

    Parameters
    ----------
    app : ASGI application
    names : collection of str
        In lower case; ``*`` stands for any part of a name.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = name_of(Headers(scope=scope).get("host", "")) if scope["type"] == "http" else ""
        if (
            not host
            or scope.get("path", "").removeprefix(scope.get("root_path", "")) in PROBES
            or _is_nobodys(host)
            or is_known(host, self._names)
        ):
            await self._app(scope, receive, send)
            return
        detail = f"this service is not known as {host!r}: if it should be, add the name to spec.api.hosts"
        await problem(Request(scope), ProblemError("misdirected", detail))(scope, receive, send)


def is_known(host: str, names: Collection[str]) -> bool:
    """Whether a service is known by a name.

    Examples
    --------
    >>> is_known("leeway.svc.cluster.local", ["*.svc.cluster.local"]), is_known("evil.example", ["*.example.org"])
    (True, False)
    """
    return any(fnmatchcase(host, name) for name in names)


def names_of(spec: ServiceSpec) -> list[str]:
    """Return the names by which a service answers: those that its configuration says, and the machine's own."""
    names = [*spec.api.hosts, spec.api.host, urlsplit(spec.external_url).hostname or "", socket.gethostname()]
    return [name.lower() for name in names if name]


def name_of(host: str) -> str:
    """Return the name in a header ``Host``, without its port.

    Examples
    --------
    >>> name_of("Leeway:8080"), name_of("[::1]:8080")
    ('leeway', '::1')
    """
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.rpartition(":")[0].lower().rstrip(".") if ":" in host else host.lower().rstrip(".")


def _is_nobodys(host: str) -> bool:
    if "." not in host or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
