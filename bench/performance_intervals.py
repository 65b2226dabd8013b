"""How often the 95 % intervals of metrics hold the true value: the table of ``docs/performance.md``.

Run ``python -m bench.performance_intervals``; it takes some minutes. The true value is that of two million events of
the same kind. Weights are 1 but where it says otherwise: there a tenth of the negatives is kept, and counts tenfold.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from detectors.performance import (
    LOSSES,
    METRICS,
    Binary,
    Estimate,
    Multiclass,
    Question,
    Ranking,
    Regression,
    Scheme,
    Skill,
    Truth,
    estimates,
    losses_of,
    skill_of,
)

SEED = 20_261_128
MANY = 2_000_000
SIZES = (200, 1_000, 10_000)
NAMES = np.array(["a", "b", "c", "d"])

Events = dict[str, Any]


def probabilities(random: np.random.Generator, size: int) -> Events:
    """One in eight is positive; scores are a little too sure of themselves."""
    log_odds = random.normal(-3.0, 2.0, size)
    label = random.random(size) < 1 / (1 + np.exp(-0.9 * log_odds + 0.2))
    return {"prediction": 1 / (1 + np.exp(-log_odds)), "label": np.where(label, "yes", "no").tolist()}


def sampled(random: np.random.Generator, size: int) -> Events:
    """As many events, of which the negatives are one in ten."""
    events = probabilities(random, 6 * size)
    positive = np.array(events["label"]) == "yes"
    rows = np.flatnonzero(positive | (random.random(6 * size) < 0.1))[:size]
    weight = np.where(positive, 1.0, 10.0)[rows]
    return {
        "prediction": events["prediction"][rows],
        "label": np.where(positive, "yes", "no")[rows].tolist(),
        "weight": weight,
    }


def classes(random: np.random.Generator, size: int) -> Events:
    """Four classes, the rarest one in twenty, three quarters of them called by their names."""
    label = random.choice(4, size, p=[0.5, 0.3, 0.15, 0.05])
    prediction = np.where(random.random(size) < 0.75, label, random.integers(0, 4, size))
    return {"prediction": NAMES[prediction].tolist(), "label": NAMES[label].tolist()}


def numbers(random: np.random.Generator, size: int) -> Events:
    """Skewed amounts, of which large ones are missed by more."""
    label = random.lognormal(3.0, 0.5, size)
    return {"prediction": label * random.lognormal(0.02, 0.2, size), "label": label}


def rankings(random: np.random.Generator, size: int) -> Events:
    """The same ten items of twelve in one order, of which the first are relevant more often, with grades up to 3."""
    grades = (random.random((2 * size, 12)) < 0.5 / np.arange(1, 13)) * random.integers(1, 4, (2 * size, 12))
    grades = grades[grades.any(axis=1)][:size]
    # One object for each text that occurs: those of two million events fill no memory.
    codes, of_event = np.unique(grades @ 4 ** np.arange(12), return_inverse=True)
    texts = [_relevant([int(code) >> 2 * item & 3 for item in range(12)]) for code in codes]
    shown = json.dumps([f"item {item}" for item in range(10)])
    return {"prediction": [shown] * size, "label": [texts[row] for row in of_event.tolist()]}


def _relevant(grades: Sequence[int]) -> str:
    return json.dumps({f"item {item}": float(grade) for item, grade in enumerate(grades) if grade})


STREAMS: dict[str, tuple[Scheme, Callable[[np.random.Generator, int], Events]]] = {
    "probabilities": (Binary("yes", 0.3, (120.0, -8.0, -450.0, 0.0)), probabilities),
    "probabilities, weighted": (Binary("yes", 0.3, (120.0, -8.0, -450.0, 0.0)), sampled),
    "classes": (Multiclass(), classes),
    "numbers": (Regression(), numbers),
    "rankings": (Ranking(k=5), rankings),
}


SKILL = "skill:prior"


def coverage(name: str, replicas: int, sizes: Sequence[int], only: Sequence[str] = ()) -> dict[str, list[float]]:
    """Return by metric which share of the intervals that there are holds the true value, for each size."""
    scheme, stream = STREAMS[name]
    there_are = [n for n, m in METRICS.items() if scheme.kind in m.kinds and n not in ("confusion", "value_total")]
    there_are += [SKILL] if scheme.kind in LOSSES else []
    metrics = [metric for metric in there_are if not only or metric in only]
    if not metrics:
        return {}
    true = _estimated(scheme, stream(np.random.default_rng(SEED), MANY), metrics)
    holds = {metric: [0.0] * len(sizes) for metric in metrics if not math.isnan(true[metric].value)}
    for at, size in enumerate(sizes):
        intervals = dict.fromkeys(holds, 0)
        for replica in range(replicas):
            random = np.random.default_rng([SEED, size, replica])
            for metric, estimate in _estimated(scheme, stream(random, size), holds).items():
                holds[metric][at] += estimate.low <= true[metric].value <= estimate.high
                intervals[metric] += not math.isnan(estimate.low)
        for metric, count in intervals.items():
            holds[metric][at] /= max(count, 1)
    return holds


def _estimated(scheme: Scheme, events: Events, metrics: Iterable[str]) -> dict[str, Estimate | Skill]:
    """Metrics of some events, and the skill beside the prior by the first loss of its kind."""
    sums, question = scheme.fold(**events), Question(scheme.kind, min_labels=2)
    answers: dict[str, Estimate | Skill] = dict(estimates(sums, [name for name in metrics if name != SKILL], question))
    if SKILL not in metrics:
        return answers
    loss = LOSSES[scheme.kind][0]
    prior = Truth.of([sums]).answer(loss)
    losses = None if prior is None else losses_of(sums, loss, prior)
    return answers if losses is None else {**answers, SKILL: skill_of(losses, 2)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=1_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--metric", nargs="+", default=(), dest="only", help="only these")
    options = parser.parse_args(arguments)
    print(f"| events | metric | {' | '.join(f'{size:,} labels' for size in options.sizes)} |")
    print(f"|{'---|' * (2 + len(options.sizes))}")
    for name in STREAMS:
        for metric, shares in coverage(name, options.replicas, options.sizes, options.only).items():
            print(f"| {name} | `{metric}` | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
