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

__all__ = ["Beginning", "former_version", "in_order", "is_as_before", "stood_of"]

GROWN = 2.0
"""How many times as far as under the version before a contrast must be off for the new one to have brought that.

How far it was is known from few windows: of rare events that may be off by half by chance.
"""


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


def stood_of(former: SeriesKey, standing: Mapping[SeriesKey, Mapping[str, float]]) -> dict[str, float]:
    """Return how far each contrast of a series was off, or of its whole, or of a segment of it.

    What a segment does moves the whole: the one may alarm under one version, and the other only under the next.

    Parameters
    ----------
    former : SeriesKey
    standing : mapping of SeriesKey to mapping of str to float
        By series, how far contrasts are off by alarms that stand.
    """
    version, segment, signal = former
    stood: dict[str, float] = {}
    for key, shifts in standing.items():
        is_related = key[1] in ("", segment) if segment else True
        if is_related and (key[0], key[2]) == (version, signal):
            for name, shift in shifts.items():
                stood[name] = max(stood.get(name, 0.0), shift, key=abs)
    return stood


def is_as_before(shift: float, stood: float) -> bool:
    """Whether a version is off in the way of the one before it, and not much further."""
    return shift * stood > 0 and abs(shift) < GROWN * abs(stood)
