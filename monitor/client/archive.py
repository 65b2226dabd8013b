"""A store that no service has open, as the API shows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.check import load
from monitor.clock import Clock, SystemClock
from monitor.config import Configuration, Model, Service
from monitor.erasure.erase import Erased, Request
from monitor.erasure.export import Record
from monitor.errors import InputError, SourceError
from monitor.ingest.late_events import LateShare
from monitor.messages import LogPosition
from monitor.retries import Retried
from monitor.watch import Watch, compile_watch
from sinks.store import open_store
from sinks.store.contract import Store

__all__ = ["MARK", "Archive"]

MARK = "leeway.lock"
"""The file by which a directory is known to be a store."""


class Archive:
    """What :class:`monitor.api.contract.ApiService` asks for, of a store alone.

    Parameters
    ----------
    path : path-like
        The directory of an embedded store.
    config : path-like or None
        The configuration of its models, for what needs one: comparisons, distributions, namespaces.

    Raises
    ------
    InputError, ConfigError
        If there is no store, or the configuration has mistakes.
    StoreError
        If the store cannot be opened, for one because a service has it open.
    """

    def __init__(self, path: str | os.PathLike[str], config: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        # Opening would create an empty store, and a mistyped name would answer "nothing".
        if not (self.path / MARK).is_file():
            raise InputError(f"no store at {self.path}")
        self.configuration = load(config) if config is not None else Configuration(Service(), {}, Path())
        self.clock: Clock = SystemClock()
        self.metrics = CollectorRegistry()
        self.store: Store = open_store("chdb", str(self.path))

    @cached_property
    def watches(self) -> Mapping[str, Watch]:
        """The models of the configuration, made ready on first use."""
        return {name: compile_watch(self.configuration, name) for name in self.configuration.models}

    def ready(self) -> list[str]:
        """Nothing is amiss with a store that is open."""
        return []

    def notes(self) -> list[str]:
        """Nothing runs here of which people should know."""
        return []

    def status(self) -> dict[str, Any]:
        """Return what is shown."""
        return {"store": str(self.path)}

    def refusal(self, model: Model) -> str:
        """Refuse: nothing watches models here."""
        return "no service runs: configurations are changed through one"

    def late_shares(self) -> list[LateShare]:
        """Nothing is read here."""
        return []

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        """Refuse: nothing reads events here."""
        raise SourceError("no service runs: events cannot be taken", retryable=False)

    def reload(self) -> None:
        """Refuse: nobody is notified from here."""
        raise SourceError("no service runs: there is nothing to reload", retryable=False)

    def erase(self, request: Request, *, dry_run: bool = False, on_begun: Callable[[str], None]) -> Erased:
        """Refuse: an answer to a question must not change what is stored."""
        raise SourceError("no service runs: `leeway erase --store DIR` erases from a store", retryable=False)

    def export(self, request: Request, *, on_begun: Callable[[str], None]) -> Iterator[Record]:
        """Refuse: it would not be in the audit log."""
        raise SourceError("no service runs: `leeway export --config FILE` reads a store", retryable=False)

    def retry(self, places: Sequence[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        """Refuse, as above."""
        raise SourceError("no service runs: `leeway dead-letters retry --config FILE` puts back", retryable=False)

    def close(self) -> None:
        """Release the store."""
        self.store.close()
