"""Models that answer a default: how soon that is found, how it is called, and how often it is said of nothing.

``python -m bench.stuck_outputs`` watches models of several outputs, by hours, in two segments (a fifth and the rest of
the traffic), under one false alarm in 30 days: numbers into panes, panes into alerts, as a replay does. After two weeks
something happens to the first output: a constant, a fallback for 40 % or 10 % of the answers, or a constant in the
small segment alone. The same outputs as features have a concentration in the place of the share of equal pairs.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.alerts.transition import Transition
from monitor.checkpoint import decode_state, encode_state
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.config.service import Service
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.events import Events
from monitor.ingest.fold import PartitionFold
from monitor.panes.reading import read_panes
from monitor.values import DAY_MS
from monitor.watch import Watch, compile_watch
from sinks.store.memory import MemoryStore

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Floats]
"""Draws the answers of some hours, float64[hours, n]; of categories, the numbers of their names."""

HOUR_MS = DAY_MS // 24
START_MS = 1_704_067_200_000
ACCEPTED_DAYS = 30
HOURS = 24
"""In which what was injected is to be found."""

SMALL = 0.2
"""Share of the small segment."""

WITHIN = (1, 2, 24)


def _score(levels: Callable[[np.random.Generator, int], Floats]) -> Draw:
    def draw(rng: np.random.Generator, hours: int, n: int) -> Floats:
        centre = levels(rng, hours)[:, None]
        return np.asarray(1 / (1 + np.exp(-(rng.normal(size=(hours, n)) + centre - 1))))

    return draw


def _names(*shares: float) -> Draw:
    return lambda rng, hours, n: rng.choice(len(shares), size=(hours, n), p=shares).astype(np.float64)


def _season(_: np.random.Generator, hours: int) -> Floats:
    return np.asarray(0.6 * np.sin(2 * np.pi * np.arange(hours) / 24))


def _persistent(rng: np.random.Generator, hours: int) -> Floats:
    level, steps = np.zeros(hours), rng.normal(size=hours)
    for hour in range(1, hours):
        level[hour] = 0.9 * level[hour - 1] + 0.1 * steps[hour]
    return level


STREAMS: dict[str, Draw] = {
    "yes/no, 3 % yes": _names(0.97, 0.03),
    "yes/no, 10 % yes": _names(0.9, 0.1),
    "5 classes": _names(0.4, 0.25, 0.2, 0.1, 0.05),
    "score": _score(lambda _, hours: np.zeros(hours)),
    "score, season": _score(_season),
    "score, AR(0.9)": _score(_persistent),
}
CATEGORIES = ("yes/no, 3 % yes", "yes/no, 10 % yes", "5 classes")
DEFAULT = {True: 0.0, False: 0.25}
"""The default answer, of categories and of numbers: the most frequent, and one near the mean."""

INJECTIONS: dict[str, float] = {"constant": 1.0, "40 %": 0.4, "10 %": 0.1, "segment": 1.0}


def watch_of(stream: str, outputs: int, *, as_features: bool) -> Watch:
    """Return a model of outputs, or of features that are like them."""
    kind = {"type": "category" if stream in CATEGORIES else "numeric"}
    answers = {f"y{number}": kind for number in range(outputs)}
    schema: dict[str, Any] = {"features": {"group": {"type": "category"}}}
    if as_features:
        schema["features"] |= answers
    else:
        schema["prediction"] = answers
    detect = {
        "false_alarms": f"1 per {ACCEPTED_DAYS}d",
        "pane": "1h",
        "defaults": {"window": "1h"},
        "rules": [{"on": f"{'feature:y' if as_features else 'prediction:'}*", "use": ["psi"]}],
    }
    source = {"kafka": "bench", "event_time": "ts", "allowed_lateness": "0s"}
    segments = [{"by": ["group"], "values": ["0", "1"]}]
    spec = {"sources": [source], "schema": schema, "detect": detect, "segments": segments}
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "bench"}, "spec": spec}
    return compile_watch(Configuration(Service(), {"bench": Model.model_validate(document)}, Path()), "bench")


def events_of(answers: Sequence[Floats], groups: Floats, first_ms: int, *, categories: bool) -> Events:
    """Return events that are spread evenly over the hours."""
    hours, n = groups.shape
    at_ms = first_ms + (np.arange(hours * n, dtype=np.int64) * HOUR_MS) // n
    coded = [Coded([str(name) for name in range(8)], column.ravel().astype(np.int64)) for column in (groups,)]
    if categories:
        coded += [Coded([str(name) for name in range(8)], column.ravel().astype(np.int64)) for column in answers]
    numeric = np.empty((0, hours * n)) if categories else np.array([column.ravel() for column in answers])
    nothing = np.full(hours * n, -1, dtype=np.int64)
    return Events(np.arange(hours * n, dtype=np.int64), nothing, at_ms, None, None, numeric, coded)  # type: ignore[arg-type]


class Course:
    """One model through its hours."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._series, self._lifecycle = ModelSeries(watch, []), lifecycle_of(watch)

    def advance(self, events: Events, first_ms: int, hours: int) -> list[Transition]:
        """Return what alerts do in some hours, the last of which ends a moment before the next event."""
        store = MemoryStore()
        store.migrate()
        fold = PartitionFold(self._watch, self._watch.model.spec.sources[0], ("bench", 0))
        for token, rows in enumerate((fold.process(events).rows, fold.finish().rows)):
            store.append("panes", rows["panes"], token=str(token))
        ends = range(first_ms + HOUR_MS, first_ms + hours * HOUR_MS + 1, HOUR_MS)
        verdicts = self._series.advance(read_panes(store, self._watch, first_ms, ends[-1]), ends)
        return list(follow(self._lifecycle, verdicts, ends))

    def branch(self) -> Course:
        """Return a course that goes on from here by itself."""
        other = Course(self._watch)
        series, lifecycle = decode_state(encode_state([self._series.snapshot(), self._lifecycle.snapshot()]))
        other._series.restore(series)
        other._lifecycle.restore(lifecycle)
        return other


def injected(answers: Floats, groups: Floats, injection: str, default: float, rng: np.random.Generator) -> Floats:
    """Return answers in which a default stands for some."""
    if injection == "segment":
        return np.where(groups == 1, default, answers)
    return np.where(rng.random(answers.shape) < INJECTIONS[injection], default, answers)


def trial(stream: str, options: argparse.Namespace, seed: int, *, as_features: bool) -> Counter[str]:
    """Return what one model says: false alerts, and within how many windows each injection is found and named."""
    rng, categories = np.random.default_rng((23, seed)), stream in CATEGORIES
    watch, days = watch_of(stream, options.outputs, as_features=as_features), options.days
    hours = days * 24 + HOURS
    answers = [STREAMS[stream](rng, hours, options.per_hour) for _ in range(options.outputs)]
    groups = (rng.random((hours, options.per_hour)) < SMALL).astype(np.float64)
    course, counted = Course(watch), Counter[str]()
    calm = events_of([each[:-HOURS] for each in answers], groups[:-HOURS], START_MS, categories=categories)
    firing = [step for step in course.advance(calm, START_MS, days * 24) if step.state == "firing"]
    counted["false"] = len(firing)
    counted["false names"] = sum(_is_named(step) for step in firing)
    for injection in options.injections:
        first_ms = START_MS + days * DAY_MS
        broken = injected(answers[0][-HOURS:], groups[-HOURS:], injection, DEFAULT[categories], rng)
        outputs = [broken, *(each[-HOURS:] for each in answers[1:])]
        events = events_of(outputs, groups[-HOURS:], first_ms, categories=categories)
        steps = [step for step in course.branch().advance(events, first_ms, HOURS) if _is_about(step, "y0")]
        for windows in WITHIN:
            soon = [step for step in steps if step.at_ms <= first_ms + windows * HOUR_MS]
            counted[f"{injection} {windows}"] = bool(soon)
            counted[f"{injection} {windows} named"] = any(map(_is_named, soon))
    return counted


def _is_about(step: Transition, output: str) -> bool:
    return step.state in ("firing", "updated") and any(s["signal"].endswith(f":{output}") for s in step.signals)


def _is_named(step: Transition) -> bool:
    return any(signal["failure"] for signal in step.signals)


def accuracy(rare: float, right: float, rng: np.random.Generator, n: int = 200_000) -> tuple[float, float]:
    """Return the accuracy of a model that is right so often, and of the constant that is the more frequent answer."""
    truth = rng.random(n) < rare
    answer = np.where(rng.random(n) < right, truth, ~truth)
    return float((answer == truth).mean()), float((~truth).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each stream and way to watch it, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.stuck_outputs", description=__doc__)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--outputs", type=int, default=3)
    parser.add_argument("--per-hour", type=int, default=120)
    parser.add_argument("--streams", nargs="*", default=list(STREAMS))
    parser.add_argument("--injections", nargs="*", default=list(INJECTIONS))
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(23)
    for rare in (0.03, 0.1):
        before, constant = accuracy(rare, 0.96 if rare < 0.05 else 0.88, rng)
        print(
            f"accuracy with {100 * rare:.0f} % yes: {100 * before:.1f} % by the model, {100 * constant:.1f} % by 'no'"
        )
    accepted = options.trials * options.days / ACCEPTED_DAYS
    print(f"{options.trials} trials, {options.per_hour} events/h, {accepted:.1f} false alerts accepted")
    measured: dict[str, Any] = {"accepted": accepted, "trials": options.trials}
    for stream in options.streams:
        # Categories have the contrasts that they had.
        for as_features in (False,) if stream in CATEGORIES else (True, False):
            totals: Counter[str] = Counter()
            for seed in range(options.trials):
                totals.update(trial(stream, options, seed, as_features=as_features))
            name = f"{stream}, {'before' if as_features else 'after'}"
            measured[name] = dict(totals)
            print(line_of(name, totals, options), flush=True)
    print(json.dumps(measured))


def line_of(name: str, totals: Counter[str], options: argparse.Namespace) -> str:
    """Return what was found within 1, 2 and 24 windows, in per cent, and named within 24; and the false alerts."""
    cells = []
    for injection in options.injections:
        found = [f"{100 * totals[f'{injection} {windows}'] / options.trials:.0f}" for windows in WITHIN]
        named = f"{100 * totals[f'{injection} {WITHIN[-1]} named'] / options.trials:.0f}"
        cells.append(f"{injection}: {'/'.join(found)} named {named}")
    return f"{name:28}{' | '.join(cells)} | false {totals['false']}, named {totals['false names']}"


if __name__ == "__main__":
    main()
