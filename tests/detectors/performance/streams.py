"""Random events with labels, small enough to be summed a thousand times."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from detectors.performance import Binary, Multiclass, Ranking, Regression, Scheme

__all__ = ["SCHEMES", "events"]

SCHEMES: dict[str, Scheme] = {
    "binary": Binary("yes", 0.4, (120.0, -8.0, -450.0, 0.5)),
    "multiclass": Multiclass({("a", "b"): -3.25, ("a", "a"): 1.0}),
    "regression": Regression(has_values=True, quantile=0.8, interval=("feature:low", "feature:high")),
    "ranking": Ranking(k=3, has_values=True),
}

SCORES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.3, 0.4, 0.5, 1.0]))
NUMBERS = st.one_of(st.integers(-(10**9), 10**9).map(lambda n: n / 1024), st.sampled_from([0.0, 1.0, -1e-9, 1e9]))
NAMES = st.sampled_from(["a", "b", "c", "é"])
ITEMS = st.lists(st.sampled_from("abcdefg"), max_size=9).map(json.dumps)
GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e6), min_size=1).map(json.dumps)
# What has a representation in 2**-20, so that an oracle gets the same.
WEIGHTS = st.integers(1 << 14, 1 << 23).map(lambda units: units / (1 << 20))


@st.composite
def events(draw: st.DrawFn, kind: str, *, least: int = 1, weighted: bool = True) -> dict[str, Any]:
    """Arguments of `fold`."""
    of, labels = {
        "binary": (SCORES, st.sampled_from(["yes", "no"])),
        "multiclass": (NAMES, NAMES),
        "regression": (NUMBERS, NUMBERS),
        "ranking": (ITEMS, GRADES),
    }[kind]
    size = draw(st.integers(least, 40))
    listed = [draw(st.lists(values, min_size=size, max_size=size)) for values in (of, labels, WEIGHTS, NUMBERS)]
    prediction, label, weight, value = listed
    arguments: dict[str, Any] = {
        "prediction": prediction if kind in ("multiclass", "ranking") else np.array(prediction, dtype=np.float64),
        "label": np.array(label, dtype=np.float64) if kind == "regression" else label,
        "weight": np.array(weight, dtype=np.float64) if weighted else None,
        "value": np.array(value, dtype=np.float64),
    }
    if kind == "regression":
        ends = [draw(st.lists(NUMBERS, min_size=size, max_size=size)) for _ in range(2)]
        arguments["interval"] = tuple(np.array(end, dtype=np.float64) for end in ends)
    return arguments
