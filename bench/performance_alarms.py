"""False alarms of signals that labels make, and how soon they find that a model became worse.

``python -m bench.performance_alarms`` draws streams of labelled predictions of which nothing changes, and counts alerts
against the share of the budget that a signal has; then it lets accuracy drop, of all events or of one segment that has
a tenth of them, and measures how many hours it takes. river's detectors see the same errors, event by event.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import drift
from scipy import stats

from detectors.performance import Binary, Scheme
from monitor.config.model import Model
from monitor.config.performance import COVERAGE, PERFORMANCE
from monitor.performance.alarms import JudgedSignals
from monitor.performance.contrasts import JudgedRow
from monitor.performance.evidence import JudgedHours
from monitor.watch import Watch, watch_of
from sinks.store.spans import HOUR_MS

__all__ = ["main"]

Floats = NDArray[np.float64]

SEED = 7_000_000
"""Seeds of what is measured; what was tuned by had smaller ones."""

START_MS = 1_704_067_200_000
WARM_DAYS = 28
SKILL_OF_PRIOR = "skill:prior"
LABELS = 60
"""Of an hour, on average, unless a stream says otherwise."""

DROPS = (0.02, 0.05, 0.10)
SEGMENT, OF_SEGMENT = "part=small", 0.1
OF_ANY = 0.05
"""A drop that is smaller is not looked for within a segment."""

PEERS: dict[str, Callable[[], Any]] = {
    "DDM": drift.binary.DDM,
    "ADWIN": drift.ADWIN,
    "HDDM_A": drift.binary.HDDMA,
}


@dataclass(frozen=True)
class Stream:
    """Labelled predictions of which nothing changes.

    Attributes
    ----------
    metric : str
        Or coverage, and then an error is that there is no label.
    labels : float
        An hour, on average; by day twice as many as by night.
    errors : callable
        From a generator and a number of hours to the probability of an error, or the scale of errors, in each.
    tails : float
        Degrees of freedom of Student's t for errors of numbers; 0 of probabilities.
    unsure : float
        How far from 0 or 1 probabilities are at most.
    window : str
        Of the model: hours are added up to longer ones.
    """

    metric: str
    labels: float
    errors: Callable[[np.random.Generator, int], Floats]
    tails: float = 0.0
    unsure: float = 0.5
    window: str = "5m"


def steady(level: float) -> Callable[[np.random.Generator, int], Floats]:
    """Return a level that stays."""
    return lambda rng, hours: np.full(hours, level)


def by_day(level: float, swing: float) -> Callable[[np.random.Generator, int], Floats]:
    """Return a level that follows the hour of the day."""
    return lambda rng, hours: level + swing * np.sin(2 * np.pi * np.arange(hours) / 24)


def wandering(level: float, carry: float, spread: float) -> Callable[[np.random.Generator, int], Floats]:
    """Return a level of which the logarithm of the odds is an autoregression of order 1, of this standard deviation."""

    def draw(rng: np.random.Generator, hours: int) -> Floats:
        steps = rng.normal(0, spread * np.sqrt(1 - carry**2), hours)
        odds, state = np.empty(hours), rng.normal(0, spread)
        for hour in range(hours):
            state = carry * state + steps[hour]
            odds[hour] = state
        return np.asarray(1 / (1 + np.exp(-(np.log(level / (1 - level)) + odds))))

    return draw


def quiet_nights(level: float, by_night: float) -> Callable[[np.random.Generator, int], Floats]:
    """Return a level that half of each day's hours have, and another of the rest."""
    return lambda rng, hours: np.where(np.arange(hours) % 24 < 12, level, by_night)


def _errors_of_skill(skill: float) -> float:
    """Return the share of errors of uniform probabilities: their Brier score is 1/12 + errors / 2, the prior's 1/4."""
    return (2 / 3 - skill) / 2


STREAMS: dict[str, Stream] = {
    "accuracy, 1 % errors": Stream("accuracy", LABELS, steady(0.01)),
    "accuracy, 10 % errors": Stream("accuracy", LABELS, steady(0.1)),
    "accuracy, 30 % errors": Stream("accuracy", LABELS, steady(0.3)),
    "accuracy, 5 to 15 % by the hour of the day": Stream("accuracy", LABELS, by_day(0.1, 0.05)),
    "accuracy, wandering within hours (0.5)": Stream("accuracy", LABELS, wandering(0.1, 0.5, 0.3)),
    "accuracy, wandering within a day (0.9)": Stream("accuracy", LABELS, wandering(0.1, 0.9, 0.3)),
    "accuracy, 3 labels an hour": Stream("accuracy", 3, steady(0.1)),
    "recall, 10 % errors": Stream("recall", LABELS, steady(0.1)),
    "roc_auc": Stream("roc_auc", LABELS, steady(0.1)),
    "log_loss": Stream("log_loss", LABELS, steady(0.1)),
    "log_loss, nearly certain, nights without errors": Stream(
        "log_loss", LABELS, quiet_nights(0.05, 2e-4), unsure=1e-4
    ),
    "accuracy, 10 % errors, judged by days": Stream("accuracy", LABELS, steady(0.1), window="1d"),
    "mae, Student's t with 3 degrees": Stream("mae", LABELS, steady(1.0), tails=3.0),
    "rmse, Student's t with 3 degrees": Stream("rmse", LABELS, steady(1.0), tails=3.0),
    "bias, Student's t with 3 degrees": Stream("bias", LABELS, steady(1.0), tails=3.0),
    "mae, 3 labels an hour": Stream("mae", 3, steady(1.0), tails=3.0),
    "coverage, 20 % have no label": Stream(COVERAGE, LABELS, steady(0.2)),
    "coverage, 3 predictions an hour": Stream(COVERAGE, 3, steady(0.2)),
    "log_loss, nearly certain, 2 errors of 10,000": Stream("log_loss", LABELS, steady(2e-4), unsure=1e-4),
    "log_loss, nearly certain, errors by night alone": Stream(
        "log_loss", LABELS, quiet_nights(2e-4, 0.05), unsure=1e-4
    ),
    "accuracy, 1 error of 10,000": Stream("accuracy", LABELS, steady(1e-4)),
    "skill 0.15": Stream(SKILL_OF_PRIOR, LABELS, steady(_errors_of_skill(0.15))),
    "skill 0.10": Stream(SKILL_OF_PRIOR, LABELS, steady(_errors_of_skill(0.10))),
    "skill 0.15, wandering within a day (0.9)": Stream(
        SKILL_OF_PRIOR, LABELS, wandering(_errors_of_skill(0.15), 0.9, 0.3)
    ),
    "skill 0.15, 3 labels an hour": Stream(SKILL_OF_PRIOR, 3, steady(_errors_of_skill(0.15))),
}

_NUMBERS = {name: Stream(name, LABELS, steady(1.0), tails=3.0) for name in ("mae", "rmse", "bias")}
WORSE: dict[str, tuple[Stream, tuple[float, float]]] = {
    "mae, errors 10 % larger": (_NUMBERS["mae"], (1.1, 0.0)),
    "mae, errors 25 % larger": (_NUMBERS["mae"], (1.25, 0.0)),
    "rmse, errors 25 % larger": (_NUMBERS["rmse"], (1.25, 0.0)),
    "bias, a tenth of the scale of errors": (_NUMBERS["bias"], (1.0, 0.1)),
    "bias, a quarter of it": (_NUMBERS["bias"], (1.0, 0.25)),
    "log_loss, 5 points more errors": (Stream("log_loss", LABELS, steady(0.1)), (0.15, 0.0)),
    "log_loss, 10 points more errors": (Stream("log_loss", LABELS, steady(0.1)), (0.2, 0.0)),
}
"""Another level of errors, and by how much they are shifted."""


@cache
def watch(metric: str, budget: str, window: str = "5m", *, numbers: bool, segments: bool) -> Watch:
    """Return a model of one metric."""
    spec = {
        "sources": [{"http": "m"}, {"http": "truth", "kind": "labels"}],
        "schema": {
            "id": "id",
            "features": {"part": {"type": "category"}},
            "prediction": {"score": {"type": "numeric"}},
            "labels": {"truth": {"type": "numeric" if numbers else "category"}},
        },
        "segments": [{"by": ["part"], "values": ["small"]}] if segments else [],
        "performance": {"metrics": [metric], "alarm_on": [metric, COVERAGE]} | ({} if numbers else {"positive": "yes"}),
        "baseline": {"kind": "rolling"},
        "detect": {"false_alarms": budget, "defaults": {"window": window}},
        "keep": {"labels": True},
    }
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "m"}, "spec": spec}
    return watch_of(Model.model_validate(model), None)


class Alarms(NamedTuple):
    """When alerts of a series fired, as ends of hours since the stream began, and how many its budget accepts."""

    hours: list[int]
    accepted: float


def alarmed(model: Watch, signal: str, hours: JudgedHours, count: int) -> Alarms:
    """Lead a model's signals through hours, and say when alerts about one of them fired."""
    signals = JudgedSignals(model)
    windows, by_window = signals.windows, dict[int, dict[tuple[str, str], JudgedRow]]()
    for end_ms, rows in hours.items():
        of_window = by_window.setdefault(windows.of(end_ms - HOUR_MS), {})
        for key, row in rows.items():
            of_window[key] = of_window[key] + row if key in of_window else row
    ends_ms = range(windows.of(START_MS), windows.last(START_MS + count * HOUR_MS) + 1, windows.step_ms)
    _, transitions = signals.advance(by_window, ends_ms)
    budget = model.model.spec.detect.false_alarms
    fired = [
        (each.at_ms - START_MS) // HOUR_MS
        for each in transitions
        if each.state == "firing" and any(member["signal"] == signal for member in each.signals)
    ]
    share = len(model.segment_names) / signals.settings.signals
    judged_ms = count * HOUR_MS - signals.settings.learn_windows * windows.step_ms
    return Alarms(fired, share * budget.count * judged_ms / budget.per_ms)


def labels_of(rng: np.random.Generator, labels: float, hours: int) -> NDArray[np.int64]:
    """Draw how many labels hours have: twice as many by day as by night."""
    return rng.poisson(labels * (1 + np.sin(2 * np.pi * np.arange(hours) / 24) / 3), hours)


def folded(
    scheme: Scheme, rng: np.random.Generator, level: float, count: int, stream: Stream, shift: float = 0.0
) -> tuple[JudgedRow, Any]:
    """Draw the labelled predictions of an hour; return its row, and which of them are wrong."""
    if isinstance(scheme, Binary):
        wrong, drawn = rng.random(count) < level, rng.random(count)
        score = np.where(drawn >= 0.5, 1 - 2 * stream.unsure * (1 - drawn), 2 * stream.unsure * drawn)
        truths = np.where((score >= 0.5) != wrong, "yes", "no").tolist()
        return JudgedRow(count, count, scheme.fold(score, truths)), wrong
    truth = rng.normal(0, 10, count)
    errors = shift + level * rng.standard_t(stream.tails, count)
    return JudgedRow(count, count, scheme.fold(truth + errors, truth)), errors


def stationary(stream: Stream, budget: str, days: int, seed: int) -> tuple[Alarms, dict[str, int]]:
    """Return the false alarms of a stream, and those of river's detectors on its errors, where it has any."""
    rng, hours = np.random.default_rng(seed), 24 * days
    of_coverage = stream.metric == COVERAGE
    metric = "accuracy" if of_coverage else stream.metric
    model = watch(metric, budget, stream.window, numbers=stream.tails > 0, segments=False)
    plan = model.model.spec.performance_plan
    assert plan is not None
    levels, counts = stream.errors(rng, hours), labels_of(rng, stream.labels, hours)
    rows: dict[int, dict[tuple[str, str], JudgedRow]] = {}
    wrong: list[Any] = []
    for hour in range(hours):
        if counts[hour]:
            count = int(counts[hour])
            level = 0.1 if of_coverage else float(levels[hour])
            labelled = count - int(rng.binomial(count, levels[hour])) if of_coverage else count
            row, of_hour = folded(plan.scheme, rng, level, labelled, stream)
            row = replace(row, predictions=count)
            rows[START_MS + (hour + 1) * HOUR_MS] = {("", ""): row}
            wrong.append(of_hour)
    has_errors = not (stream.tails or of_coverage or metric == SKILL_OF_PRIOR)
    peers = {name: len(list(fires(make(), wrong))) for name, make in PEERS.items()} if has_errors else {}
    plain = of_coverage or metric == SKILL_OF_PRIOR
    signal = stream.metric if plain else f"{PERFORMANCE}{metric}"
    return alarmed(model, signal, rows, hours), peers


def fires(detector: Any, wrong: Sequence[Any]) -> Iterator[int]:
    """Yield the hours in which one of river's detectors fires, which begins anew then."""
    for hour, of_hour in enumerate(wrong):
        for error in of_hour.tolist():
            detector.update(error)
            if detector.drift_detected:
                yield hour


def dropped(drop: float, budget: str, seed: int, days: int, *, in_segment: bool) -> dict[str, float]:
    """Return by which hour after a drop of accuracy each method fired; NaN if it did not within ``days``."""
    rng, hours = np.random.default_rng(seed), 24 * (WARM_DAYS + days)
    # Somewhere in a week: not always at its beginning.
    at = 24 * WARM_DAYS - int(rng.integers(0, 7 * 24))
    model = watch("accuracy", budget, numbers=False, segments=in_segment)
    plan = model.model.spec.performance_plan
    assert plan is not None
    rows: dict[int, dict[tuple[str, str], JudgedRow]] = {}
    errors: dict[str, list[Any]] = {"": [], SEGMENT: []}
    for hour, count in enumerate(labels_of(rng, LABELS, hours).tolist()):
        is_small = rng.random(count) < OF_SEGMENT if in_segment else np.ones(count, dtype=np.bool_)
        now = drop if hour >= at else 0.0
        wrong, score = rng.random(count) < 0.1 + now * is_small, rng.random(count)
        truths = np.where((score >= 0.5) != wrong, "yes", "no")
        parts = {"": np.ones(count, dtype=np.bool_)} | ({SEGMENT: is_small} if in_segment else {})
        rows[START_MS + (hour + 1) * HOUR_MS] = {
            ("", name): JudgedRow(int(of.sum()), int(of.sum()), plan.scheme.fold(score[of], truths[of].tolist()))
            for name, of in parts.items()
            if of.any()
        }
        for name, of in parts.items():
            errors[name].append(wrong[of])
    of_leeway = alarmed(model, f"{PERFORMANCE}accuracy", rows, hours).hours
    found = {"leeway": next((float(hour - at) for hour in of_leeway if hour > at), np.nan)}
    for name, make in PEERS.items():
        for of, wrong in errors.items():
            if wrong:
                hours_fired = (hour + 1 - at for hour in fires(make(), wrong) if hour >= at)
                found[f"{name}{' by segment' if of else ''}"] = float(next(hours_fired, np.nan))
    return found


def worsened(stream: Stream, later: tuple[float, float], budget: str, seed: int, days: int) -> float:
    """Return by which hour an alert fired after errors got another level and were shifted; NaN within ``days``."""
    rng, hours = np.random.default_rng(seed), 24 * (WARM_DAYS + days)
    at = 24 * WARM_DAYS - int(rng.integers(0, 7 * 24))
    model = watch(stream.metric, budget, numbers=stream.tails > 0, segments=False)
    levels = stream.errors(rng, hours)
    rows: dict[int, dict[tuple[str, str], JudgedRow]] = {}
    for hour, count in enumerate(labels_of(rng, stream.labels, hours).tolist()):
        level, shift = later if hour >= at else (float(levels[hour]), 0.0)
        row, _ = folded(model.judged_plan.scheme, rng, level, count, stream, shift)
        rows[START_MS + (hour + 1) * HOUR_MS] = {("", ""): row}
    fired = alarmed(model, f"{PERFORMANCE}{stream.metric}", rows, hours).hours
    return next((float(hour - at) for hour in fired if hour > at), np.nan)


def power(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure how soon other metrics than accuracy alarm, and print a table."""
    answers = []
    print(f"\n| what becomes worse, {arguments.replicas} times | found | median hours | 90 % of them within |")
    print("|---|---|---|---|")
    for number, (name, (stream, later)) in enumerate(WORSE.items()):
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        seeds = range(
            arguments.seed + 900_000 + 1000 * number, arguments.seed + 900_000 + 1000 * number + arguments.replicas
        )
        hours = np.array([worsened(stream, later, arguments.budget, seed, arguments.found_within) for seed in seeds])
        answer = _found(hours)
        answers.append({"worse": name} | answer)
        shown = ["more" if answer[key] is None else f"{answer[key]:.0f}" for key in ("median", "most")]
        print(f"| {name} | {answer['found']:.0%} | {shown[0]} | {shown[1]} |", flush=True)
    return answers


def _found(hours: Floats) -> dict[str, Any]:
    # What was not found took longer than all that was.
    ranked = np.where(np.isnan(hours), np.inf, hours)
    median, most = (float(np.quantile(ranked, share, method="higher")) for share in (0.5, 0.9))
    return {
        "found": float(np.isfinite(hours).mean()),
        "median": median if np.isfinite(median) else None, "most": most if np.isfinite(most) else None,
    }  # fmt: skip


def false_alarms(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Count false alarms, stream by stream, and print a table."""
    days, replicas, answers = arguments.days, arguments.replicas, []
    heads = [f"{replicas} streams of {days} days", "accepted", "alerts", "ratio", "95 % upper bound", *PEERS]
    print(f"\n| {' | '.join(heads)} |")
    print("|" + len(heads) * "---|")
    for number, (name, stream) in enumerate(STREAMS.items()):
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        count, accepted, peers = 0, 0.0, dict.fromkeys(PEERS, 0)
        for replica in range(replicas):
            of_leeway, of_peers = stationary(stream, arguments.budget, days, arguments.seed + 1000 * number + replica)
            count, accepted = count + len(of_leeway.hours), accepted + of_leeway.accepted
            peers = {peer: peers[peer] + of_peers[peer] for peer in of_peers}
        answers.append(answer := _ratio(name, count, accepted) | peers)
        _print_ratio(answer)
    total = _ratio("all", sum(each["alerts"] for each in answers), sum(each["accepted"] for each in answers))
    _print_ratio(total)
    return [*answers, total]


def _ratio(name: str, count: int, accepted: float) -> dict[str, Any]:
    upper = float(stats.chi2.ppf(0.95, 2 * count + 2)) / 2
    return {
        "stream": name, "alerts": count, "accepted": accepted, "ratio": count / accepted,
        "upper": upper / accepted,
    }  # fmt: skip


def _print_ratio(answer: dict[str, Any]) -> None:
    peers = " | ".join(str(answer.get(peer, "")) for peer in PEERS)
    print(
        f"| {answer['stream']} | {answer['accepted']:.1f} | {answer['alerts']} | {answer['ratio']:.2f}"
        f" | {answer['upper']:.2f} | {peers} |",
        flush=True,
    )


def delays(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure detection delays, and print a table."""
    answers = []
    print(f"\n| drop, {arguments.replicas} times | detector | found | median hours | 90 % of them within |")
    print("|---|---|---|---|---|")
    courses = [(drop, False) for drop in arguments.drops] + [(drop, True) for drop in arguments.drops if drop >= OF_ANY]
    for number, (drop, in_segment) in enumerate(courses):
        found = [
            dropped(drop, arguments.budget, arguments.seed + 100_000 * (number + 1) + replica, arguments.found_within,
                    in_segment=in_segment)
            for replica in range(arguments.replicas)
        ]  # fmt: skip
        of_what = f"{100 * drop:.0f} points{' within a tenth of the events' if in_segment else ''}"
        for detector in found[0]:
            answers.append(
                {"drop": of_what, "detector": detector} | _found(np.array([each[detector] for each in found]))
            )
            shown = [
                f"{value:.0f}" if value is not None else "more" for value in map(answers[-1].get, ("median", "most"))
            ]
            print(f"| {of_what} | {detector} | {answers[-1]['found']:.0%} | {shown[0]} | {shown[1]} |", flush=True)
    return answers


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and all figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.performance_alarms", description=__doc__)
    parser.add_argument("--replicas", type=int, default=16, help="streams of each kind")
    parser.add_argument("--days", type=int, default=60, help="of a stream of which nothing changes")
    parser.add_argument("--found-within", type=int, default=14, help="days behind a drop")
    parser.add_argument("--budget", default="1 per 7d", help="false alarms of the whole model, of five signals")
    parser.add_argument("--quick", action="store_true", help="8 streams of each kind, of 45 days")
    parser.add_argument("--only", nargs="*", default=[], help="streams, and what becomes worse, whose names have this")
    parser.add_argument("--drops", type=float, nargs="*", default=DROPS, help="by how much accuracy drops")
    parser.add_argument("--no-delays", action="store_true", help="without drops of accuracy")
    parser.add_argument("--no-power", action="store_true", help="without other metrics that become worse")
    parser.add_argument("--no-false-alarms", action="store_true", help="without streams of which nothing changes")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args(arguments)
    if given.quick:
        given.replicas, given.days = 8, 45
    answer: dict[str, Any] = {}
    if not given.no_false_alarms:
        answer["false_alarms"] = false_alarms(given)
    if not given.no_delays:
        answer["delays"] = delays(given)
    if not given.no_power:
        answer["power"] = power(given)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
