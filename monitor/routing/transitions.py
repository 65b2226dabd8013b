"""The transitions of alerts, as they are written: where a reader of them begins, and what is new.

The first time a model is met, the moment is noted (table ``checkpoints``), and transitions of earlier event time are
never given: working through a month of history pages nobody. The note moves on as the reader needs less. Of a model
that is added later on, the moment is when it came into force, also where nobody was there to meet it.

Who begins while the clock is behind the note begins before it, and notes that besides: the next one may begin once the
clock is right again, and what was dated meanwhile lies before the first note. Of a row the store keeps the highest
position, so that it is a row of its own, until it is no longer needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from monitor.alerts.own import MODEL
from monitor.clock import Clock
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["NOTIFIED_STATES", "TransitionReader"]

NOTIFIED_STATES = ("firing", "updated", "resolved")
"""Of a transition of which somebody may be notified."""

SET_BACK_WITHIN_MS = 60_000
"""Within which it is noticed that a clock was set back."""

LOOKS_BACK_MS = {MODEL: 60_000}
"""By model whose transitions several processes write: how far behind those that were read others may be dated. Their
clocks differ, and two may date what they write before either has written it."""

OVER = "over"
"""What stands for the configuration in a note from which nobody begins any more."""

Row = dict[str, Any]


class TransitionReader:
    """Reads a log of alerts forward.

    Parameters
    ----------
    store : Store
    clock : Clock
    models : iterable of str
    stage : str
        Under which name the notes are kept.
    table : str
        Which of :data:`~monitor.alerts.alert_log.ALERT_TABLES` is read.
    own : collection of str
        Models whose transitions nobody but who reads writes, each later than those before it.

    Attributes
    ----------
    starts_ms : dict of str to int
        Where each model begins.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        models: Iterable[str],
        stage: str,
        table: str,
        own: Collection[str] = (),
    ) -> None:
        self._store, self._clock, self._stage, self.table, self._own = store, clock, stage, table, own
        self._models = sorted(models)
        self.starts_ms: dict[str, int] = {}
        self._noted_ms: dict[str, int] = {}
        self._behind_ms: dict[str, set[int]] = {}
        self._read_to_ms: dict[str, int] = {}
        self._read_at_end: dict[str, set[tuple[str, int]]] = {}

    def open(self, earlier_ms: Mapping[str, int] = MappingProxyType({}), former_models: Collection[str] = ()) -> None:
        """Read where each model begins, noting those that are met for the first time.

        Parameters
        ----------
        earlier_ms : mapping of str to int
            Where to begin at the latest, by model.
        former_models : collection of str
            Models that are read, too, if they were met before: nobody begins with them.

        Raises
        ------
        StoreError
        """
        noted: dict[str, list[Row]] = {model: [] for model in self._models}
        where = {"stage": self._stage, "name": [*self._models, *former_models]}
        for row in rows_of(self._store.read(Query("checkpoints", where=where))):
            noted.setdefault(row["name"], []).append(row)
        in_force_ms = self._in_force_ms(noted)
        for model, notes in noted.items():
            self._behind_ms[model] = {row["partition"] for row in notes if row["partition"] and row["config"] != OVER}
            first_ms = [row["position"] for row in notes if not row["partition"]]
            if not first_ms:
                now_ms = self._clock.now_ms()
                self._note(model, min(now_ms, in_force_ms.get(model, now_ms)))
            else:
                self._noted_ms[model] = first_ms[0]
                self._begin_behind(model)
            begins_ms = self._begins_ms(model)
            self.starts_ms[model] = min(begins_ms, earlier_ms.get(model, begins_ms))

    def _in_force_ms(self, noted: Mapping[str, Sequence[Row]]) -> dict[str, int]:
        """Return when each model that is met for the first time came into force, as far as that is written down.

        When nobody has been notified here before, everything until now is history.
        """
        models = [model for model, notes in noted.items() if not notes]
        if not models or len(models) == len(noted):
            return {}
        columns = ("model", "version", "at_ms")
        first_versions = Query("configurations", {"model": models}, first_by=("model",), columns=columns)
        return {row["model"]: row["at_ms"] for row in rows_of(self._store.read(first_versions))}

    def _begin_behind(self, model: str) -> None:
        """Note that this process begins before the note, if the clock says so: little before now."""
        now_ms = self._clock.now_ms()
        if self._begins_ms(model) > now_ms:
            self._append(model, now_ms - SET_BACK_WITHIN_MS, now_ms - SET_BACK_WITHIN_MS)
            self._behind_ms[model].add(now_ms - SET_BACK_WITHIN_MS)

    def _begins_ms(self, model: str) -> int:
        return min({self._noted_ms[model], *self._behind_ms[model]})

    def new(self) -> list[Row]:
        """Return the transitions that were not given before: one question, however many models there are.

        Those of a model come in the order of their event time; between models there is none.

        Raises
        ------
        StoreError
        """
        floors = self.starts_ms | {model: self._floor_ms(model) for model in self._read_to_ms}
        by_model: dict[str, list[Row]] = {}
        for row in rows_of(self._store.read(Query(self.table, floors={"at_ms": floors}, order=("at_ms",)))):
            by_model.setdefault(row["model"], []).append(row)
        return [row for model, rows in by_model.items() for row in self._unread(model, rows)]

    def _floor_ms(self, model: str) -> int:
        if model in LOOKS_BACK_MS:
            return max(self.starts_ms[model], self._read_to_ms[model] - LOOKS_BACK_MS[model])
        return self._read_to_ms[model] + (model in self._own)

    def _unread(self, model: str, rows: list[Row]) -> list[Row]:
        read = self._read_at_end.get(model, set())
        self._read_to_ms[model] = rows[-1]["at_ms"]
        # Others of the newest millisecond may be written later: it is read again, and what was given is left out.
        floor_ms = min(self._floor_ms(model), rows[-1]["at_ms"])
        self._read_at_end[model] = {_key(row) for row in rows if row["at_ms"] >= floor_ms}
        newest: dict[str, int] = {}
        for alert_id, sequence in read:
            newest[alert_id] = max(sequence, newest.get(alert_id, sequence))
        # What comes late of an alert, behind what has become of it since, is no news.
        return [row for row in rows if row["sequence"] > newest.get(row["alert_id"], -1)]

    def keep(self, oldest_ms: Mapping[str, int]) -> bool:
        """Let the next process begin where it has to; return whether it can.

        Parameters
        ----------
        oldest_ms : mapping of str to int
            By model, the first transition that is still needed; of others, none that was read is.

        Raises
        ------
        StoreError
        """
        for model, read_to_ms in self._read_to_ms.items():
            needed_ms = min(read_to_ms, oldest_ms.get(model, read_to_ms)) - LOOKS_BACK_MS.get(model, 0)
            if needed_ms > self._noted_ms[model]:
                self._note(model, needed_ms)
                for behind_ms in sorted(self._behind_ms[model]):
                    self._append(model, max(needed_ms, behind_ms + 1), behind_ms, OVER)
                self._behind_ms[model] = set()
        return all(at_ms >= self._begins_ms(model) for model, at_ms in oldest_ms.items())

    def _note(self, model: str, start_ms: int) -> None:
        self._append(model, start_ms)
        self._noted_ms[model] = start_ms

    def _append(self, model: str, position: int, partition: int = 0, config: str = "") -> None:
        row = {"stage": self._stage, "name": model, "partition": partition, "position": position, "config": config}
        columns = {column: [value] for column, value in (row | {"state": b""}).items()}
        self._store.append("checkpoints", columns, token=f"{self._stage}/{model}/{partition}/{position}/{config}")


def _key(row: Row) -> tuple[str, int]:
    return row["alert_id"], row["sequence"]
