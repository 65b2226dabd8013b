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
"""A position in the stream, and the transition before it; None where there is only the position."""

PATH = "/v1/alerts/stream"
SILENT_S = 45.0
"""How long a silent connection counts as alive: the service sends something every 15 s."""

PAUSE_S = 2.0


def follow(
    client: httpx.Client, url: str, parameters: Mapping[str, Any], after: str | None, clock: Clock | None = None
) -> Iterator[Happened]:
    """Yield what happens, for ever; a lost connection is made again, and nothing is missed.

    Parameters
    ----------
    client : httpx.Client
    url : str
        Of the service.
    parameters : mapping
        Of the stream.
    after : str or None
        The position to continue from; now if None.
    clock : Clock or None

    Raises
    ------
    UnreachableError
        The service does not answer the first time.
    ClientError
        It refuses the question.
    """
    clock, position, was_reached = clock or SystemClock(), after, False
    while True:
        headers = {"Last-Event-ID": position} if position else {}
        try:
            with client.stream(
                "GET", f"{url}{PATH}", params=dict(parameters), headers=headers, timeout=SILENT_S
            ) as answer:
                if answer.status_code != httpx.codes.OK and not (was_reached and answer.is_server_error):
                    answer.read()
                    raise error_of(answer, f"{url}{PATH}")
                was_reached = True
                for position, happened in _events(answer.iter_lines() if answer.is_success else ()):
                    yield position, happened
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
    event: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")
        elif not line and "id" in event:
            yield event["id"], json.loads(event["data"]) if "data" in event else None
            event = {}
