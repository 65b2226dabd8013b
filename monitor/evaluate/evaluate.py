"""The evaluate stage: windows of panes against baselines, scores and alert transitions out.

One evaluation per model. It reads how far every partition has closed its panes, takes the panes that all of them
have closed, and evaluates window after window in the order of event time. Only on-time rows count, so that the result
does not depend on which worker was faster. A partition that is read to its end and has been silent for a set time
no longer holds the others back; with which of its panes a window is evaluated is written down first (`horizon_log`).

Rows are written before the checkpoint; after a crash the windows since the last checkpoint are evaluated again
from the same panes and give the same rows: what people say of signals is an input with a window from which it has
effect (`mark_log`). Under a changed configuration, baselines and variations are learned again from the panes that are
stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from monitor import checkpoint
from monitor.alerts.transition import Transition, to_columns
from monitor.checkpoint import Checkpoint
from monitor.evaluate.configured_windows import begin_windows
from monitor.evaluate.horizon import Closed, Horizon, read_closed
from monitor.evaluate.horizon_log import Basis, HorizonLog
from monitor.evaluate.lost_spans import lost_spans, marked
from monitor.evaluate.mark_log import Mark, marks_in_effect, note_adopted, take_up
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.muting import is_muted, muting_notices, take_up_mutings
from monitor.evaluate.pinned import pin_stored
from monitor.evaluate.read_ahead import in_batches, learning_ms, read_ahead
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.versions import SeenVersions
from monitor.evaluate.windows import first_window_end
from monitor.events import ENDED, Partition
from monitor.panes.coverage import begins_ms, first_ms, panes_of, table_for
from monitor.panes.reading import read_panes
from monitor.rollouts.course import Courses
from monitor.watch import Watch
from sinks.store.batch import append, empty_rows, extend
from sinks.store.contract import Store

__all__ = ["Evaluated", "Evaluation"]

WINDOWS_AT_ONCE = 32
"""Windows whose panes are read in one go."""

MOST_LEARNED = 20_000
"""How many windows teach a changed configuration at most: ten weeks of five minutes."""


@dataclass(slots=True)
class Evaluated:
    """What one call of :meth:`Evaluation.advance` did."""

    windows: int = 0
    ends: list[range] = field(default_factory=list)
    scores: int = 0
    events: int = 0
    other_events: int = 0
    transitions: list[Transition] = field(default_factory=list)
    new_normals: list[Mark] = field(default_factory=list)
    waiting_to_ms: int | None = None
    """Up to where windows are complete, if some of them wait for the time."""
    behind: tuple[int, int] | None = None
    """Up to where windows are evaluated, and up to where they could be, if some are left to the next call."""


class Evaluation:
    """The evaluation of one model.

    Parameters
    ----------
    watch : Watch
    store : Store
    saved : tuple of int and Any, optional
        The model's checkpoint; read if it is not given.
    """

    def __init__(self, watch: Watch, store: Store, saved: tuple[int, Any] | None = None) -> None:
        self._watch, self._store = watch, store
        self._series, self._lifecycle = ModelSeries(watch), lifecycle_of(watch)
        self._versions = SeenVersions(store, watch.name)
        self._rollouts = Courses(store, watch, self._step_ms)
        self.next_end_ms: int | None = None
        """The end of the next window to evaluate; None until there is a pane."""
        self.stop_ms = ENDED
        """Windows that end here or later are left: another configuration is in force."""
        self._saved_ms: int | None = None
        self._position_ms: int | None = None
        loaded = saved or checkpoint.load(store, "evaluate", watch.name, 0)
        self._is_new = loaded is None
        if loaded is not None:
            self._restore(*loaded)
        if loaded is None or loaded[1].get("document") != watch.document_digest:
            self._begin()
        self._log = HorizonLog(store, watch.name, self._step_ms, self.next_end_ms)

    @property
    def _step_ms(self) -> int:
        return self._watch.model.spec.detect.defaults.step_ms

    @property
    def watch(self) -> Watch:
        """The model, as it is evaluated here."""
        return self._watch

    # -- forward -----------------------------------------------------------------------------------------------

    def advance(
        self,
        horizon: Horizon,
        closed: Mapping[Partition, Closed] | None = None,
        is_enough: Callable[[], bool] = lambda: False,
        until_ms: Callable[[int], int] = lambda complete_ms: complete_ms,
    ) -> Evaluated:
        """Evaluate every window that is complete by now, and write scores and transitions.

        Parameters
        ----------
        horizon : Horizon
        closed : mapping of Partition to Closed, optional
            The model's part of :func:`read_closed`, read after ``horizon`` was made; read now if it is not given.
        is_enough : callable
            Asked after every few windows; once it says so, the rest is left to the next call. It makes no difference to
            any row.
        until_ms : callable
            Given up to where windows are complete, it says up to where they are evaluated now. Those behind it wait,
            unless it is written down already with what they are evaluated.

        Returns
        -------
        Evaluated
        """
        done = Evaluated()
        closed = read_closed(self._store, [self._watch.name])[self._watch.name] if closed is None else closed
        # Progress on a topic that the model no longer reads must not hold it back for ever.
        source_of = self._watch.model.spec.source_of
        awaited = {p: so_far for p, so_far in closed.items() if source_of(p[0]) is not None}
        complete_ms = horizon.complete_ms(awaited)
        closed_ms, complete_ms = complete_ms, None if complete_ms is None else until_ms(complete_ms)
        if self.next_end_ms is None:
            self.next_end_ms = self._first_end(complete_ms)
        while self.next_end_ms is not None and self.next_end_ms < self.stop_ms:
            basis = self._log.at(self.next_end_ms) or self._decided(horizon, closed, complete_ms)
            if basis is None or (reach_ms := basis.reach_ms(horizon, awaited)) < self.next_end_ms:
                break
            self._evaluate_until(min(reach_ms, self._most_ms), basis, done)
            if is_enough():
                if complete_ms is not None and self.next_end_ms <= min(complete_ms, self.stop_ms - 1):
                    done.behind = self.next_end_ms - self._step_ms, complete_ms
                break
        if closed_ms != complete_ms and closed_ms is not None and closed_ms >= (self.next_end_ms or 0):
            done.waiting_to_ms = closed_ms
        return done

    def _first_end(self, complete_ms: int | None) -> int | None:
        if self._log.first_end_ms is not None or complete_ms is None:
            return self._log.first_end_ms
        start_ms = first_ms(self._store, self._watch.name)
        # A pane behind `complete_ms` may still get an older neighbour, from a partition that is slower.
        return None if start_ms is None or start_ms >= complete_ms else first_window_end(self._watch, start_ms)

    def _decided(self, horizon: Horizon, closed: Mapping[Partition, Closed], complete_ms: int | None) -> Basis | None:
        """Settle with what the next windows are evaluated that are complete by now; None if there are none."""
        assert self.next_end_ms is not None
        if complete_ms is None or self.next_end_ms > complete_ms:
            return None
        # Another process may have gone on while this one stood still.
        self._log.reload(self.next_end_ms)
        if (basis := self._log.at(self.next_end_ms)) is not None:
            return basis
        last_ms = min(complete_ms, self._log.open_until_ms(self.next_end_ms), self._most_ms)
        to_ms = self.next_end_ms + (last_ms - self.next_end_ms) // self._step_ms * self._step_ms
        counted_ms = horizon.counted_ms(closed, to_ms)
        self._log.decide(Basis(self.next_end_ms, to_ms, counted_ms, is_first=self._is_new and self._log.is_empty))
        return self._log.at(self.next_end_ms)

    @property
    def _most_ms(self) -> int:
        """The end of the last window that is evaluated with the next one at once."""
        assert self.next_end_ms is not None
        return min(self.next_end_ms + (WINDOWS_AT_ONCE - 1) * self._step_ms, self.stop_ms - 1)

    def _evaluate_until(self, last_ms: int, basis: Basis, done: Evaluated) -> None:
        assert self.next_end_ms is not None
        ends = range(self.next_end_ms, last_ms + 1, self._step_ms)
        from_ms = ends[0] - self._watch.model.spec.detect.defaults.window
        panes = read_panes(self._store, self._watch, from_ms, ends[-1], counted_ms=basis.counted_ms)
        follows_change = self._watch.model.spec.detect.rule == "change"
        # Without estimators too: a spell of one that was there ends.
        marks = take_up(self._store, self._watch.name, ends[0], self._step_ms)
        if follows_change:
            self._series.decide(marks)
        spells = take_up_mutings(self._store, self._watch, marks, ends[0])
        rollouts = self._rollouts.take_up(ends)
        verdicts = self._series.advance(panes, ends)
        # A crash between these appends repeats the windows, and their rows replace themselves.
        append(self._store, "versions", self._versions.new(self._series.versions.begun_ms))
        transitions = follow(self._lifecycle, verdicts, ends, partial(is_muted, self._watch, spells))
        transitions += muting_notices(self._watch, spells, ends)
        scores = empty_rows("scores")
        for of_series in verdicts:
            extend(scores, of_series.rows(self._watch.name, ""))
        missing = {end_ms: basis.missing(end_ms) for end_ms in ends}
        scores["idle"] = [missing[end_ms] for end_ms in scores["window_end_ms"]]
        done.new_normals += self._note_new_normals(verdicts)
        lost = lost_spans(self._store, self._watch.name)
        if lost:
            scores["idle"] = marked(scores, lost)
        append(self._store, "expectations", self._series.expectations())
        done.scores += append(self._store, "scores", scores)
        # Who follows alerts reads them by their time: those of one model are written in its order.
        transitions = sorted(
            [*transitions, *self._rollouts.advance(rollouts, ends, basis.counted_ms)],
            key=lambda transition: transition.at_ms,
        )
        append(self._store, "alerts", to_columns(transitions))
        self.next_end_ms = ends[-1] + self._step_ms
        done.windows += len(ends)
        done.ends.append(ends)
        done.transitions += transitions
        done.events += self._series.versions.events
        done.other_events += self._series.versions.other_events

    def _note_new_normals(self, verdicts: Sequence[Verdicts]) -> list[Mark]:
        """Write down what Leeway has adopted by itself, and return every level that became a new normal."""
        marks = []
        for of_series in verdicts:
            version, segment, signal = of_series.key
            for end_ms, normal in of_series.new_normals.items():
                mark = Mark(
                    self._watch.name, signal, segment, version, "accepted" if normal.by else "adopted",
                    normal.from_ms, 0, normal.by, normal.reason, end_ms, end_ms,
                )  # fmt: skip
                marks.append(mark)
        note_adopted(self._store, [mark for mark in marks if mark.says == "adopted"])
        return marks

    # -- state -------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, unless nothing has happened since the last one."""
        if self.next_end_ms is None or self.next_end_ms == self._saved_ms:
            return
        state = {
            "config": self._watch.config_hash,
            "document": self._watch.document_digest,
            "next_end_ms": self.next_end_ms,
            "lifecycle": self._lifecycle.snapshot(),
            **self._series.snapshot(),
        }
        position_ms = self.next_end_ms
        if self._position_ms is not None:
            # With a shorter step the next window ends before the one that was to come, and the furthest row stays.
            position_ms = max(position_ms, self._position_ms + 1)
        saved = Checkpoint("evaluate", self._watch.name, 0, position_ms, state["config"], state)
        checkpoint.save(self._store, saved)
        self._saved_ms, self._position_ms = self.next_end_ms, position_ms

    def _restore(self, position_ms: int, state: Mapping[str, Any]) -> None:
        self._position_ms = position_ms
        # In checkpoints of earlier versions the position is the end of the next window.
        next_end_ms = state.get("next_end_ms", position_ms)
        self._lifecycle.restore(state["lifecycle"])
        if state["config"] == self._watch.config_hash:
            self.next_end_ms = self._saved_ms = next_end_ms
            self._series.restore(state)
            return
        # Under another configuration windows may end elsewhere; alerts continue behind the last one that was evaluated.
        last_end_ms = state["lifecycle"]["at_ms"]
        behind_ms = next_end_ms - 1 if last_end_ms is None else last_end_ms
        offset_ms = self._watch.model.spec.detect.defaults.offset
        self.next_end_ms = ((behind_ms - offset_ms) // self._step_ms + 1) * self._step_ms + offset_ms
        self._learn_again(self.next_end_ms, state)
        # What is learned depends on the panes that are stored by now: whoever takes over must not learn from others.
        self.save()

    def _begin(self) -> None:
        """Write down from which window on the configuration is evaluated, before one is."""
        if not self._watch.document_digest:
            return
        from_ms = 0 if self.next_end_ms is None else self.next_end_ms
        begin_windows(self._store, self._watch.name, from_ms, self._watch.document_digest)
        self._saved_ms = None
        self.save()

    def _learn_again(self, next_end_ms: int, state: Mapping[str, Any]) -> None:
        """Learn from stored panes as the new configuration would have; nothing alarms."""
        pinned, table = self._series.pinned, table_for(self._store, self._watch)
        begins = begins_ms(self._store, self._watch.name, table)
        if pinned is not None and "pinned" in state and pinned.is_complete_in(state["period"], begins):
            # Its panes may be gone by now.
            pinned.restore(state["period"], state["pinned"])
            pinned = None
        if begins is None:
            return
        needed_ms = learning_ms(self._watch)
        most_ms = MOST_LEARNED * self._step_ms
        from_ms = max(begins, next_end_ms - (most_ms if needed_ms is None else min(needed_ms, most_ms)))
        ends = range(first_window_end(self._watch, from_ms), next_end_ms, self._step_ms)
        self._series.decide(marks_in_effect(self._store, self._watch.name))
        if pinned is not None:
            pin_stored(pinned, self._store, self._watch, ends[0] if ends else next_end_ms, table)
        if ends:
            # Sums may be left of panes that are gone, and panes there that are not added up yet.
            kinds = [
                kind
                for source in {table, "panes"}
                for kind in panes_of(self._store, self._watch.name, from_ms, next_end_ms, source)
            ]
            batches = in_batches(ends, sum(kind.cells for kind in kinds))
            for panes, batch in read_ahead(self._store, self._watch, batches, None, table):
                self._series.advance(panes, batch)
