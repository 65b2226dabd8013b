"""What a configuration names, opened by a command while no service has it open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.erasure.erase import MessageLog
    from sinks.store.contract import Store

__all__ = ["Opened", "opened_store"]


class Opened(NamedTuple):
    """A configuration, its store, and its log of HTTP events if there is one."""

    configuration: Configuration
    store: Store
    http_log: MessageLog | None


@contextmanager
def opened_store(config: str) -> Iterator[Opened]:
    """Lend what a configuration names.

    Raises
    ------
    ConfigError, StoreError, SourceError
    """
    from pathlib import Path

    from monitor.build import open_http_log, open_store_of
    from monitor.check import load
    from monitor.clock import SystemClock
    from monitor.logs import warn_on_stderr

    warn_on_stderr()
    configuration = load(config)
    store = open_store_of(configuration)
    http_log = None
    try:
        if Path(configuration.service.spec.ingest_log).exists():
            http_log = open_http_log(configuration, SystemClock())
        yield Opened(configuration, store, http_log)
    finally:
        if http_log is not None:
            http_log.close()
        store.close()
