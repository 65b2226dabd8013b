"""Runs NannyML's estimators over one file of events, and prints what they say of each chunk as JSON.

A program of its own, in an environment of its own: it knows nothing of this project.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any, TextIO

import nannyml  # type: ignore[import-not-found]
import numpy as np
import pandas as pd


def frames(path: str) -> tuple[str, Any, Any, list[str], int]:
    """Return the kind, the reference, the events to estimate, the names of features, and the size of a chunk."""
    log = np.load(path)
    names = [f"f{number}" for number in range(log["features"].shape[1])]
    events = pd.DataFrame(log["features"], columns=names)
    kind = str(log["kind"])
    events["truth"] = log["truth"].astype(float if kind == "regression" else int)
    events["predicted"] = log["predicted"]
    if kind == "binary":
        events["probability"] = log["predicted"]
        events["predicted"] = (log["predicted"] >= 0.5).astype(int)
    if kind == "multiclass":
        events["predicted"] = log["predicted"].astype(int)
        for number, probability in enumerate(log["probabilities"].T):
            events[f"probability_{number}"] = probability
    first = int(log["fitted"])
    return kind, events.iloc[:first].copy(), events.iloc[first:].copy(), names, int(log["size"])


REALISED = {
    "binary": ["accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "average_precision"],
    "multiclass": ["accuracy", "precision", "recall", "f1"],
    "regression": ["mae", "mape", "rmse"],
}
"""Metrics that are there on both sides."""


def main(path: str, answers: TextIO) -> None:
    """Print the estimates, and what turned out to be true, chunk by chunk."""
    kind, reference, events, names, size = frames(path)
    shared: dict[str, Any] = {"y_pred": "predicted", "y_true": "truth", "chunk_size": size}
    problem = kind if kind == "regression" else f"classification_{kind}"
    if kind == "regression":
        estimator = nannyml.DLE(feature_column_names=names, metrics=["mae"], **shared)
        column = "mae"
    else:
        shared["y_pred_proba"] = "probability"
        if kind == "multiclass":
            columns = [column for column in reference if column.startswith("probability_")]
            shared["y_pred_proba"] = {int(column.rpartition("_")[2]): column for column in columns}
        estimator = nannyml.CBPE(metrics=["accuracy", "roc_auc", "f1"], problem_type=problem, **shared)
        column = "accuracy"
    estimator.fit(reference)
    chunks = estimator.estimate(events.drop(columns="truth")).filter(period="analysis").to_df()
    calculator = nannyml.PerformanceCalculator(metrics=REALISED[kind], problem_type=problem, **shared)
    realised = calculator.fit(reference).calculate(events).filter(period="analysis").to_df()
    answer: dict[str, Any] = {
        "estimated": chunks[(column, "value")].tolist(),
        "realised": {name: realised[(name, "value")].tolist() for name in REALISED[kind]},
    }
    print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answers_only, sys.stdout = sys.stdout, sys.stderr
    main(sys.argv[1], answers_only)
