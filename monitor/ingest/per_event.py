"""What has to see every event of a signal, in the order of the log: detectors of change and scorers of anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import AnomalyBank
from detectors.bank import Bank
from detectors.kernel import MAX_ABS
from detectors.river_banks import RiverBank, bank_of
from detectors.sketch.findings import SPELL
from monitor.config.model import SourceSpec
from monitor.events import Events, Partition
from monitor.ingest.model_versions import ModelVersions
from monitor.watch import Watch
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["ANOMALY", "DRIFT", "Judged", "PerEvent"]

DRIFT, ANOMALY = "drift", "anomaly"
"""The status of a finding: from here on things are different, or this one observation is."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Judged:
    """What one detector says of the observations of a batch.

    Attributes
    ----------
    signal, detector, status : str
    fired, unjudged : int64 arrays
        Of which there is a finding, and of which there could have been none: a scorer that is not ready has none.
    begins : int64 array
        With which a spell of findings begins.
    score : float64 array [n]
    level, observed : float64 array [n] or None
        None where a finding has none of its own.
    """

    signal: str
    detector: str
    status: str
    fired: Integers
    unjudged: Integers
    begins: Integers
    score: Floats
    level: Floats | None
    observed: Floats | None


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
        self._privacy = watch.privacy
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
        # How many observations each series has judged since its last finding, at most as many as end a spell.
        self._quiet_for = {use: np.zeros(0, dtype=np.int64) for use in self._banks}
        self._series = 0
        self._per_series = np.zeros(0, dtype=np.int64)

    def judge(self, batch: Events, version: Integers) -> list[Judged]:
        """Show a batch to all detectors, and return what each says.

        Parameters
        ----------
        batch : Events [n]
        version : int64 array [n]
        """
        self._make_room(len(self._versions.names))
        self._per_series = np.bincount(version, minlength=self._series)
        return [self._judged(use, bank, batch, version) for use, bank in self._banks.items()]

    def _judged(
        self,
        use: tuple[str, str],
        bank: Bank | RiverBank | AnomalyBank,
        batch: Events,
        version: Integers,
    ) -> Judged:
        values, observed = self._observed(use[0], batch)
        if isinstance(bank, AnomalyBank):
            scores = bank.update(version, values)
            fired, unjudged = scores.anomalies(), np.flatnonzero(np.isnan(scores.level))
            begins = self._begins(use, fired, unjudged, version)
            return Judged(*use, ANOMALY, fired, unjudged, begins, scores.score, scores.level, observed)
        flags = bank.update_one(0, values) if self._series == 1 else bank.update(version, values)
        fired, unjudged = flags.drifts(), np.flatnonzero(~(np.abs(values) <= MAX_ABS))
        begins = self._begins(use, fired, unjudged, version)
        return Judged(*use, DRIFT, fired, unjudged, begins, flags.score, None, observed)

    def _begins(self, use: tuple[str, str], fired: Integers, unjudged: Integers, version: Integers) -> Integers:
        """Return the findings with which a spell begins: none came shortly before in the same series."""
        quiet_for, begins, judged = self._quiet_for[use], [], self._per_series
        if len(unjudged):
            judged = judged - np.bincount(version[unjudged], minlength=self._series)
        quiet_for += judged
        for series in np.unique(version[fired]).tolist():
            findings = fired[version[fired] == series]
            # Where each finding is among the observations of the series that were judged.
            of_series = np.flatnonzero(version == series)
            places = np.searchsorted(np.setdiff1d(of_series, unjudged, assume_unique=True), findings)
            gaps = np.diff(places, prepend=int(judged[series] - quiet_for[series]) - 1)
            begins.append(findings[gaps > SPELL])
            quiet_for[series] = judged[series] - 1 - places[-1]
        np.minimum(quiet_for, SPELL, out=quiet_for)
        return np.sort(np.concatenate(begins)) if begins else NOTHING

    def findings(self, judged: Sequence[Judged], batch: Events, version: Integers, erased: Bools | None) -> Rows:
        """Return a row for each event at which a detector fired.

        Parameters
        ----------
        judged : sequence of Judged
            What :meth:`judge` said of the batch.
        batch : Events [n]
        version : int64 array [n]
        erased : bool array [n], or None
            Events of which no row may be made.
        """
        rows = empty_rows("findings")
        for of_detector in () if self._privacy.summaries_only else judged:
            fired = of_detector.fired if erased is None else of_detector.fired[~erased[of_detector.fired]]
            for i in fired.tolist():
                add_row(rows, self._row(of_detector, i, batch, self._versions.names[int(version[i])]))
        return rows

    def _row(self, judged: Judged, i: int, batch: Events, version: str) -> dict[str, Any]:
        level, observed = judged.level, judged.observed
        return {
            "model": self._model,
            "signal": judged.signal,
            "detector": judged.detector,
            "topic": self._partition[0],
            "partition": self._partition[1],
            "status": judged.status,
            "version": version,
            "offset": int(batch.offsets[i]),
            "event_ms": int(batch.event_ms[i]),
            "value": float("nan") if observed is None or judged.signal in self._privacy.hidden else float(observed[i]),
            "score": float(judged.score[i]),
            "level": float("nan") if level is None else float(level[i]),
            "segment": "",
        }

    def snapshot(self) -> dict[str, Any]:
        """Everything that findings to come depend on."""
        return {f"{signal}|{name}": bank.snapshot() for (signal, name), bank in self._banks.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot of the same uses; the versions must be restored by then."""
        self._make_room(len(self._versions.names))
        for (signal, name), bank in self._banks.items():
            bank.restore(state[f"{signal}|{name}"])

    def spells(self) -> list[NDArray[np.int64]]:
        """How long each bank's series have been quiet: what spells to come depend on."""
        return list(self._quiet_for.values())

    def restore_spells(self, quiet_for: Sequence[NDArray[np.int64]]) -> None:
        """Go on from :meth:`spells`, of the same uses; checkpoints from before they were counted hold nothing."""
        for use, of_bank in zip(self._quiet_for, quiet_for, strict=False):
            self._quiet_for[use] = np.array(of_bank)

    def keep(self, versions: Integers) -> None:
        """Let go of all versions but these, which are numbered anew in that order."""
        for use, bank in self._banks.items():
            bank.keep(versions)
            self._quiet_for[use] = self._quiet_for[use][versions]
        self._series = len(versions)

    def _make_room(self, series: int) -> None:
        """Give each version that is new a series that has seen nothing."""
        if series > self._series:
            self._series = series
            for use, bank in self._banks.items():
                bank.resize(series)
                quiet_for = self._quiet_for[use]
                self._quiet_for[use] = np.append(quiet_for, np.full(series - len(quiet_for), SPELL, dtype=np.int64))

    def _observed(self, signal: str, batch: Events) -> tuple[Floats, Floats | None]:
        """What a bank is shown, [n] or [n, d], and what a finding says was observed, [n]: None of a vector."""
        if signal in self._fields:
            return batch.vectors[self._fields[signal]], None
        if signal in self._together:
            return np.ascontiguousarray(batch.numeric[self._together[signal]].T), None
        values = batch.numeric[self._columns[signal]]
        return values, values
