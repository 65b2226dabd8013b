"""Which version a new one is compared with until it has days of its own: the one that began last before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from monitor.evaluate.contrasts import Contrasts, share_at
from monitor.evaluate.finding_contrasts import SignalContrasts
from monitor.evaluate.windows import Blocks
from monitor.events import OTHER_VERSION, SeriesKey
from monitor.panes.reading import PaneRows

__all__ = ["Beginning", "Off", "former_version", "in_order", "is_as_before", "stood_of"]

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


class Off(NamedTuple):
    """How far a contrast of a series is off by an alarm that stands.

    Attributes
    ----------
    shift : float
        0 without an alarm.
    expected : float
        In the units of expectations; NaN where that is not known.
    events : float
        Out of which its values were.
    is_share : bool
    """

    shift: float
    expected: float
    events: float
    is_share: bool

    @property
    def amount(self) -> float:
        """By how much it is off, in what adds up over segments: of a share, that itself and not an angle of it."""
        if not self._is_of_angles:
            return self.shift
        return share_at(self.expected + self.shift) - share_at(self.expected)

    def shift_by(self, amount: float) -> float:
        """Return how far it is off where it is off by an amount."""
        if not self._is_of_angles:
            return amount
        share = min(max(share_at(self.expected) + amount, 0.0), 1.0)
        return 2 * math.asin(math.sqrt(share)) - min(max(self.expected, 0.0), math.pi)

    @property
    def _is_of_angles(self) -> bool:
        return self.is_share and not math.isnan(self.expected)


def stood_of(former: SeriesKey, standing: Mapping[SeriesKey, Mapping[str, Off]]) -> dict[str, float]:
    """Return how far each contrast of a series was off, or was by what its segments or its whole were.

    What a segment does moves the whole: the one may alarm under one version, and the other only under the next. It
    moves the whole by no more than its part of the events, though, and other segments not at all.

    Parameters
    ----------
    former : SeriesKey
    standing : mapping of SeriesKey to mapping of str to Off
        By series, its contrasts.
    """
    version, segment, signal = former
    related = {key[1]: contrasts for key, contrasts in standing.items() if (key[0], key[2]) == (version, signal)}
    stood = {}
    for name in related.get(segment, {}):
        of_signal = {other: contrasts[name] for other, contrasts in related.items() if name in contrasts}
        shift = _by_whole(segment, of_signal) if segment else _by_segments(of_signal)
        if shift:
            stood[name] = shift
    return stood


def _by_segments(of_signal: Mapping[str, Off]) -> float:
    """Return how far a whole was off: by its own alarm, or by the parts that segments have in it."""
    overall = of_signal[""]
    amounts: dict[tuple[str, ...], float] = {}
    for segment, off in of_signal.items():
        if segment:
            by = _dimension(segment)
            amounts[by] = amounts.get(by, 0.0) + _part(off, overall) * off.amount
    return max([overall.shift, *(overall.shift_by(amount) for amount in amounts.values())], key=abs)


def _by_whole(segment: str, of_signal: Mapping[str, Off]) -> float:
    """Return how far a segment was off: by its own alarm, or by what its whole was beyond what others explain."""
    off, overall = of_signal[segment], of_signal.get("")
    if off.shift or overall is None or not overall.shift:
        return off.shift
    others = [
        (_part(other, overall), other.amount)
        for name, other in of_signal.items()
        if name and name != segment and other.shift and _dimension(name) == _dimension(segment)
    ]
    remainder = 1 - sum(part for part, _ in others)
    amount = overall.amount - sum(part * amount for part, amount in others)
    # What is left over beside those that explain it has the sign of the whole, or is nothing.
    return off.shift_by(amount / remainder) if remainder > 0 and amount * overall.amount > 0 else 0.0


def _part(off: Off, overall: Off) -> float:
    """Return which part of the events of a whole a segment has; all of them where that is not known yet."""
    return min(off.events / overall.events, 1.0) if overall.events > 0 else 1.0


def _dimension(segment: str) -> tuple[str, ...]:
    """Return the features by which a segment is one."""
    return tuple(part.partition("=")[0] for part in segment.split(","))


def is_as_before(shift: float, stood: float) -> bool:
    """Whether a version is off in the way of the one before it, and not much further."""
    return shift * stood > 0 and abs(shift) < GROWN * abs(stood)
