"""What a window costs: µs of CPU time for all tests of one signal, by the rule ``change`` and by ``variation``.

``python -m bench.windows`` leads models of each through the same drawn windows, as a backtest does: from summed panes
to alerts. Numbers follow a daily season, names vary with it; numbers that are off have moved by a standard deviation
after the first blocks, and their alarms stand from then on. Each block of windows (a day of 5 minutes, a week of hours,
four weeks of days) is a round, in which both take their turn; the first two, which may compile, are left out. Best of
the rounds, and the median behind it. The target is 40 µs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np

from bench.calibration.draw import draw
from bench.calibration.grid import GRIDS, Grid
from bench.calibration.injections import INJECTIONS
from bench.calibration.panes import pane_rows
from bench.calibration.streams import STREAMS
from bench.calibration.traffic import traffic_of
from bench.calibration.trial import Trial
from bench.calibration.watched import Rule, watched

__all__ = ["main", "measured"]

RULES = ("change", "variation")
KINDS = {"numbers": ("season", ""), "names": ("mixseason", ""), "numbers off": ("season", "mean1")}
"""The stream that stands for a kind of feature, and what happens to all of them once it is warm."""

TARGET_US = 40.0
WARM_UP = 2
"""Blocks in which little is known yet, and kernels may be compiled."""

KNOWN_AFTER = 14
"""Days after which what lasts is no longer taken for what is usual."""


def measured(rounds: int, features: int, windows: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return best and median µs per window and signal of both rules, by the length of windows and the kind."""
    found = {}
    for name in windows:
        for kind in KINDS:
            spent = np.array(list(_spent_us(GRIDS[name], kind, features, rounds))[-rounds:]).T
            best = {rule: float(min(of_rule)) for rule, of_rule in zip(RULES, spent, strict=True)}
            middle = {f"{rule}_median": float(median(of_rule)) for rule, of_rule in zip(RULES, spent, strict=True)}
            found[f"{name}, {kind}"] = best | middle
    return found


def _spent_us(grid: Grid, kind: str, features: int, rounds: int) -> Iterator[list[float]]:
    """Yield what a window of a signal cost by each rule, block by block, the first ones too."""
    (name, injection), rng = KINDS[kind], np.random.default_rng(0)
    stream, days = STREAMS[name], grid.block // grid.per_day
    warm_up = max(WARM_UP, -(-KNOWN_AFTER // days)) if injection else WARM_UP
    blocks = warm_up + rounds
    history, traffic = traffic_of(stream, grid, features, blocks * days, rng)
    if injection:
        traffic = INJECTIONS[injection].applied(traffic, grid, warm_up * grid.block, features)
    models = [watched(stream, grid, history, Rule(name=rule), [1]) for rule in RULES]
    trials = [Trial(model) for model in models]
    for block in range(blocks):
        part = traffic.between(block * grid.block, (block + 1) * grid.block)
        drawn = draw(stream, models[0].layouts, part, part.between(0, 1), [2, block])
        ends_ms = grid.ends_ms(block * grid.block, part.windows)
        panes = pane_rows(models[0], drawn, ends_ms)
        of_block = []
        for trial in trials:
            start = time.process_time_ns()
            trial.advance(panes, ends_ms)
            of_block.append((time.process_time_ns() - start) / 1_000 / part.windows / (features + 1))
        yield of_block


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each length of windows and kind of feature, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.windows", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--window", nargs="+", choices=list(GRIDS), default=list(GRIDS))
    options = parser.parse_args(arguments)
    found: dict[str, Any] = measured(options.rounds, options.features, options.window)
    print(f"{'µs per window and signal':26}{'change':>10}{'(median)':>10}{'variation':>12}{'(median)':>10}{'ratio':>8}")
    for name, of in found.items():
        line = f"{name:26}{of['change']:10.1f}{of['change_median']:10.1f}"
        line += f"{of['variation']:12.1f}{of['variation_median']:10.1f}{of['change'] / of['variation']:8.2f}"
        print(line, f"≤ {TARGET_US:.0f} µs {'met' if of['change'] <= TARGET_US else 'MISSED'}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
