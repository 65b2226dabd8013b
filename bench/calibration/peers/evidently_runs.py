"""Runs Evidently over what it is asked on standard input, one request after another, until that ends.

A program of its own, in an environment of its own (``monitors.py`` makes it). A request is a line of JSON that names a
file of events; an answer is a line of JSON.

A report draws pictures of every feature, which takes a second a window. What it decides by is called here without the
pictures, and the first window of numbers and that of names go through a report too: the answers must be the same.
"""

from __future__ import annotations

import json
import sys
import warnings
from itertools import pairwise
from typing import Any, TextIO

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
from evidently.legacy.calculations.stattests import get_stattest  # type: ignore[import-not-found]
from evidently.legacy.core import ColumnType  # type: ignore[import-not-found]
from evidently.metrics import MissingValueCount  # type: ignore[import-not-found]
from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

MISSING_TOLERANCE = 0.1
"""Of the reference's share of missing values: what the test of a report that is asked for no other allows."""


def frame(request: dict[str, Any]) -> tuple[Any, Any, bool]:
    """Return the events, the windows in which they are, and whether their values are names."""
    log = np.load(request["path"])
    names = log["names"]
    columns: dict[str, Any] = {}
    for number, column in enumerate(log["columns"]):
        absent = np.isnan(column)
        named = names.size and np.where(absent, None, names[np.where(absent, 0, column).astype(int)].astype(object))
        columns[f"f{number}"] = named if names.size else column
    return pd.DataFrame(columns), log["window"], bool(names.size)


def has_drifted(reference: Any, currents: list[Any], kind: Any) -> list[bool]:
    """Decide as the preset of data drift does: by the test that it chooses, and by that test's own threshold.

    It chooses by the kind of feature and the size of the reference, and whether there are more than five values.
    """
    reference = reference.dropna()
    test = get_stattest(reference, reference, kind, None)
    return [bool(test(reference, current.dropna(), kind, None).drifted) for current in currents]


def misses(reference: Any, current: Any) -> bool:
    """Whether the share of missing values is another than the reference's."""
    share, usual = current.isna().mean(), reference.isna().mean()
    return bool(abs(share - usual) > MISSING_TOLERANCE * usual)


def reported(reference: Any, current: Any, *, named: bool) -> list[list[bool]]:
    """Return what a report says of a window: of drift, and of missing values."""
    features = list(reference)
    definition = DataDefinition(**{"categorical_columns" if named else "numerical_columns": features})
    metrics = [DataDriftPreset(), *(MissingValueCount(column=feature) for feature in features)]
    data = (Dataset.from_pandas(events, data_definition=definition) for events in (current, reference))
    tests = Report(metrics, include_tests=True).run(*data).dict()["tests"]
    failed = {(test["name"], test["description"]): test["status"].value == "FAIL" for test in tests}
    drift = [
        next(fails for (name, _), fails in failed.items() if name == f"Value Drift for column {feature}")
        for feature in features
    ]
    # There are tests of the share and of the count; the count of a shorter span is always another.
    missing = [
        next(
            fails
            for (name, text), fails in failed.items()
            if f"'{feature}' missing values" in name
            and float(text.split("Actual value ")[1].split()[0].rstrip(",")) < 1
        )
        for feature in features
    ]
    return [drift, missing]


def alerts(reference: Any, request: dict[str, Any], *, checked: set[bool]) -> list[Any]:
    """Return in which windows there is drift, and another share of missing values, feature by feature."""
    events, window, named = frame(request)
    kind = ColumnType.Categorical if named else ColumnType.Numerical
    bounds = np.searchsorted(window, np.arange(request["windows"] + 1))
    currents = [events.iloc[start:stop] for start, stop in pairwise(bounds)]
    drift = [has_drifted(reference[name], [current[name] for current in currents], kind) for name in events]
    missing = [[misses(reference[name], current[name]) for current in currents] for name in events]
    if named not in checked:
        checked.add(named)
        first = [[of_feature[0] for of_feature in of_all] for of_all in (drift, missing)]
        assert first == reported(reference, currents[0], named=named)
    return [drift, missing]


def main(requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    references: dict[str, Any] = {}
    checked: set[bool] = set()
    for line in requests:
        request = json.loads(line)
        reply: dict[str, Any] = {"answer": None}
        try:
            if request["verb"] == "fit":
                references[request["name"]] = frame(request)[0]
            else:
                reply = {"answer": alerts(references[request["name"]], request, checked=checked)}
        # Whatever Evidently raises belongs to who asked.
        except Exception as error:  # noqa: BLE001
            reply = {"error": repr(error)}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answers_only, sys.stdout = sys.stdout, sys.stderr
    main(sys.stdin, answers_only)
