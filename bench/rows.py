"""Rows for the stores that benches fill: every number drawn anew, so that compression has real work."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.sketch import share_layout

MINUTE_MS = 60_000
START_MS = 1_760_000_400_000  # on the hour
CELLS = np.arange(64, dtype=np.int64)
LAYOUT = share_layout().id


def scores(model: str, signals: int, window_ms: int, first: int, count: int, seed: int = 0) -> dict[str, Any]:
    """Rows number ``first`` and on of a model's endless series of windows, each with all signals; one in 500 drifts."""
    rows, draw = np.arange(first, first + count), np.random.default_rng(first + seed)
    ends_ms = START_MS + (rows // signals + 1) * window_ms
    drift = draw.random(count) < 1 / 500
    effect = draw.lognormal(-4, 1, count) + drift * draw.lognormal(0, 1, count)
    names = [f"feature:f{number:03d}" for number in range(signals)]
    return {
        "model": [model] * count,
        "signal": [names[number] for number in (rows % signals).tolist()],
        "segment": [""] * count,
        "version": ["1"] * count,
        "detector": ["psi"] * count,
        "window_end_ms": ends_ms,
        "window_ms": np.full(count, window_ms),
        "statistic": effect,
        "effect": effect,
        "min_effect": np.full(count, 0.1),
        "p_value": draw.random(count),
        "surprise": draw.normal(0, 1, count) + drift * 8,
        "surprise_limit": np.full(count, 4.5),
        "status": ["drift" if drifts else "ok" for drifts in drift.tolist()],
        "n": draw.poisson(10_000, count),
        "baseline_n": 1_000_000 + rows // signals,
        "baseline_from_ms": ends_ms - 2_592_000_000,
        "baseline_to_ms": ends_ms - window_ms,
        "idle": [""] * count,
        "detail": ["12x its usual variation" if drifts else "" for drifts in drift.tolist()],
    }


def panes(model: str, signals: int, first_ms: int, first: int, count: int) -> dict[str, Any]:
    """Rows number ``first`` and on of a model's endless series of one-minute panes, each with all signals."""
    rows, draw = np.arange(first, first + count), np.random.default_rng(first)
    counts = draw.poisson(100, (count, len(CELLS)))
    n = counts.sum(axis=1)
    names = [f"feature:f{number:03d}" for number in range(signals)]
    return {
        "model": [model] * count,
        "signal": [names[number] for number in (rows % signals).tolist()],
        "segment": [""] * count,
        "version": ["1"] * count,
        "pane_start_ms": first_ms + rows // signals * MINUTE_MS,
        "late_at_ms": np.zeros(count, np.int64),
        "topic": ["predictions"] * count,
        "partition": np.zeros(count, np.int64),
        "pane_ms": np.full(count, MINUTE_MS),
        "layout": [LAYOUT] * count,
        "n": n,
        "missing": n // 50,
        "invalid": n // 1_000,
        "out_of_range": n // 2_000,
        "cells": [CELLS] * count,
        "counts": list(counts),
        "names": [()] * count,
        "other": np.zeros(count, np.int64),
        "sum_q": n * 1_000,
        "sum_q2": n * 1_000_000,
        "min": np.zeros(count),
        "max": np.ones(count),
    }


def predictions(first: int, count: int) -> dict[str, Any]:
    """Rows number ``first`` and on of an endless series of kept predictions."""
    rows, draw = np.arange(first, first + count), np.random.default_rng(first)
    return {
        "model": ["fraud"] * count,
        "signal": ["prediction:score"] * count,
        "event_ms": START_MS + rows * 7,
        "topic": ["predictions"] * count,
        "partition": rows % 8,
        "offset": rows // 8,
        "version": ["1"] * count,
        "segments": [("country=DE",)] * count,
        "id": [f"{number:016x}" for number in draw.integers(0, 2**63, count).tolist()],
        "subject": [f"c{number}" for number in draw.integers(0, 10**6, count).tolist()],
        "value": draw.random(count),
        "label": [""] * count,
    }


def alerts(model: str, span_ms: int, number: int = 100, seed: int = 0) -> dict[str, Any]:
    """So many alerts of three transitions each, spread over ``span_ms``."""
    draw = np.random.default_rng(len(model) + seed)
    starts_ms = np.repeat(START_MS + np.sort(draw.integers(0, span_ms, number)), 3)
    sequence = np.tile(np.arange(1, 4), number)
    count = len(starts_ms)
    signals = '[{"signal":"feature:f000","segment":"","version":"1","detector":"psi","effect":1.5,"min_effect":0.1}]'
    return {
        "model": [model] * count,
        "alert_id": [f"{model}-{row // 3:04d}" for row in range(count)],
        "sequence": sequence,
        "state": ["pending", "firing", "resolved"] * number,
        "at_ms": starts_ms + (sequence - 1) * 30 * MINUTE_MS,
        "starts_ms": starts_ms,
        "ends_ms": np.where(sequence == 3, starts_ms + 60 * MINUTE_MS, 0),
        "version": [""] * count,
        "segment": [""] * count,
        "severity": ["warning"] * count,
        "title": ["feature:f000 drifts"] * count,
        "labels": ["{}"] * count,
        "signals": [signals] * count,
    }
