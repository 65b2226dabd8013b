"""What has to see every event of a signal, in the order of the log: detectors of change and scorers of anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import AnomalyBank
from detectors.river_banks import bank_of
from monitor.config.model import SourceSpec
from monitor.events import Events, Partition
from monitor.ingest.model_versions import ModelVersions
from monitor.watch import Watch
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["ANOMALY", "DRIFT", "PerEvent"]

DRIFT, ANOMALY = "drift", "anomaly"
"""The status of a finding: from here on things are different, or this one observation is."""

Floats = NDArray[np.float64]


class PerEvent:
    """The per-event detectors of one partition: a bank for each use on a signal, with a series for each version.

    A vector is watched if the partition's events carry all of its signals.

    Parameters
    ----------
    watch : Watch
    source : SourceSpec
    partition : Partition
    versions : ModelVersions
    """

    def __init__(self, watch: Watch, source: SourceSpec, partition: Partition, versions: ModelVersions) -> None:
        self._model, self._partition, self._versions = watch.name, partition, versions
        carried = watch.carried_by(source)
        self._columns = {signal: column for column, signal in enumerate(carried.numeric)}
        self._fields = {signal: column for column, signal in enumerate(carried.fields)}
        self._together = carried.together
        dimensions = dict.fromkeys(carried.numeric, 1)
        dimensions |= {signal: len(columns) for signal, columns in carried.together.items()} | carried.fields
        self._banks = {
            (signal, name): bank_of(name, params, dimension)
            for signal, dimension in dimensions.items()
            for name, params in watch.detectors_for(signal).items()
        }
        self._series = 0

    def findings(self, batch: Events, version: NDArray[np.int64], erased: NDArray[np.bool_] | None) -> Rows:
        """Show a batch to all detectors; return a row for each event at which one of them fired.

        Parameters
        ----------
        batch : Events [n]
        version : int64 array [n]
        erased : bool array [n], or None
            Events that detectors see, and of which no row may be made.
        """
        self._make_room(len(self._versions.names))
        rows = empty_rows("findings")
        for (signal, detector), bank in self._banks.items():
            values, observed = self._observed(signal, batch)
            if isinstance(bank, AnomalyBank):
                scores = bank.update(version, values)
                fired, status, score, level = scores.anomalies(), ANOMALY, scores.score, scores.level
            else:
                flags = bank.update_one(0, values) if self._series == 1 else bank.update(version, values)
                fired, status, score, level = flags.drifts(), DRIFT, flags.score, None
            for i in fired.tolist():
                if erased is not None and erased[i]:
                    continue
                row = {
                    "model": self._model,
                    "signal": signal,
                    "detector": detector,
                    "topic": self._partition[0],
                    "partition": self._partition[1],
                    "status": status,
                    "version": self._versions.names[int(version[i])],
                    "offset": int(batch.offsets[i]),
                    "event_ms": int(batch.event_ms[i]),
                    "value": float("nan") if observed is None else float(observed[i]),
                    "score": float(score[i]),
                    "level": float("nan") if level is None else float(level[i]),
                }
                add_row(rows, row)
        return rows

    def snapshot(self) -> dict[str, Any]:
        """Everything that findings to come depend on."""
        return {f"{signal}|{name}": bank.snapshot() for (signal, name), bank in self._banks.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot of the same uses; the versions must be restored by then."""
        self._make_room(len(self._versions.names))
        for (signal, name), bank in self._banks.items():
            bank.restore(state[f"{signal}|{name}"])

    def _make_room(self, series: int) -> None:
        """Give each version that is new a series that has seen nothing."""
        if series > self._series:
            self._series = series
            for bank in self._banks.values():
                bank.resize(series)

    def _observed(self, signal: str, batch: Events) -> tuple[Floats, Floats | None]:
        """What a bank is shown, [n] or [n, d], and what a finding says was observed, [n]: None of a vector."""
        if signal in self._fields:
            return batch.vectors[self._fields[signal]], None
        if signal in self._together:
            return np.ascontiguousarray(batch.numeric[self._together[signal]].T), None
        values = batch.numeric[self._columns[signal]]
        return values, values
