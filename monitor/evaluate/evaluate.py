"""The evaluate stage: windows of panes against baselines, scores and alert transitions out.

One evaluation per model. It reads how far every partition has closed its panes, takes the panes that all of them
have closed, and evaluates window after window in the order of event time. Only on-time rows count, so that the result
does not depend on which worker was faster. A partition that is read to its end and has been silent for a set time
no longer holds the others back; what is decided without it says so.

Rows are written before the checkpoint; after a crash the windows since the last checkpoint are evaluated again
from the same panes and give the same rows. Under a changed configuration, baselines and variations are learned again
from the panes that are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor import checkpoint
from monitor.alerts.lifecycle import Transition, to_columns
from monitor.checkpoint import Checkpoint
from monitor.evaluate.horizon import Horizon
from monitor.evaluate.lost_spans import lost_spans, marked
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.read_ahead import in_batches, learning_ms, read_ahead
from monitor.evaluate.versions import SeenVersions
from monitor.evaluate.windows import first_window_end
from monitor.events import ENDED, Partition
from monitor.panes.coverage import begins_ms, panes_of, table_for
from monitor.panes.reading import read_panes
from monitor.watch import Watch
from sinks.store.batch import append, empty_rows, extend
from sinks.store.contract import Query, Store
from sinks.store.rows import as_list

__all__ = ["Closed", "Evaluated", "Evaluation", "read_closed"]

WINDOWS_AT_ONCE = 32
"""Windows whose panes are read in one go."""

MOST_LEARNED = 20_000
"""How many windows teach a changed configuration at most: ten weeks of five minutes."""


@dataclass(frozen=True)
class Closed:
    """How far one partition has closed a model's panes.

    Attributes
    ----------
    closed_ms, newest_ms : int
        Up to where its panes are closed, and the newest event time it has seen.
    """

    closed_ms: int
    newest_ms: int


def read_closed(store: Store, models: Collection[str]) -> dict[str, dict[Partition, Closed]]:
    """Return how far the partitions of some models are, by model: one question, however many they are.

    Raises
    ------
    StoreError
    """
    rows = store.read(Query("progress", {"model": list(models)}))
    by_model: dict[str, dict[Partition, Closed]] = {name: {} for name in models}
    for model, *partition, closed_ms, newest_ms in zip(
        *(as_list(rows[name]) for name in ("model", "topic", "partition", "closed_ms", "newest_ms")), strict=True
    ):
        by_model[model][partition[0], partition[1]] = Closed(closed_ms, newest_ms)
    return by_model


@dataclass(slots=True)
class Evaluated:
    """What one call of :meth:`Evaluation.advance` did."""

    windows: int = 0
    ends: list[range] = field(default_factory=list)
    scores: int = 0
    transitions: list[Transition] = field(default_factory=list)


class Evaluation:
    """The evaluation of one model.

    Parameters
    ----------
    watch : Watch
    store : Store
    """

    def __init__(self, watch: Watch, store: Store) -> None:
        self._watch, self._store = watch, store
        defaults = watch.model.spec.detect.defaults
        self._step_ms, self._window_ms = defaults.step_ms, defaults.window
        self._series, self._lifecycle = ModelSeries(watch), lifecycle_of(watch)
        self._versions = SeenVersions(store, watch.name)
        self.next_end_ms: int | None = None
        """The end of the next window to evaluate; None until there is a pane."""
        self._saved_ms: int | None = None
        loaded = checkpoint.load(store, "evaluate", watch.name, 0)
        if loaded is not None:
            self._restore(*loaded)

    # -- forward -----------------------------------------------------------------------------------------------

    def advance(self, horizon: Horizon, closed: Mapping[Partition, Closed] | None = None) -> Evaluated:
        """Evaluate every window that is complete by now, and write scores and transitions.

        Parameters
        ----------
        horizon : Horizon
        closed : mapping of Partition to Closed, optional
            The model's part of :func:`read_closed`, read after ``horizon`` was made; read now if it is not given.

        Returns
        -------
        Evaluated
        """
        done = Evaluated()
        name = self._watch.name
        complete_ms = self._complete_ms(horizon, read_closed(self._store, [name])[name] if closed is None else closed)
        if complete_ms is None:
            return done
        if self.next_end_ms is None:
            where = {"model": self._watch.name, "late_at_ms": 0}
            first = self._store.read(
                Query("panes", where, order=("pane_start_ms",), limit=1, columns=("pane_start_ms",))
            )["pane_start_ms"]
            # A pane behind `complete_ms` may still get an older neighbour, from a partition that is slower.
            if not len(first) or int(first[0]) >= complete_ms:
                return done
            self.next_end_ms = first_window_end(self._watch, int(first[0]))
        idle = ",".join(f"{topic}/{partition}" for topic, partition in sorted(horizon.idle))
        while self.next_end_ms <= complete_ms:
            last_ms = min(complete_ms, self.next_end_ms + (WINDOWS_AT_ONCE - 1) * self._step_ms)
            self._evaluate_until(last_ms, idle, done)
        return done

    def _complete_ms(self, horizon: Horizon, closed: Mapping[Partition, Closed]) -> int | None:
        """Up to where every partition has closed its panes; None if one of them has not begun."""
        # Progress on a topic that the model no longer reads must not hold it back for ever.
        read = self._watch.model.spec.source_of
        topics = {topic for topic in {topic for topic, _ in closed} if read(topic) is not None}
        watched = {partition: so_far for partition, so_far in closed.items() if partition[0] in topics}
        waiting = horizon.expected - horizon.idle
        if not watched or not waiting <= watched.keys():
            return None
        unended = {partition: so_far.closed_ms for partition, so_far in watched.items() if so_far.closed_ms < ENDED}
        bounds = [ms for partition, ms in unended.items() if partition not in horizon.idle]
        if bounds:
            return min(bounds)
        if unended:
            return max(unended.values())
        return max(so_far.newest_ms for so_far in watched.values()) + 1

    def _evaluate_until(self, last_ms: int, idle: str, done: Evaluated) -> None:
        assert self.next_end_ms is not None
        ends = range(self.next_end_ms, last_ms + 1, self._step_ms)
        panes = read_panes(self._store, self._watch, ends[0] - self._window_ms, ends[-1])
        append(self._store, "versions", self._versions.new(panes))
        verdicts = self._series.advance(panes, ends)
        transitions = follow(self._lifecycle, verdicts, ends)
        scores = empty_rows("scores")
        for of_series in verdicts:
            extend(scores, of_series.rows(self._watch.name, idle))
        lost = lost_spans(self._store, self._watch.name)
        if lost:
            scores["idle"] = marked(scores, lost)
        done.scores += append(self._store, "scores", scores)
        append(self._store, "alerts", to_columns(transitions))
        self.next_end_ms = ends[-1] + self._step_ms
        done.windows += len(ends)
        done.ends.append(ends)
        done.transitions += transitions

    # -- state -------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, unless nothing has happened since the last one."""
        if self.next_end_ms is None or self.next_end_ms == self._saved_ms:
            return
        state = {
            "config": self._watch.config_hash,
            "lifecycle": self._lifecycle.snapshot(),
            **self._series.snapshot(),
        }
        saved = Checkpoint("evaluate", self._watch.name, 0, self.next_end_ms, state["config"], state)
        checkpoint.save(self._store, saved)
        self._saved_ms = self.next_end_ms

    def _restore(self, next_end_ms: int, state: Mapping[str, Any]) -> None:
        self._lifecycle.restore(state["lifecycle"])
        if state["config"] == self._watch.config_hash:
            self.next_end_ms = self._saved_ms = next_end_ms
            self._series.restore(state)
            return
        # Under another configuration windows may end elsewhere; alerts go on behind the last one that was evaluated.
        last_end_ms = state["lifecycle"]["at_ms"]
        behind_ms = next_end_ms - 1 if last_end_ms is None else last_end_ms
        offset_ms = self._watch.model.spec.detect.defaults.offset
        self.next_end_ms = ((behind_ms - offset_ms) // self._step_ms + 1) * self._step_ms + offset_ms
        self._learn_again(self.next_end_ms)

    def _learn_again(self, next_end_ms: int) -> None:
        """Learn from stored panes as the new configuration would have; nothing is written and nothing alarms."""
        table = table_for(self._store, self._watch)
        begins = begins_ms(self._store, self._watch.name, table)
        if begins is None:
            return
        needed_ms = learning_ms(self._watch)
        most_ms = MOST_LEARNED * self._step_ms
        from_ms = max(begins, next_end_ms - (most_ms if needed_ms is None else min(needed_ms, most_ms)))
        ends = range(first_window_end(self._watch, from_ms), next_end_ms, self._step_ms)
        if ends:
            kinds = panes_of(self._store, self._watch.name, from_ms, next_end_ms)
            batches = in_batches(ends, sum(kind.cells for kind in kinds))
            for panes, batch in read_ahead(self._store, self._watch, batches, None, table):
                self._series.advance(panes, batch)
