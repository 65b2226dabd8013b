"""What would have fired under another configuration: stored panes, evaluated again.

Nothing is written to the store. The code that evaluates live windows evaluates these, from the same panes, so that the
configuration that did run gives the rows that it gave; but all of them, where a window did not wait for a partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from detectors.chart.legend import DRIFT, LEARNING
from monitor.alerts.counterparts import Fired, Outcome, compare, fired
from monitor.alerts.transition import Transition
from monitor.config.performance import is_judged
from monitor.errors import InputError
from monitor.evaluate.former_sources import read_differently
from monitor.evaluate.horizon_log import read_bases
from monitor.evaluate.mark_log import marks_in_effect
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.muting import is_muted, mutings
from monitor.evaluate.pinned import pin_stored
from monitor.evaluate.read_ahead import in_batches, learning_ms, read_ahead
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.windows import first_window_end
from monitor.panes.codec import FINDINGS, signal_of_findings
from monitor.panes.coverage import Panes, begins_ms, complete_ms, panes_of, sums_begin_ms, table_for
from monitor.values import DAY_MS, format_duration
from monitor.watch import Watch
from sinks.receivers.times import utc
from sinks.store.batch import Rows, empty_rows, extend
from sinks.store.contract import Query, Store
from sinks.store.derived import TIERS
from sinks.store.rows import rows_of

__all__ = ["Backtest", "SignalCount", "Span", "Tally", "alarmed_before", "backtest", "span_of"]


@dataclass(frozen=True)
class Span:
    """Which span of event time is evaluated, ms since the epoch.

    Attributes
    ----------
    learn_from_ms : int
        Windows from here on teach baselines and variations.
    from_ms, to_ms : int
        Windows that end within ``(from_ms, to_ms]`` are reported.
    first_ms : int
        Where stored panes begin.
    table : str
        From which they are read.
    """

    learn_from_ms: int
    from_ms: int
    to_ms: int
    first_ms: int
    table: str = "panes"


@dataclass(frozen=True)
class SignalCount:
    """In how many windows a signal was alarmed, counting each version and segment.

    Attributes
    ----------
    before, now : int
    windows : int
        With a verdict now: neither learning nor without data.
    learning : int
        In which it was still learning.
    """

    before: int
    now: int
    windows: int
    learning: int


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
    tests : int
        Made in them; each would be a row of ``scores``.
    outcomes : list of Outcome
        Alerts, before beside now, in the order of their starts.
    signals : dict of str to SignalCount
    allowed : float
        False alarms that the budget accepts in the span.
    not_judged : dict of str to str
        Parts of the configuration that stored panes say nothing about, with the reason.
    transitions : list of Transition
        Of alerts, from ``learn_from_ms`` on.
    scores : dict of str to list
        Rows of ``scores`` within the span, of the signals that were asked for.
    """

    model: str
    span: Span
    window_ms: int
    step_ms: int
    windows: int
    tests: int
    outcomes: list[Outcome]
    signals: dict[str, SignalCount]
    allowed: float
    not_judged: dict[str, str]
    transitions: list[Transition] = field(repr=False)
    scores: Rows = field(repr=False)

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


def span_of(
    store: Store, watch: Watch, from_ms: int | None = None, to_ms: int | None = None, learn_from_ms: int | None = None
) -> Span:
    """Settle what is evaluated; an end that is None is as far as there are panes.

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
    table = table_for(store, watch)
    first, complete = begins_ms(store, name, table), complete_ms(store, name)
    if table == "panes":
        _check_kept(store, name, first, [ms for ms in (from_ms, learn_from_ms) if ms is not None])
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
            f"model {name!r} has complete panes from {utc(first)} to {utc(complete)}; "
            f"learning from {utc(learn_from_ms)} and judging {utc(from_ms)} to {utc(to_ms)} leaves nothing"
        )
    return Span(learn_from_ms, from_ms, to_ms, first, table)


def _check_kept(store: Store, model: str, first: int | None, asked_ms: Sequence[int]) -> None:
    """Refuse to begin where only sums of panes are left, of which the windows do not consist."""
    begins = sums_begin_ms(store, model)
    if begins is not None and (first is None or any(begins <= ms < first for ms in asked_ms)):
        since = "no panes any more" if first is None else f"panes since {utc(first)} only"
        raise InputError(
            f"model {model!r} has {since} (spec.store.keep.panes), and before that, since {utc(begins)}, sums of 5"
            " minutes and of an hour: begin later, or evaluate windows of whole sums"
        )


def backtest(
    store: Store,
    watch: Watch,
    span: Span,
    on_progress: Callable[[int, int], None] = lambda done, everything: None,
    *,
    keep: Collection[str] = (),
    skip_changed: bool = False,
) -> Backtest:
    """Evaluate stored panes under another configuration, and compare its alerts with those that are stored.

    Parameters
    ----------
    store : Store
        Only read.
    watch : Watch
        The other configuration.
    span : Span
    on_progress : callable
        Called now and then with how many windows are behind, and how many there are.
    keep : collection of str
        Signals whose scores within the span are wanted.
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
    panes = _stored(store, watch.name, span)
    _check_lengths(watch, panes)
    not_judged = _not_judged(watch, panes, skip_changed=skip_changed)
    not_judged |= read_differently(store, watch, span.learn_from_ms, span.to_ms)
    not_judged |= _not_waited_for(store, watch.name, span)
    ends = range(first_window_end(watch, span.learn_from_ms), span.to_ms + 1, watch.model.spec.detect.defaults.step_ms)
    # Signals of the store that the configuration does not have are not even read.
    configured = {*watch.layouts, *watch.finding_layouts, "volume"}
    stored = {kind.signal.removeprefix(FINDINGS) for kind in panes}
    signals = sorted(configured) if stored - configured else None
    series, lifecycle, tally, done = ModelSeries(watch, list(keep)), lifecycle_of(watch), Tally(span, keep), 0
    transitions: list[Transition] = []
    marks = marks_in_effect(store, watch.name)
    series.decide(marks)
    muted = partial(is_muted, watch, mutings(marks))
    if series.pinned is not None and ends:
        pin_stored(series.pinned, store, watch, ends[0], span.table)
    batches = in_batches(ends, sum(kind.cells for kind in panes))
    for batch_panes, batch in read_ahead(store, watch, batches, signals, span.table):
        verdicts = series.advance(batch_panes, batch)
        transitions += follow(lifecycle, verdicts, batch, muted)
        for of_series in verdicts:
            tally.take(watch.name, of_series)
        done += len(batch)
        on_progress(done, len(ends))
    spec = watch.model.spec
    live = fired(rows_of(store.read(Query("alerts", {"model": watch.name}))), span.from_ms, span.to_ms)
    now = fired([transition.to_row() for transition in transitions], span.from_ms, span.to_ms)
    alarmed = alarmed_before(store, watch.name, span, judged=False)
    return Backtest(
        model=watch.name,
        span=span,
        window_ms=spec.detect.defaults.window,
        step_ms=spec.detect.defaults.step_ms,
        windows=sum(span.from_ms < end_ms for end_ms in ends),
        tests=tally.tests,
        outcomes=compare(live, now),
        signals=tally.signals(alarmed),
        allowed=spec.detect.false_alarms.count * (span.to_ms - span.from_ms) / spec.detect.false_alarms.per_ms,
        not_judged=not_judged,
        transitions=transitions,
        scores=tally.scores,
    )


# -- what can be evaluated -------------------------------------------------------------------------------------


def _stored(store: Store, model: str, span: Span) -> list[Panes]:
    """What is to be read; of sums that are behind, the panes that are to be added up meanwhile."""
    fine = panes_of(store, model, span.learn_from_ms, span.to_ms)
    if span.table == "panes":
        return fine
    sums = panes_of(store, model, span.learn_from_ms - TIERS[span.table], span.to_ms, span.table)
    reach = max((kind.last_ms for kind in sums), default=0)
    fresh = [kind for kind in fine if kind.last_ms > reach + DAY_MS]
    return [*sums, *fresh]


def _check_lengths(watch: Watch, panes: Iterable[Panes]) -> None:
    defaults = watch.model.spec.detect.defaults
    lengths = {"window": defaults.window, "every": defaults.step_ms, "offset": defaults.offset}
    for pane_ms in sorted({kind.pane_ms for kind in panes}):
        for key in (key for key, length in lengths.items() if length % pane_ms):
            configured, stored = format_duration(lengths[key]), format_duration(pane_ms)
            raise InputError(
                f"detect.defaults.{key} is {configured}, but panes of {stored} are stored: "
                "windows can only be whole panes; replay the events for finer ones"
            )


def _not_judged(watch: Watch, panes: Sequence[Panes], *, skip_changed: bool) -> dict[str, str]:
    stored: dict[str, set[str]] = {}
    for kind in panes:
        stored.setdefault(kind.signal, set()).add(kind.layout)
    changed = {s for s, layout in watch.layouts.items() if s in stored and stored[s] != {layout.id}}
    if changed and not skip_changed:
        raise InputError("\n".join(_refusal(watch, signal, panes) for signal in sorted(changed)))
    reasons: dict[str, str] = {}
    for signal, layout in watch.layouts.items():
        if signal not in stored:
            reasons[signal] = "no panes of this signal are stored"
        elif layout.id not in stored[signal]:
            reasons[signal] = "stored panes have another layout"
        elif signal in changed:
            reasons[signal] = "some stored panes have another layout; they are left out"
    segments = {kind.segment for kind in panes}
    for name in (name for segmentation in watch.segmentations for name in segmentation.names.values()):
        if name not in segments:
            reasons[f"[{name}]"] = "no panes of this segment are stored"
    for signal, findings in watch.finding_layouts.items():
        # What such a detector finds is known only of the configuration that ran; the rule `change` judges how often.
        layouts = stored.get(signal_of_findings(signal), set())
        if watch.model.spec.detect.rule != "change" or layouts != {findings.id}:
            for detector in findings.detectors:
                reasons[f"{signal} {detector}"] = "sees every event, and panes hold none: replay the events"
    return reasons


def _not_waited_for(store: Store, model: str, span: Span) -> dict[str, str]:
    """Return the partitions without which windows of the span were evaluated."""
    ends_ms: dict[str, list[int]] = {}
    for basis in read_bases(store, model, span.learn_from_ms + 1, span.to_ms + 1):
        for name in filter(None, basis.missing(basis.to_ms).split(",")):
            ends_ms.setdefault(name, []).append(basis.to_ms)
    return {
        f"without {name}": f"windows up to {utc(max(ends))} did not wait for it; here all that it brought later counts"
        for name, ends in sorted(ends_ms.items())
    }


def _refusal(watch: Watch, signal: str, panes: Sequence[Panes]) -> str:
    mine = watch.layouts[signal].id
    other = [kind for kind in panes if kind.signal == signal and kind.layout != mine]
    reach = f"{utc(min(kind.first_ms for kind in other))} to {utc(max(kind.last_ms + kind.pane_ms for kind in other))}"
    return (
        f"{signal}: its panes of {reach} were kept under another type, range, max_values or data set, and cannot be "
        "judged under this one; replay the events, or leave such signals out"
    )


# -- evaluation ------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What is counted of the windows of a span, while series after series is evaluated."""

    span: Span
    keep: Collection[str]
    scores: Rows = field(default_factory=lambda: empty_rows("scores"))
    tests: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def take(self, model: str, verdicts: Verdicts) -> None:
        signal = verdicts.key[2]
        inside = verdicts.within(self.span.from_ms, self.span.to_ms)
        statuses = inside.statuses
        self.tests += statuses.size
        counts = self.counts.setdefault(signal, Counter())
        alarmed, decided = (statuses == DRIFT).any(axis=1), (statuses <= DRIFT).any(axis=1)
        counts["alarmed"] += int(alarmed.sum())
        counts["decided"] += int(decided.sum())
        counts["learning"] += int(((statuses == LEARNING).any(axis=1) & ~decided).sum())
        if signal in self.keep:
            extend(self.scores, inside.rows(model, ""))

    def signals(self, alarmed: Counter[str]) -> dict[str, SignalCount]:
        """What was counted of each signal, beside in how many windows it was alarmed before."""
        return {
            signal: SignalCount(alarmed[signal], counts["alarmed"], counts["decided"], counts["learning"])
            for signal in sorted(self.counts.keys() | alarmed.keys())
            for counts in [self.counts.get(signal, Counter())]
        }


# -- the comparison --------------------------------------------------------------------------------------------


def alarmed_before(store: Store, model: str, span: Span, *, judged: bool) -> Counter[str]:
    """In how many windows each signal was alarmed, as stored: of those that labels make, or of the others."""
    low, high = {"window_end_ms": span.from_ms + 1}, {"window_end_ms": span.to_ms + 1}
    columns = ("signal", "segment", "version", "window_end_ms")
    rows = store.read(Query("scores", {"model": model, "status": "drift"}, low, high, columns=columns))
    windows = set(zip(*(rows[name] for name in columns), strict=True))
    return Counter(signal for signal, *_ in windows if is_judged(signal) == judged)
