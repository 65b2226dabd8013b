"""The contrasts of one window that is looked at again, from its summary."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.charts import begin_level, step_level, take_in
from detectors.change.contrasts import FEWEST_SPREAD, MOST_PAIRS, number_contrasts
from detectors.change.residuals import to_residual
from detectors.change.windows import CALIBRATED_FROM, guess_calibration
from detectors.chart.legend import N
from detectors.sketch import CategorySummary, JointLayout, NumericLayout, NumericSummary, VectorSummary
from monitor.alerts.foremost import CONCENTRATION, EQUAL_PAIRS
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.evaluate.contrasts import RATE_COLUMNS, share_of
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.fallback import FALLBACK, fallbacks_in
from monitor.evaluate.finding_contrasts import rates_of_findings
from monitor.evaluate.number_groups import Groups
from monitor.evaluate.vector_contrasts import Directions
from monitor.panes.distributions import Part, by_window, findings_by_window
from monitor.watch import Layout, Summary, Watch
from sinks.store.contract import Query, Store

__all__ = ["Measured", "filters_along", "measured_windows"]

Floats = NDArray[np.float64]
Measured = Mapping[str, tuple[float, float]]
"""What a window has of each contrast, and out of how many events, by name; as `to_residual` takes them."""


def filters_along(
    day: ExpectedDay,
    windows: Sequence[Measured],
    times_of_day: Sequence[float],
    *,
    begins_day: bool,
    anew: Collection[int] = (),
) -> Iterator[Floats]:
    """Yield the levels of all contrasts, float64[R, FILTER], as each window finds them and as the last leaves them.

    Parameters
    ----------
    day : ExpectedDay
    windows : sequence of Measured
    times_of_day : sequence of float
    begins_day : bool
        Whether the first of them begins the day: after an acceptance, what is expected holds from within one.
    anew : collection of int
        The numbers of those in which an alarm was over: levels begin anew behind them.
    """
    scale = legend.BY_DAY if day.windows_per_day == 1 else legend.BY_WINDOW
    filters = np.array([contrast.filters[scale] for contrast in day.contrasts]).reshape(-1, legend.FILTER)
    yield filters.copy()
    fresh, seen = [begins_day] * len(filters), [0] * len(filters)
    unused = np.zeros((len(filters), legend.MAGNITUDES, legend.DIRECTIONS, legend.CHART))
    for number, (measured, time_of_day) in enumerate(zip(windows, times_of_day, strict=True)):
        for r, contrast in enumerate(day.contrasts if scale == legend.BY_WINDOW else ()):
            if begins_day and number == 0:
                begin_level(filters[r], unused[r])
            else:
                step_level(filters[r])
            if contrast.name not in measured:
                continue
            expected = contrast.expected_of(time_of_day, measured[contrast.name][1])
            if not np.isnan(expected):
                residual, sampling = to_residual(contrast.row, *measured[contrast.name], expected)
                low, high = contrast.left_out_at(time_of_day)
                residual -= min(max(residual, low), high)
                z = take_in(filters[r], unused[r], residual, sampling + contrast.variance_at(time_of_day), fresh[r])
                if day.days < CALIBRATED_FROM and not fresh[r]:
                    seen[r] += 1
                    guess_calibration(filters[r], z, seen[r])
                fresh[r] = False
        if number in anew:
            filters[:, legend.LEVEL] = 0.0
            filters[:, legend.VARIANCE] = filters[:, legend.LEVEL_VARIANCE]
        yield filters.copy()


def measured_windows(
    store: Store, watch: Watch, part: Part, signal: str, days: Sequence[ExpectedDay | None]
) -> list[Measured]:
    """Return what each window of a part has of the contrasts that were expected.

    Parameters
    ----------
    store : Store
    watch : Watch
    part : Part
        Of one version and segment.
    signal : str
    days : sequence of ExpectedDay or None
        What was expected of each window; None where nothing was: rates and volumes need nothing to be measured.

    Raises
    ------
    StoreError, InputError
        The panes that would say it are gone.
    """
    window_ms = (part.to_ms - part.from_ms) // len(days)
    if signal == "volume":
        return _counted(store, watch, part, window_ms)
    measured: list[dict[str, tuple[float, float]]] = [{} for _ in days]
    if (layout := watch.layouts.get(signal)) is not None:
        summaries = by_window(store, watch, part, signal, window_ms)
        for contrasts, summary, day in zip(measured, summaries, days, strict=True):
            contrasts.update({} if summary is None else _contrasts_in(day, summary, layout))
            if summary is not None and (answer := watch.fallbacks.get(signal)) is not None:
                contrasts[FALLBACK] = fallbacks_in(summary, layout, answer)
    if (findings := watch.finding_layouts.get(signal)) is not None:
        counted = findings_by_window(store, watch, part, signal, window_ms)
        newest = next((day for day in reversed(days) if day is not None), None)
        sampling = {each.name: float(each.sampling[legend.BY_WINDOW]) for each in (newest.contrasts if newest else ())}
        for contrasts, rates in zip(measured, rates_of_findings(findings, counted, sampling), strict=True):
            contrasts.update(rates)
    return list(measured)


def _counted(store: Store, watch: Watch, part: Part, window_ms: int) -> list[Measured]:
    series = {"signal": "volume", "segment": part.segment, "version": part.version or ""}
    span = {"window_end_ms": part.from_ms + 1}, {"window_end_ms": part.to_ms + 1}
    where = {"model": watch.name, "detector": "change", **series}
    rows = store.read(Query("scores", where, *span, columns=("window_end_ms", "n")))
    counts = dict(zip(rows["window_end_ms"].tolist(), rows["n"].tolist(), strict=True))
    ends_ms = range(part.from_ms + window_ms, part.to_ms + 1, window_ms)
    return [{"events": (float(counts[end_ms]), 1.0)} if end_ms in counts else {} for end_ms in ends_ms]


def _contrasts_in(day: ExpectedDay | None, summary: Summary, layout: Layout) -> Measured:
    """Return what a window has of each contrast that was expected.

    New and other values are left out: which those are, only the evaluation knows.
    """
    sums = sums_of(summary)
    values = float(sums[N])
    total = values + summary.missing + summary.invalid
    contrasts = {name: (float(sums[column]), total) for name, column in RATE_COLUMNS.items()} if total else {}
    if day is None:
        return contrasts
    if isinstance(summary, CategorySummary) and values:
        counts = dict(zip(map(share_of, summary.names), summary.counts.tolist(), strict=True))
        expected = {contrast.name for contrast in day.contrasts}
        shares = {name for name in expected if name.startswith("share of '") or name.startswith('share of "')}
        contrasts |= {name: (float(counts.get(name, 0)), values) for name in shares}
    groups = next((contrast.groups for contrast in day.contrasts if contrast.groups is not None), None)
    if isinstance(groups, Directions) and isinstance(summary, VectorSummary) and isinstance(layout, JointLayout):
        contrasts |= groups.values_in(summary, layout)
    if isinstance(groups, Groups) and isinstance(summary, NumericSummary) and isinstance(layout, NumericLayout):
        location, spread, is_resolved = _described(groups, summary, layout)
        spread = spread if is_resolved or day.accepted_spread else math.nan
        described = {"typical value": (location, values), "spread": (spread, values - 1)}
        if values >= FEWEST_SPREAD:
            alike = _alike(groups, summary, layout, is_resolved=is_resolved)
            described |= {name: _limited(day, name, *pair) for name, pair in alike.items()}
        contrasts |= {name: pair for name, pair in described.items() if not np.isnan(pair[0])}
    return contrasts


def _described(groups: Groups, summary: NumericSummary, layout: NumericLayout) -> tuple[float, float, bool]:
    """Return the location and the spread of a number's values, and whether groups resolve the latter."""
    columns = _columns_of(summary, layout)
    location, spread, repeats, units = np.empty(1), np.empty(1), np.zeros(1), np.ones((1, 2))
    previous, table = np.zeros(legend.GROUPS, dtype=np.int64), groups.table
    number_contrasts(
        columns.counts_of(summary)[None], *groups.numbers(columns), previous,
        table.locations, table.spreads, table.floor, table.fewest, table.resolved, table.units, location, spread,
        repeats, units,
    )  # fmt: skip
    return float(location[0]), float(spread[0]), not units[0, 1] < 0


def _alike(
    groups: Groups, summary: NumericSummary, layout: NumericLayout, *, is_resolved: bool
) -> dict[str, tuple[float, float]]:
    """Return how many pairs of a number's values are equal, and how concentrated they are."""
    columns = _columns_of(summary, layout)
    counts = columns.counts_of(summary)[None]
    of_names = {EQUAL_PAIRS: groups.equal_pairs(counts, np.array([summary.n]), columns)}
    if is_resolved:
        of_names[CONCENTRATION] = groups.concentrations(counts, columns)
    return {name: (float(alike[0]), float(pairs[0])) for name, (alike, pairs) in of_names.items()}


def _limited(day: ExpectedDay, name: str, alike: float, pairs: float) -> tuple[float, float]:
    """Let a window count for no more pairs than charts let it: twice as many as windows usually have.

    Charts know the mean logarithm of pairs, and a day in the store the mean of their inverse. As pairs go with the
    square of events n, the one follows from the other and from how many events hours have:
    exp E[ln n²] · E[1/n²] / E[1/pairs].
    """
    named = {contrast.name: contrast for contrast in day.contrasts}
    if name not in named or "missing" not in named or not pairs > 0:
        return alike, pairs
    events = named["missing"].learned_events
    squares = events[events > 0] ** 2
    if not len(squares):
        return alike, pairs
    usual = float(np.exp(np.log(squares).mean()) * (1 / squares).mean() / named[name].sampling[legend.BY_WINDOW])
    most = min(pairs, MOST_PAIRS * usual)
    return alike * (most / pairs if named[name].kind == legend.RATE else 1.0), most


def _columns_of(summary: NumericSummary, layout: NumericLayout) -> Columns:
    columns = Columns(layout)
    return columns if columns.fixed else Columns(layout, keys_of(summary))
