"""Which version a new one is compared with until it has days of its own: the one that began last before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from monitor.evaluate.contrasts import Contrasts
from monitor.evaluate.finding_contrasts import SignalContrasts
from monitor.evaluate.windows import Blocks
from monitor.events import OTHER_VERSION, SeriesKey
from monitor.panes.reading import PaneRows

__all__ = ["Beginning", "former_version", "in_order"]


class Beginning(NamedTuple):
    """Where a series begins: the end of its first window, and the start of its first pane."""

    end_ms: int
    key: SeriesKey
    start_ms: int


def in_order(contrasts: Mapping[SeriesKey, SignalContrasts], panes: PaneRows, blocks: Blocks) -> list[Beginning]:
    """Return series in the order in which they have anything to say."""
    beginnings = []
    for key, of_series in contrasts.items():
        values = panes.of(key) if of_series.own is not None else []
        findings = panes.findings_of(key) if of_series.findings is not None else []
        inside = [*blocks.inside(values), *blocks.inside(findings)]
        if inside:
            start_ms = min(int(piece.starts_ms[rows].min()) for piece, rows in inside)
            t = int(np.searchsorted(blocks.ends_ms, start_ms, side="right"))
            beginnings.append(Beginning(int(blocks.ends_ms[t]), key, start_ms))
    return sorted(beginnings)


def former_version(key: SeriesKey, begins_ms: int, contrasts: Mapping[SeriesKey, Contrasts]) -> SeriesKey | None:
    """Return the same signal of the version that began last before ``begins_ms``, if it had its coordinates by then.

    Parameters
    ----------
    key : SeriesKey
        A series whose first window ends at ``begins_ms``.
    begins_ms : int
    contrasts : mapping of SeriesKey to Contrasts
        Of the same signal in the versions that have begun, some of them perhaps later.
    """
    earlier = [
        (of_other.began_ms, other)
        for other, of_other in contrasts.items()
        if other != key
        and other[0] != OTHER_VERSION
        and of_other.began_ms < begins_ms
        and of_other.ready_ms is not None
        and of_other.ready_ms < begins_ms
    ]
    return max(earlier)[1] if earlier else None
