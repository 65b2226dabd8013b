"""Which stages work, stated through the store while they do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from monitor.clock import Clock
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["PULSE_EVERY_S", "STAGES", "Pulses", "kind_of", "pulse_of"]

PULSE_EVERY_S = 10.0
STAGES = ("ingest", "evaluate", "freshness", "alert")
"""What an event passes on its way to people. Of one kind of stage there may be several, in one process or in many."""


def kind_of(stage: str) -> str:
    """Return the kind of a stage, by its name.

    Examples
    --------
    >>> kind_of("ingest-kafka-0")
    'ingest'
    """
    return stage.partition("-")[0]


def pulse_of(instance: str) -> str:
    """Return the name under which a process states that it lives.

    Examples
    --------
    >>> pulse_of("db1:8080")
    'instance db1:8080'
    """
    return f"instance {instance}"


class Pulses:
    """What one process states of its stages.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> pulses = Pulses(store, ManualClock(now_ms=1_000))
    >>> pulses.state(["evaluate", "ingest-kafka-0", "ingest-kafka-1"], {"evaluate": 4, "ingest-kafka-0": 9})
    >>> store.read(Query("pulses"))["stage"]
    ['evaluate']
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._rounds: dict[str, int] = {}
        self._numbers: dict[str, int] | None = None

    def state(self, stages: Collection[str], rounds: Mapping[str, int], instance: str = "") -> None:
        """State which kinds of stages work: those of which every one here has done a round since the last time.

        Parameters
        ----------
        stages : collection of str
            All that run here.
        rounds : mapping of str to int
            How many each has done.
        instance : str
            This process, if others are to know that it lives.

        Raises
        ------
        StoreError
        """
        counts = {stage: rounds.get(stage, 0) for stage in stages}
        stopped = {kind_of(stage) for stage, count in counts.items() if count == self._rounds.get(stage, 0)}
        self._rounds = counts
        rows: Rows = empty_rows("pulses")
        numbers = self._read()
        working = sorted({kind_of(stage) for stage in stages} & set(STAGES) - stopped)
        for name in [*working, *([pulse_of(instance)] if instance else [])]:
            # Of two rows the larger number counts: clocks go back.
            numbers[name] = max(numbers.get(name, 0) + 1, self._clock.now_ms())
            add_row(rows, {"stage": name, "number": numbers[name]})
        append(self._store, "pulses", rows)

    def _read(self) -> dict[str, int]:
        if self._numbers is None:
            self._numbers = {row["stage"]: row["number"] for row in rows_of(self._store.read(Query("pulses")))}
        return self._numbers
