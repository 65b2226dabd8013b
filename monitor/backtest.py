"""What would have fired under another configuration: stored panes, judged again.

Nothing is written to the store. The windows are judged by the very code that judges live ones, from the same panes,
so that the configuration which did run gives the rows that it gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.alerts.counterparts import Fired, Outcome, compare, fired
from monitor.config.model import FirstEventsBaseline, RollingBaseline
from monitor.errors import InputError
from monitor.evaluate import Evaluation, Horizon
from monitor.stored import Panes, complete_ms, first_ms, panes_of
from monitor.watch import PER_EVENT, Watch
from sinks.store.contract import Buckets, Columns, Query, Store
from sinks.store.memory import MemoryStore

__all__ = ["Backtest", "SignalCount", "Span", "backtest", "learning_ms", "span_of"]

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Span:
    """Which stretch of event time is judged, ms since the epoch.

    Attributes
    ----------
    learn_from_ms : int
        Windows from here on teach baselines and variations.
    from_ms, to_ms : int
        Windows that end within ``(from_ms, to_ms]`` are reported.
    """

    learn_from_ms: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class SignalCount:
    """In how many windows a signal was alarmed, counting each version and segment.

    Attributes
    ----------
    before, now : int
    windows : int
        That were judged now: neither learning nor without data.
    """

    before: int
    now: int
    windows: int


@dataclass
class Backtest:
    """What a backtest found.

    Attributes
    ----------
    model : str
    span : Span
    window_ms, step_ms : int
    windows : int
        Ends of windows within the span.
    scores : int
        Tests made in them.
    outcomes : list of Outcome
        Alerts, before beside now, in the order of their starts.
    signals : dict of str to SignalCount
    allowed : float
        False alarms that the budget accepts in the span.
    not_judged : dict of str to str
        Parts of the configuration that stored panes say nothing about, with the reason.
    store : Store
        Scores and alert transitions of the backtest, from ``learn_from_ms`` on.
    """

    model: str
    span: Span
    window_ms: int
    step_ms: int
    windows: int
    scores: int
    outcomes: list[Outcome]
    signals: dict[str, SignalCount]
    allowed: float
    not_judged: dict[str, str]
    store: Store = field(repr=False)

    @property
    def now(self) -> list[Fired]:
        """The alerts that would have fired."""
        return [alert for outcome in self.outcomes for alert in outcome.now]

    @property
    def before(self) -> list[Fired]:
        """The alerts that did fire."""
        return [alert for outcome in self.outcomes for alert in outcome.before]

    def fired_within(self) -> int:
        """How many of :attr:`now` fired within the span, rather than before it."""
        return sum(alert.at_ms > self.span.from_ms for alert in self.now)


def learning_ms(watch: Watch) -> int | None:
    """How much history the configuration needs before it can judge; None for all there is.

    Examples
    --------
    A baseline of a data set needs no history, but the variation of each signal and four days' volume do.
    """
    spec = watch.model.spec
    if isinstance(spec.baseline, FirstEventsBaseline):
        return None
    defaults = spec.detect.defaults
    span_ms = spec.baseline.span if isinstance(spec.baseline, RollingBaseline) else 0
    windows_ms = span_ms + 2 * defaults.learn_windows * defaults.window
    return max(windows_ms, 28 * DAY_MS) if "volume" in watch.uses.get("volume", {}) else windows_ms


def span_of(
    store: Store, watch: Watch, from_ms: int | None = None, to_ms: int | None = None, learn_from_ms: int | None = None
) -> Span:
    """Settle what is judged; what is not given is as far as there are panes.

    Parameters
    ----------
    store : Store
    watch : Watch
    from_ms, to_ms, learn_from_ms : int or None

    Raises
    ------
    InputError
        If the store has no panes of the model there, or the ends are in the wrong order.
    """
    name = watch.name
    first, complete = first_ms(store, name), complete_ms(store, name)
    if first is None or complete is None:
        models = sorted(set(store.read(Query("progress", columns=("model",)))["model"]))
        raise InputError(f"the store has no panes of model {name!r}; it has {', '.join(models) or 'no model at all'}")
    from_ms = first if from_ms is None else max(from_ms, first)
    to_ms = complete if to_ms is None else min(to_ms, complete)
    if learn_from_ms is None:
        needed = learning_ms(watch)
        learn_from_ms = first if needed is None else from_ms - needed
    learn_from_ms = max(first, learn_from_ms)
    if not learn_from_ms <= from_ms < to_ms:
        raise InputError(
            f"model {name!r} has complete panes from {first} to {complete} ms; "
            f"learning from {learn_from_ms} and judging {from_ms} to {to_ms} leaves nothing"
        )
    return Span(learn_from_ms, from_ms, to_ms)


def backtest(
    store: Store,
    watch: Watch,
    span: Span,
    on_progress: Callable[[int], None] = lambda done_ms: None,
    *,
    skip_changed: bool = False,
) -> Backtest:
    """Judge stored panes under another configuration, and compare its alerts with those that are stored.

    Parameters
    ----------
    store : Store
        Only read.
    watch : Watch
        The other configuration.
    span : Span
    on_progress : callable
        Called now and then with how much event time, in ms, is behind.
    skip_changed : bool
        Leave out signals whose stored panes have another layout, instead of refusing.

    Returns
    -------
    Backtest

    Raises
    ------
    InputError
        If panes cannot be summed to the windows of the configuration, or a signal was kept in another layout.
    """
    panes = panes_of(store, watch.name, span.learn_from_ms, span.to_ms)
    _check_lengths(watch, panes)
    not_judged = _not_judged(watch, panes, skip_changed=skip_changed)
    kept = MemoryStore()
    windows = _run(store, kept, watch, span, on_progress)
    return _found(store, kept, watch, span, windows, not_judged)


# -- what can be judged ----------------------------------------------------------------------------------------


def _check_lengths(watch: Watch, panes: Iterable[Panes]) -> None:
    defaults = watch.model.spec.detect.defaults
    for pane_ms in sorted({kind.pane_ms for kind in panes}):
        for key, length in (("window", defaults.window), ("every", defaults.step_ms), ("offset", defaults.offset)):
            if length % pane_ms:
                raise InputError(
                    f"detect.defaults.{key} is {length} ms, but panes of {pane_ms} ms are stored: "
                    "windows can only be whole panes; replay the events for finer ones"
                )


def _not_judged(watch: Watch, panes: Sequence[Panes], *, skip_changed: bool) -> dict[str, str]:
    stored: dict[str, set[str]] = {}
    for kind in panes:
        stored.setdefault(kind.signal, set()).add(kind.layout)
    changed = {s for s, layout in watch.layouts.items() if s in stored and stored[s] != {layout.id}}
    if changed and not skip_changed:
        raise InputError("\n".join(_refusal(watch, signal, panes) for signal in sorted(changed)))
    found: dict[str, str] = {}
    for signal, layout in watch.layouts.items():
        if signal not in stored:
            found[signal] = "no panes of this signal are stored"
        elif layout.id not in stored[signal]:
            found[signal] = "stored panes have another layout"
        elif signal in changed:
            found[signal] = "some stored panes have another layout; they are left out"
    segments = {kind.segment for kind in panes}
    for name in (name for cut in watch.slices for name in cut.names.values()):
        if name not in segments:
            found[f"[{name}]"] = "no panes of this segment are stored"
    for signal, uses in watch.uses.items():
        for detector in (name for name in uses if name in PER_EVENT):
            found[f"{signal} {detector}"] = "sees every event, and panes hold none: replay the events"
    return found


def _refusal(watch: Watch, signal: str, panes: Sequence[Panes]) -> str:
    mine = watch.layouts[signal].id
    other = [kind for kind in panes if kind.signal == signal and kind.layout != mine]
    reach = f"{min(kind.first_ms for kind in other)} to {max(kind.last_ms + kind.pane_ms for kind in other)} ms"
    return (
        f"{signal}: its panes of {reach} were kept under another type, range, max_values or data set, and cannot be "
        "judged under this one; replay the events, or leave such signals out"
    )


# -- judging ---------------------------------------------------------------------------------------------------


class _Apart:
    """A store's panes of a span, with everything that is written kept apart."""

    def __init__(self, store: Store, kept: Store, watch: Watch, span: Span) -> None:
        self._store, self._kept, self._span = store, kept, span
        source = watch.model.spec.sources[0]
        progress = {"model": watch.name, "topic": source.topic, "partition": 0}
        reach = {"closed_ms": span.to_ms, "newest_ms": span.to_ms, "next_offset": 0}
        kept.append("progress", {name: [value] for name, value in (progress | reach).items()}, "span")

    def migrate(self) -> None:
        """Nothing to do."""

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self._kept.append(table, columns, token)

    def read(self, query: Query) -> Columns:
        if query.table != "panes":
            return self._kept.read(query)
        low = {**query.low, "pane_start_ms": max(query.low.get("pane_start_ms", 0), self._span.learn_from_ms)}
        high = {**query.high, "pane_start_ms": min(query.high.get("pane_start_ms", 1 << 62), self._span.to_ms)}
        return self._store.read(
            Query("panes", query.where, low, high, query.order, limit=query.limit, columns=query.columns)
        )

    def buckets(self, buckets: Buckets) -> Columns:
        return self._kept.buckets(buckets)

    def close(self) -> None:
        """Nothing to do."""


def _run(store: Store, kept: Store, watch: Watch, span: Span, on_progress: Callable[[int], None]) -> int:
    evaluation = Evaluation(watch, _Apart(store, kept, watch, span))
    evaluation.advance(Horizon())
    on_progress(span.to_ms - span.learn_from_ms)
    step, offset = watch.model.spec.detect.defaults.step_ms, watch.model.spec.detect.defaults.offset
    return (span.to_ms - offset) // step - (span.from_ms - offset) // step


# -- the comparison --------------------------------------------------------------------------------------------


def _found(store: Store, kept: Store, watch: Watch, span: Span, windows: int, not_judged: dict[str, str]) -> Backtest:
    name, detect = watch.name, watch.model.spec.detect
    before = fired(_rows(store.read(Query("alerts", {"model": name}))), span.from_ms, span.to_ms)
    now = fired(_rows(kept.read(Query("alerts", {"model": name}))), span.from_ms, span.to_ms)
    low, high = {"window_end_ms": span.from_ms + 1}, {"window_end_ms": span.to_ms + 1}
    columns = ("signal", "segment", "version", "window_end_ms", "status")
    scores = kept.read(Query("scores", {"model": name}, low, high, columns=columns))
    alarmed = store.read(Query("scores", {"model": name, "status": "drift"}, low, high, columns=columns))
    return Backtest(
        model=name,
        span=span,
        window_ms=detect.defaults.window,
        step_ms=detect.defaults.step_ms,
        windows=windows,
        scores=len(scores["signal"]),
        outcomes=compare(before, now),
        signals=_signal_counts(scores, alarmed),
        allowed=detect.false_alarms.count * (span.to_ms - span.from_ms) / detect.false_alarms.per_ms,
        not_judged=not_judged,
        store=kept,
    )


def _rows(columns: Columns) -> Iterable[Mapping[str, Any]]:
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def _signal_counts(scores: Columns, alarmed: Columns) -> dict[str, SignalCount]:
    now = _windows_by_signal(scores, {"drift"})
    judged = _windows_by_signal(scores, {"ok", "drift"})
    before = _windows_by_signal(alarmed, {"drift"})
    return {s: SignalCount(before[s], now[s], judged[s]) for s in sorted(judged.keys() | before.keys())}


def _windows_by_signal(rows: Columns, statuses: set[str]) -> Counter[str]:
    windows = {
        (row["signal"], row["segment"], row["version"], int(row["window_end_ms"]))
        for row in _rows(rows)
        if row["status"] in statuses
    }
    return Counter(signal for signal, *_ in windows)
