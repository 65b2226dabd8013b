"""Two parts of a model's events side by side: what differs, how much, and how surely.

Distances are taken in the bins in which windows are judged, so that they agree with the history.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from detectors.distance import VECTOR_DISTANCES, align
from detectors.sketch import CategoryLayout, CategorySummary, JointLayout, NumericLayout, NumericSummary
from monitor.config.references import WINDOWED
from monitor.panes.compare import Measured, measure_all, measure_vectors, stacked
from monitor.panes.distributions import Summaries
from monitor.watch import Layout, Summary, Watch

__all__ = ["Difference", "cells_of", "differences", "kind_of"]

_PLACES = {name: index for index, name in enumerate(WINDOWED)}


@dataclass(frozen=True)
class Difference:
    """One signal on both sides.

    Attributes
    ----------
    signal : str
    baseline, current : summary
    measured : dict of str to Measured
        By detector, all that apply, the strongest first; without the mass to compare, ``effect`` is NaN.
    """

    signal: str
    baseline: Summary
    current: Summary
    measured: Mapping[str, Measured]

    @property
    def strength(self) -> float:
        """The largest effect in units of what is material; 0 if none is defined."""
        return next((strength(measured) for measured in self.measured.values()), 0.0)


def strength(measured: Measured) -> float:
    """Return the effect in units of the smallest one that is material; 0 if it is undefined.

    Examples
    --------
    >>> strength(Measured(0.3, 0.3, 0.01, 0.1))
    3.0
    """
    if math.isnan(measured.effect):
        return 0.0
    return round(measured.effect / measured.min_effect, 12) if measured.min_effect else math.inf


def differences(
    watch: Watch, baseline: Summaries, current: Summaries, signals: Collection[str] | None = None
) -> list[Difference]:
    """Compare all signals that both sides have, those that differ most first.

    Parameters
    ----------
    watch : Watch
    baseline, current : Summaries
    signals : collection of str or None
        Only these.
    """
    names = [
        signal
        for signal in watch.layouts
        if signal in baseline.summaries and signal in current.summaries and (signals is None or signal in signals)
    ]
    measured = _measured(watch, {name: (baseline.summaries[name], current.summaries[name]) for name in names})
    compared = [Difference(n, baseline.summaries[n], current.summaries[n], measured[n]) for n in names]
    return sorted(compared, key=lambda difference: (-difference.strength, difference.signal))


def _measured(watch: Watch, sides: Mapping[str, tuple[Summary, Summary]]) -> dict[str, dict[str, Measured]]:
    """Measure each detector over all signals at once."""
    by_signal: dict[str, dict[str, Measured]] = {signal: {} for signal in sides}
    applicable = _applicable(watch, sides)
    of_vectors = {name: applicable.pop(name) for name in VECTOR_DISTANCES if name in applicable}
    for name, stacks in stacked(applicable, watch.layouts, sides).items():
        for signal, measured in measure_all(name, stacks).items():
            by_signal[signal][name] = _with_configured(watch, signal, name, measured)
    for name, signals in of_vectors.items():
        for signal in signals:
            measured = measure_vectors(name, watch.layouts[signal], *sides[signal])
            by_signal[signal][name] = _with_configured(watch, signal, name, measured)
    return {signal: dict(sorted(by_name.items(), key=_strongest_first)) for signal, by_name in by_signal.items()}


def kind_of(layout: Layout) -> Literal["numeric", "category", "vector"]:
    """Return what a signal with this layout is."""
    if isinstance(layout, JointLayout):
        return "vector"
    return "category" if isinstance(layout, CategoryLayout) else "numeric"


def _strongest_first(item: tuple[str, Measured]) -> tuple[float, int]:
    return -strength(item[1]), _PLACES[item[0]]


def _applicable(watch: Watch, signals: Iterable[str]) -> dict[str, list[str]]:
    """The signals that each detector fits."""
    fields = watch.model.spec.schema_.signals()
    fitting: dict[str, list[str]] = {}
    for signal in signals:
        layout = watch.layouts[signal]
        traits: set[str] = {kind_of(layout)}
        if signal in fields and fields[signal].range is not None:
            traits.add("range")
        summed = layout.parts if isinstance(layout, JointLayout) else ()
        for name, detector in WINDOWED.items():
            if name in VECTOR_DISTANCES and name not in summed:
                continue
            if detector.kind != "volume" and traits & detector.fits:
                fitting.setdefault(name, []).append(signal)
    return fitting


def _with_configured(watch: Watch, signal: str, name: str, measured: Measured) -> Measured:
    """The smallest effect that is material is the model's own, where it states one."""
    stated = watch.uses.get(signal, {}).get(name, {}).get("min_effect")
    return measured if stated is None else replace(measured, min_effect=float(stated))


def cells_of(layout: Layout, baseline: Summary, current: Summary) -> dict[str, Any]:
    """Return the cells of both sides, in one order; none of vectors, whose sums count nothing.

    Returns
    -------
    dict
        ``low`` and ``high`` (numeric; infinite at an open end) or ``names`` (category; the last one, of all other
        names together, is None and left out where there are none), ``baseline`` and ``current``: counts.
    """
    if isinstance(layout, JointLayout):
        return {"baseline": [], "current": []}
    if isinstance(baseline, CategorySummary) and isinstance(current, CategorySummary):
        names, a, b = align(baseline, current)
        head: dict[str, Any] = {"names": [*names, None]}
        if not a[-1] and not b[-1]:
            head, a, b = {"names": list(names)}, a[:-1], b[:-1]
    else:
        assert isinstance(layout, NumericLayout)
        assert isinstance(baseline, NumericSummary)
        assert isinstance(current, NumericSummary)
        cells, a, b = align(baseline, current)
        head = {"low": layout.cell_low(cells).tolist(), "high": layout.cell_high(cells).tolist()}
    return {**head, "baseline": a.tolist(), "current": b.tolist()}
