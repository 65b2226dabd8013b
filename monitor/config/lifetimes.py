"""Which lifetimes the configuration asks for, table by table."""

from __future__ import annotations

from monitor.config import Configuration
from monitor.config.keep import KeepFor
from sinks.store.retention import AGING, Lifetimes

__all__ = ["lifetimes"]


def lifetimes(configuration: Configuration) -> dict[str, Lifetimes]:
    """Return how long the rows of each table are kept.

    Results have one lifetime for all models, the service's. Single events have the one of their model; those of a model
    that is no longer configured have the default one.

    Examples
    --------
    >>> from pathlib import Path
    >>> from monitor.config.service import Service
    >>> kept_for = lifetimes(Configuration(Service(), {}, Path()))
    >>> kept_for["scores"].default_ms, kept_for["events"].default_ms
    (None, 2592000000)
    """
    results = configuration.service.spec.store.keep.model_dump()
    by_table = {name: Lifetimes(results[table.keep]) for name, table in AGING.items() if table.keep in results}
    for table, default_ms in KeepFor().model_dump().items():
        by_model = {name: getattr(model.spec.keep.for_, table) for name, model in configuration.models.items()}
        by_table |= {name: Lifetimes(default_ms, by_model) for name, aging in AGING.items() if aging.keep == table}
    return by_table
