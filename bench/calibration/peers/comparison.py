"""What each of us alerts of on the same events, and which of it is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.calibration.grid import Grid
from bench.calibration.injections import INJECTIONS
from bench.calibration.peers.logs import Chance, Log
from bench.calibration.peers.monitors import Monitor
from bench.calibration.peers.ours import Ours
from bench.calibration.streams import STREAMS
from bench.calibration.traffic import traffic_of
from bench.calibration.watched import DATA_SET_ROWS, Rule

__all__ = ["DAYS", "HORIZONS", "WHAT_HAPPENS", "Alerts", "Model", "Outcome", "compared", "led"]

Bools = NDArray[np.bool_]

FEATURES, INJECTED = 6, 3
"""Features of a model, and those of them to which something happens."""

DAYS = {"1h": (35, 21), "1d": (56, 28)}
"""Days of the reference, and those after it, by the length of windows."""

START_HOUR = 10
"""Of the first day after the reference, when things happen."""

HORIZONS = (1, 7)
"""Days within which something is to be found."""

CHANCE = 0.95
"""Alerts tell a change apart when they are more than in this share of equally long spans in which nothing changes."""

WHAT_HAPPENS = ("mean0.25", "mean0.5", "mean1", "spread2", "mix20", "missing50", "constant")


@dataclass(frozen=True)
class Alerts:
    """The windows after the reference in which one contestant alerts, of one model.

    Attributes
    ----------
    control : bool array [F, T]
        While nothing changes.
    volume : bool array [T]
        Alerts that are of no feature, in control.
    changed : mapping of str to bool array [INJECTED, T]
        By injection.
    """

    control: Bools
    volume: Bools
    changed: Mapping[str, Bools]


@dataclass(frozen=True)
class Model:
    """Where one model is compared.

    Attributes
    ----------
    stream : str
    grid : Grid
    seed : int
    """

    stream: str
    grid: Grid
    seed: int

    @property
    def days(self) -> tuple[int, int]:
        """Days of the reference, and those after it."""
        return DAYS[self.grid.name]


@dataclass(frozen=True)
class Outcome:
    """How one contestant did on one stream.

    Attributes
    ----------
    stream, window, contestant : str
    windows, false_windows : int
        In control, and those of them in which it alerts.
    trials : int
        Of each injection.
    within : mapping of str to tuple of int
        By injection: trials in which it alerts within each of `HORIZONS`.
    told_apart : mapping of str to tuple of int
        Those in which it alerts in more windows than nearly always when nothing changes.
    """

    stream: str
    window: str
    contestant: str
    windows: int
    false_windows: int
    trials: int
    within: Mapping[str, tuple[int, ...]]
    told_apart: Mapping[str, tuple[int, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**vars(self), "within": dict(self.within), "told_apart": dict(self.told_apart)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Outcome:
        """Return what `to_json` wrote."""
        counts = {name: {key: tuple(pair) for key, pair in document[name].items()} for name in ("within", "told_apart")}
        return cls(**{**document, **counts})


def led(model: Model, monitors: Mapping[str, Monitor], rule: Rule) -> dict[str, Alerts]:
    """Lead everybody through the same windows.

    Parameters
    ----------
    model : Model
    monitors : mapping of str to Monitor
    rule : Rule
        Of ours.
    """
    drawn = _Drawn.of(model)
    alerts = dict(_ours(drawn, rule))
    for project, monitor in monitors.items():
        alerts |= dict(_theirs(drawn, project, monitor))
    return alerts


def compared(stream: str, grid: Grid, alerts: Sequence[Mapping[str, Alerts]]) -> list[Outcome]:
    """Return how everybody did on a stream, over all of its models."""
    return [_outcome(stream, grid, name, [of_model[name] for of_model in alerts]) for name in alerts[0]]


@dataclass(frozen=True)
class _Drawn:
    """The events of a model: what it is built on, what follows, and what follows if something happens."""

    grid: Grid
    data_set: Log
    reference: Log
    control: Log
    changed: Mapping[str, Log]

    @classmethod
    def of(cls, model: Model) -> _Drawn:
        stream, grid = STREAMS[model.stream], model.grid
        rng = np.random.default_rng([model.seed, *f"{stream.name}/{grid.name}".encode()])
        before, after = model.days
        _, traffic = traffic_of(stream, grid, FEATURES, before + after, rng)
        chance = Chance.drawn(stream, traffic, rng)
        first, begun = before * grid.per_day, _begun(grid)
        reference = chance.log(traffic, 0, first)
        changed = {
            name: chance.log(
                injection.applied(traffic, grid, first + begun, INJECTED), first, first + begun + 7 * grid.per_day
            )
            for name, injection in ((name, INJECTIONS[name]) for name in WHAT_HAPPENS)
            if injection.fits(names=bool(stream.shares), grid=grid)
        }
        data_set = reference.sample(DATA_SET_ROWS, rng)
        return cls(grid, data_set, reference, chance.log(traffic, first, traffic.windows), changed)


def _begun(grid: Grid) -> int:
    """The window after the reference in which things happen."""
    return START_HOUR * grid.per_day // 24


def _ours(drawn: _Drawn, rule: Rule) -> Iterator[tuple[str, Alerts]]:
    ours = Ours(drawn.data_set, drawn.reference, drawn.grid, rule)
    control = ours.alerts(drawn.control)
    changed = {name: ours.alerts(log)[:, :INJECTED] for name, log in drawn.changed.items()}
    either = control[0] | control[1]
    yield "leeway", Alerts(either[:-1], either[-1], {name: both[0] | both[1] for name, both in changed.items()})
    change = {name: both[0] for name, both in changed.items()}
    yield "leeway, change alone", Alerts(control[0, :-1], control[0, -1], change)


def _theirs(drawn: _Drawn, project: str, monitor: Monitor) -> Iterator[tuple[str, Alerts]]:
    # Each feature is compared by itself: what happens to some of them is nothing to the others.
    parts = {"changed": slice(INJECTED), "others": slice(INJECTED, FEATURES)}
    for name, part in parts.items():
        monitor.fit(name, (drawn.data_set if project == "evidently" else drawn.reference).of(part))
    control = np.concatenate([monitor.alerts(name, drawn.control.of(part)) for name, part in parts.items()], axis=1)
    changed = {name: monitor.alerts("changed", log.of(parts["changed"])) for name, log in drawn.changed.items()}
    no_volume = np.zeros(control.shape[2], dtype=np.bool_)
    yield project, Alerts(control[0], no_volume, {name: both[0] for name, both in changed.items()})
    with_missing = {name: both[0] | both[1] for name, both in changed.items()}
    yield f"{project} + missing", Alerts(control[0] | control[1], no_volume, with_missing)


def _outcome(stream: str, grid: Grid, contestant: str, alerts: Sequence[Alerts]) -> Outcome:
    in_control = np.array([of_model.control.any(axis=0) | of_model.volume for of_model in alerts])
    changed = {
        name: np.concatenate([of_model.changed[name] for of_model in alerts])[:, _begun(grid) :]
        for name in alerts[0].changed
    }
    spans = [days * grid.per_day for days in HORIZONS]
    usual = [_usual_at_most(alerts, span, grid) for span in spans]

    def counted(most: Sequence[float]) -> dict[str, tuple[int, ...]]:
        return {
            name: tuple(
                int((trials[:, :span].sum(axis=1) > at_most).sum()) for span, at_most in zip(spans, most, strict=True)
            )
            for name, trials in changed.items()
        }

    trials = INJECTED * len(alerts)
    windows, false_windows = in_control.size, int(in_control.sum())
    within, told_apart = counted([0.0] * len(spans)), counted(usual)
    return Outcome(stream, grid.name, contestant, windows, false_windows, trials, within, told_apart)


def _usual_at_most(alerts: Sequence[Alerts], span: int, grid: Grid) -> float:
    """In how many windows of a span a feature alerts at most, nearly always, while nothing changes."""
    controls = np.concatenate([of_model.control for of_model in alerts])
    sums = np.lib.stride_tricks.sliding_window_view(controls, span, axis=1)[:, :: grid.per_day].sum(axis=2)
    return float(np.quantile(sums, CHANCE, method="inverted_cdf"))
