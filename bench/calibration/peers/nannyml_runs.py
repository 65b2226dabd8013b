"""Runs NannyML over what it is asked on standard input, one request after another, until that ends.

A program of its own, in an environment of its own (``monitors.py`` makes it). A request is a line of JSON that names a
file of events; an answer is a line of JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any, TextIO

import nannyml  # type: ignore[import-not-found]
import numpy as np
import pandas as pd


def frame(request: dict[str, Any]) -> Any:
    """Return the events."""
    log = np.load(request["path"])
    names = log["names"]
    columns: dict[str, Any] = {"at": pd.to_datetime(log["at_ms"], unit="ms")}
    for number, column in enumerate(log["columns"]):
        absent = np.isnan(column)
        named = names.size and np.where(absent, None, names[np.where(absent, 0, column).astype(int)].astype(object))
        columns[f"f{number}"] = named if names.size else column
    return pd.DataFrame(columns)


def fitted(request: dict[str, Any]) -> list[Any]:
    """Return the calculators of drift and of missing values with their defaults, in chunks that are the windows."""
    reference = frame(request)
    features = [column for column in reference if column != "at"]
    chunks = {"column_names": features, "timestamp_column_name": "at", "chunk_period": request["period"]}
    calculators = nannyml.UnivariateDriftCalculator(**chunks), nannyml.MissingValuesCalculator(**chunks)
    return [calculator.fit(reference) for calculator in calculators]


def alerts(calculators: list[Any], request: dict[str, Any]) -> list[Any]:
    """Return in which windows each calculator alerts, feature by feature."""
    events = frame(request)
    answers = []
    for calculator in calculators:
        chunks = calculator.calculate(events).filter(period="analysis").to_df()
        of_features = chunks.xs("alert", axis=1, level=-1)
        assert of_features.shape == (request["windows"], events.shape[1] - 1)
        answers.append(of_features.to_numpy(dtype=bool).T.tolist())
    return answers


def main(requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    references: dict[str, list[Any]] = {}
    for line in requests:
        request = json.loads(line)
        reply: dict[str, Any] = {"answer": None}
        try:
            if request["verb"] == "fit":
                references[request["name"]] = fitted(request)
            else:
                reply = {"answer": alerts(references[request["name"]], request)}
        # Whatever NannyML raises belongs to who asked.
        except Exception as error:  # noqa: BLE001
            reply = {"error": repr(error)}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answers_only, sys.stdout = sys.stdout, sys.stderr
    main(sys.stdin, answers_only)
