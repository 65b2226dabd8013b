"""What the API needs of the service that it shows. Read this page first.

The API holds no state and decides nothing: it reads the store, hands events to the service, and says what the
service says of itself. Everything here is called from worker threads, several at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from monitor.clock import Clock
from monitor.config import Configuration, Model
from monitor.erasure.erase import Erased, Request
from monitor.erasure.export import Record
from monitor.ingest.late_events import LateShare
from monitor.messages import LogPosition
from monitor.retries import Retried
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["ApiService"]


class ApiService(Protocol):
    """The service, as the API sees it.

    Attributes
    ----------
    configuration : Configuration
    store : Store
    clock : Clock
    watches : mapping of str to Watch
        The models of the configuration, made ready; none where only a store is shown.
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
    def watches(self) -> Mapping[str, Watch]: ...

    @property
    def metrics(self) -> CollectorRegistry: ...

    def ready(self) -> list[str]:
        """Return why the service is not ready for traffic, one sentence each; empty when it is."""
        ...

    def notes(self) -> list[str]:
        """Return what people should know of a service that is ready: jobs that are paused."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what the service is doing, for people: a JSON object."""
        ...

    def reload(self) -> None:
        """Take up who is notified, as the files of the configuration have it now.

        Raises
        ------
        LeewayError
            They are wrong, or something else in them has changed: everything stays as it is then.
        """
        ...

    def refusal(self, model: Model) -> str:
        """Return why this service cannot watch a model that fits its configuration; empty if it can."""
        ...

    def late_shares(self) -> list[LateShare]:
        """Return how many events came late in the last minutes, as far as they are read in this process."""
        ...

    def erase(self, request: Request, *, dry_run: bool = False, on_begun: Callable[[str], None]) -> Erased:
        """Erase a data subject from everything that the service keeps; `on_begun` gets its hash before that.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        ...

    def export(self, request: Request, *, on_begun: Callable[[str], None]) -> Iterator[Record]:
        """Find all that the service keeps of a data subject; `on_begun` gets its hash before that.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        ...

    def retry(self, places: Sequence[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        """Put rejected messages back on their streams.

        Raises
        ------
        InputError, StoreError, SourceError
        """
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
