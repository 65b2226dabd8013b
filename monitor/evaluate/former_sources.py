"""In which way stored panes were read from other events than a configuration would read: `ingest.epochs` says it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from monitor.privacy.privacy import NO_PRIVACY
from monitor.watch import Watch
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["read_differently"]

REMOVED = ""
"""In place of a configuration: the model did not read the partition."""

Row = Mapping[str, Any]


def read_differently(store: Store, watch: Watch, from_ms: int, to_ms: int) -> dict[str, str]:
    """Return what a configuration reads otherwise than it was read within a span, and how it was.

    Parameters
    ----------
    store : Store
    watch : Watch
        The configuration.
    from_ms, to_ms : int

    Returns
    -------
    dict of str to str
        By the path of a key below a source, or ``sources`` for all of it.
    """
    differing: dict[str, str] = {}
    for epoch in _in_force(rows_of(store.read(Query("epochs", {"model": watch.name}))), from_ms, to_ms):
        source = watch.model.spec.source_of(epoch["topic"])
        if source is None:
            differing[f"sources {epoch['topic']}"] = "is not read, but was: panes hold its events too"
        elif epoch["config"] != watch.fold_hash:
            differing |= _differences(epoch, watch.reads(source))
    return differing


def _in_force(epochs: Iterable[Row], from_ms: int, to_ms: int) -> Iterable[Row]:
    """Yield the epochs of which panes start within a span, the newest last."""
    ends_ms: dict[tuple[str, int], int] = {}
    in_force = []
    for epoch in sorted(epochs, key=lambda row: (row["number"], row["from_offset"]), reverse=True):
        partition = epoch["topic"], epoch["partition"]
        if epoch["closed_ms"] < min(ends_ms.get(partition, to_ms), to_ms) and ends_ms.get(partition, to_ms) > from_ms:
            in_force.append(epoch)
        ends_ms[partition] = epoch["closed_ms"]
    return [epoch for epoch in reversed(in_force) if epoch["config"] != REMOVED]


def _differences(epoch: Row, reads: Mapping[str, str]) -> dict[str, str]:
    topic = epoch["topic"]
    if not epoch["reads"]:
        why = "an earlier version did not write down how they were read: it is not known whether in another way"
        return {f"sources {topic}": why}
    # Epochs from before there was privacy do not speak of it.
    unspoken = {key: NO_PRIVACY for key in reads if key.endswith(" privacy")}
    former: dict[str, str] = unspoken | json.loads(epoch["reads"])
    since = f" from {utc(epoch['closed_ms'])} on" if epoch["closed_ms"] > 0 else ""
    return {
        f"sources {topic} {key}": f"panes{since} hold what was read with {former[key]}: replay the events"
        for key in reads
        if key in former and former[key] != reads[key]
    }
