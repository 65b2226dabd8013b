"""What the API needs of the service that it shows. Read this page first.

The API holds no state and decides nothing: it reads the store, hands events to the service, and says what the
service says of itself. Everything here is called from worker threads, several at a time.
"""

from __future__ import annotations

from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from monitor.clock import Clock
from monitor.config import Configuration
from sinks.store.contract import Store

__all__ = ["ApiService"]


class ApiService(Protocol):
    """The service, as the API sees it.

    Attributes
    ----------
    configuration : Configuration
    store : Store
    clock : Clock
    metrics : CollectorRegistry
        What ``/metrics`` shows; the API adds its own counters to it.
    """

    @property
    def configuration(self) -> Configuration: ...

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def metrics(self) -> CollectorRegistry: ...

    def ready(self) -> list[str]:
        """Return why the service is not ready for traffic, one sentence each; empty when it is."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what the service is doing, for people: a JSON object."""
        ...

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        """Append messages to an HTTP stream; they survive the end of the process when this returns.

        Parameters
        ----------
        stream : str
            Named as ``http`` by a source of the configuration.
        payloads : list of bytes
            At least one.

        Returns
        -------
        (int, int)
            Offsets of the first and the last message.

        Raises
        ------
        SourceError
        """
        ...

    def distribution(
        self, model: str, signal: str, segment: str, version: str, *, from_ms: int, to_ms: int
    ) -> dict[str, Any]:
        """Return the distribution of one signal over a stretch of event time, ``[from_ms, to_ms)``.

        Returns
        -------
        dict
            ``kind`` is ``numeric`` or ``category``; ``n``, ``missing``, ``invalid``, ``out_of_range`` are counts of
            events. Numeric: lists ``low``, ``high`` and ``count`` with an item per cell, ascending, edges of open
            cells infinite; ``mean``, ``min``, ``max`` of the values. Category: lists ``names`` and ``count``, and
            ``other`` for values beyond the named ones. Cells that hold nothing may be left out.

        Raises
        ------
        InputError
            If the stretch holds panes of different layouts, which cannot be added.
        """
        ...
