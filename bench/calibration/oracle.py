"""What a chart finds that is told everything but whether something has happened.

It knows the season, the distribution and how far levels vary, and compares each window by itself with what it expects
(Shewhart 1931), at the same budget: no rule that has to learn can do better by one window where windows are
independent. Of levels that follow one another it makes nothing, so that there a rule can do better.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.calibration.draw import share_of_names
from bench.calibration.injections import Injection
from bench.calibration.streams import Stream
from bench.calibration.traffic import CONSTANT, FROZEN, TWO, Traffic

__all__ = ["oracle_delays"]

Floats = NDArray[np.float64]
Chart = tuple[Floats, Floats]
"""How far each window is from what is expected, and how far chance takes it from there; both in standard deviations."""
ONE = np.ones(1)


def oracle_delays(
    stream: Stream, injection: Injection, usual: Traffic, changed: Traffic, rate: float, seed: int
) -> NDArray[np.int64] | None:
    """Return after how many windows each feature is found, -1 for those that are not; None for what it cannot see.

    Parameters
    ----------
    stream : Stream
    injection : Injection
    usual, changed : Traffic
        The windows from the injection on, without it and with it.
    rate : float
        False alarms of one signal in one window.
    seed : int
    """
    if np.isin(changed.source, (FROZEN, TWO)).any() or changed.filled.any():
        return None
    rng = np.random.default_rng(seed)
    charts = list(_charts(stream, injection, usual, changed))
    threshold = stats.norm.isf(rate / len(charts) / 2)
    beyond = np.zeros(changed.level.shape, dtype=np.bool_)
    for shift, noise in charts:
        beyond |= np.abs(shift + noise * rng.normal(size=beyond.shape)) > threshold
    return np.where(beyond.any(axis=1), beyond.argmax(axis=1), -1)


def _charts(stream: Stream, injection: Injection, usual: Traffic, changed: Traffic) -> Iterator[Chart]:
    events = np.maximum(usual.events / stream.cluster, 1.0)
    if injection.signal == "volume":
        # The logarithm of a Poisson count has a variance of 1 / events.
        yield np.log(changed.events / usual.events) / np.sqrt(1 / events + stream.burst_sd**2), ONE
        return
    yield _rate(changed.missing, usual.missing, events), ONE
    values = np.maximum(events * (1 - changed.missing), 1.0)
    if stream.shares:
        yield from _of_names(stream, usual, changed, values)
        return
    # Levels are a part of what is expected where a season explains them, and of what varies elsewhere.
    unexplained = usual.level if stream.level_sd else 0.0
    sd = np.sqrt(stream.level_sd**2 + 1 / values)
    moved = changed.level - usual.level + changed.tenth / 10
    yield (unexplained + moved) / sd, np.sqrt(1 / values) / sd
    spread = np.where(changed.source == CONSTANT, 1e-9, changed.spread / usual.spread)
    yield np.log(spread) * np.sqrt(2 * values), ONE


def _of_names(stream: Stream, usual: Traffic, changed: Traffic, values: Floats) -> Iterator[Chart]:
    expected = replace(usual, level=np.zeros_like(usual.level)) if stream.level_sd else usual
    before, after = share_of_names(stream, expected), share_of_names(stream, changed)
    for name in range(before.shape[2]):
        share = before[:, :, name]
        if not share.any():
            # One event of a name that cannot occur is enough.
            yield np.where(after[:, :, name] * values > 1, np.inf, 0.0), ONE
            continue
        # How far the angle of the share goes with the level of its log-odds.
        level_sd = stream.level_sd * _slope(name, before) if name < 2 else 0.0
        inflation = np.sqrt(1 + 4 * values * level_sd**2)
        yield _rate(after[:, :, name], share, values) / inflation, 1 / inflation


def _slope(name: int, shares: Floats) -> Floats:
    """The derivative of a share's angle: the weight of the first name goes up with the level, and the second's down."""
    share = shares[:, :, name]
    up = (1.0 if name == 0 else -1.0) - shares[:, :, 0] + shares[:, :, 1]
    return np.asarray(np.sqrt(share / (1 - share)) / 2 * up)


def _rate(after: Floats, before: Floats, events: Floats) -> Floats:
    """How far a rate has moved, by the arc sine of its root, whose variance is 1 / (4 n)."""
    angle, expected = (np.arcsin(np.sqrt(np.clip(rate, 0.0, 1.0))) for rate in (after, before))
    return np.asarray((angle - expected) * 2 * np.sqrt(events))
