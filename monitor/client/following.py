"""The stream of what happens to alerts, followed across interruptions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

from monitor.client.errors import UnreachableError, error_of
from monitor.clock import Clock, SystemClock

__all__ = ["Happened", "follow"]

Happened = tuple[str, dict[str, Any] | None]
"""A place in the stream, and the transition before it; None where there is only the place."""

PATH = "/v1/alerts/stream"
SILENT_S = 45.0
"""The service says something every 15 s; for so long a silent one is waited for."""

PAUSE_S = 2.0


def follow(
    client: httpx.Client, url: str, given: Mapping[str, Any], after: str | None, clock: Clock | None = None
) -> Iterator[Happened]:
    """Yield what happens, for ever; a connection that is lost is made again, and nothing is missed.

    Parameters
    ----------
    client : httpx.Client
    url : str
        Of the service.
    given : mapping
        Parameters of the stream.
    after : str or None
        The place to go on from; now if None.
    clock : Clock or None

    Raises
    ------
    UnreachableError
        The service does not answer the first time.
    ClientError
        It refuses the question.
    """
    clock, place, was_reached = clock or SystemClock(), after, False
    while True:
        headers = {"Last-Event-ID": place} if place else {}
        try:
            with client.stream("GET", f"{url}{PATH}", params=dict(given), headers=headers, timeout=SILENT_S) as answer:
                if answer.status_code != httpx.codes.OK and not (was_reached and answer.is_server_error):
                    answer.read()
                    raise error_of(answer, f"{url}{PATH}")
                was_reached = True
                for place, happened in _events(answer.iter_lines() if answer.is_success else ()):
                    yield place, happened
        except (httpx.TransportError, httpx.InvalidURL) as error:
            if not was_reached:
                raise UnreachableError(f"{url} cannot be reached: {error}") from error
        clock.wait(threading.Event(), PAUSE_S)


def _events(lines: Iterable[str]) -> Iterator[Happened]:
    """Read server-sent events (HTML standard, 9.2.6), as far as the service uses them: one line of data each.

    Examples
    --------
    >>> list(_events(["id: 1", "", ": heartbeat", "", "id: 2", "event: firing", 'data: {"state":"firing"}', ""]))
    [('1', None), ('2', {'state': 'firing'})]
    """
    said: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            said[name] = value.removeprefix(" ")
        elif not line and "id" in said:
            yield said["id"], json.loads(said["data"]) if "data" in said else None
            said = {}
