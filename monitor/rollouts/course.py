"""The rollouts of one model, led through the windows that are evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.alerts.transition import Transition
from monitor.events import Partition
from monitor.rollouts.judged_notices import judged_transitions
from monitor.rollouts.notices import RESOLVED_AFTER_MS, resolved, verdict_reached
from monitor.rollouts.rollout_log import Rollout, finest_of, take_up
from monitor.rollouts.strata import read_comparisons, rows_of_stratum
from monitor.rollouts.sums import sums_of
from monitor.rollouts.verdict import Comparison, Verdict, compared, verdict_of
from monitor.watch import Watch
from sinks.store.batch import Rows, append, empty_rows, extend
from sinks.store.contract import Store
from sinks.store.spans import HOUR_MS

__all__ = ["Course", "Courses"]


@dataclass
class Course:
    """How far a rollout has come.

    Attributes
    ----------
    rollout : Rollout
    comparisons : dict of str to list of Comparison
        What both versions did so far, by metric.
    verdict : {"promote", "hold", "rollback"}
    last_ms : int
        End of the last span that was compared; where it began before the first.
    """

    rollout: Rollout
    comparisons: dict[str, list[Comparison]] = field(default_factory=dict)
    verdict: Verdict = "hold"
    last_ms: int = 0

    @property
    def decided_ms(self) -> int:
        """When it got its verdict, or reached its end without one; 0 as long as neither is so."""
        return self.last_ms if self.verdict != "hold" or self.last_ms >= self.rollout.until_ms else 0

    def next_ms(self) -> int:
        """Return the end of the next span to compare, 0 if there is none."""
        next_ms = self.rollout.next_ms(self.last_ms)
        is_stopped = 0 < self.rollout.ends_ms <= next_ms
        return 0 if self.decided_ms or is_stopped else next_ms


class Courses:
    """Writes what both versions did, and the verdict that follows, once for each span.

    Parameters
    ----------
    store : Store
    watch : Watch
    step_ms : int
        How far apart windows are.
    """

    def __init__(self, store: Store, watch: Watch, step_ms: int) -> None:
        self._store, self._watch, self._step_ms = store, watch, step_ms
        self._courses: dict[str, Course] = {}
        self._over: set[str] = set()

    def take_up(self, ends: range) -> list[Rollout]:
        """Settle from when on rollouts count, before anything of some windows is written, and return all.

        Raises
        ------
        StoreError
        """
        pane_ms = self._watch.model.spec.detect.pane
        return take_up(self._store, self._watch.name, ends[0], self._step_ms, finest_of(pane_ms, self._step_ms))

    def advance(
        self, rollouts: Sequence[Rollout], ends: range, counted_ms: Mapping[Partition, int]
    ) -> list[Transition]:
        """Compare what is complete with some windows, and return what is to be notified, in the order of time.

        Parameters
        ----------
        rollouts : sequence of Rollout
            As they were taken up with these windows.
        ends : range
            Ends of the windows that are evaluated now.
        counted_ms : mapping of Partition to int
            With which panes they are.

        Raises
        ------
        StoreError
        """
        transitions: list[Transition] = []
        for course in self._live(rollouts, ends):
            rollout, rows = course.rollout, empty_rows("rollout_strata")
            while 0 < course.next_ms() <= ends[-1]:
                extend(rows, self._compared(course, counted_ms))
                if course.decided_ms:
                    facts = compared(rollout, course.comparisons)
                    at_ms = self._window_of(ends, course.decided_ms)
                    transitions.append(verdict_reached(self._watch, rollout, course.verdict, facts, at_ms))
            append(self._store, "rollout_strata", rows)
            transitions += self._resolved(course, ends)
        transitions += judged_transitions(self._store, self._watch, rollouts, ends)
        return sorted(transitions, key=lambda transition: transition.at_ms)

    def _live(self, rollouts: Iterable[Rollout], ends: range) -> list[Course]:
        """Return the rollouts of which something is still to come; what both versions did in others is forgotten."""
        done_ms = ends[0] - self._step_ms
        live = []
        for rollout in rollouts:
            if rollout.by_labels or rollout.id in self._over:
                continue
            if not _is_long_over(rollout, done_ms):
                course = self._course(rollout, done_ms)
                if not course.decided_ms or _over_ms(course) > done_ms:
                    live.append(course)
                    continue
            self._over.add(rollout.id)
            self._courses.pop(rollout.id, None)
        return live

    def _course(self, rollout: Rollout, done_ms: int) -> Course:
        """Return how far a rollout had come with the windows before: what is stored of later ones is written again."""
        if rollout.id not in self._courses:
            course = Course(rollout, last_ms=rollout.from_ms)
            course.comparisons, verdict, last_ms = read_comparisons(self._store, rollout, done_ms)
            course.verdict, course.last_ms = verdict, max(course.last_ms, last_ms)
            self._courses[rollout.id] = course
        self._courses[rollout.id].rollout = rollout
        return self._courses[rollout.id]

    def _compared(self, course: Course, counted_ms: Mapping[Partition, int]) -> Rows:
        """Compare one more span, and return its rows."""
        rollout, span = course.rollout, (course.last_ms, course.next_ms())
        sums = sums_of(self._store, self._watch, rollout, span, counted_ms)
        for signal, (candidate, champion) in sums.items():
            course.comparisons.setdefault(signal, []).append(Comparison(span[1], candidate, champion))
        course.last_ms, course.verdict = span[1], verdict_of(rollout, course.comparisons)
        return rows_of_stratum(rollout, span[1], sums, course.verdict)

    def _resolved(self, course: Course, ends: range) -> list[Transition]:
        """Return the end of the alert about a verdict, if it comes with these windows."""
        if not course.decided_ms:
            return []
        over_ms = _over_ms(course)
        if not ends[0] - self._step_ms < over_ms <= ends[-1]:
            return []
        facts, at_ms = compared(course.rollout, course.comparisons), self._window_of(ends, over_ms)
        decided_ms = course.decided_ms + -(course.decided_ms - ends[0]) % self._step_ms
        fired = verdict_reached(self._watch, course.rollout, course.verdict, facts, decided_ms)
        return [resolved(fired, at_ms)]

    def _window_of(self, ends: range, at_ms: int) -> int:
        """Return the end of the window with which something of a time is known."""
        return max(ends[0], at_ms + (ends[0] - at_ms) % self._step_ms)


def _over_ms(course: Course) -> int:
    """Return when the alert about a verdict ends."""
    over_ms = course.decided_ms + RESOLVED_AFTER_MS
    return min(over_ms, course.rollout.ends_ms or over_ms)


def _is_long_over(rollout: Rollout, done_ms: int) -> bool:
    """Whether nothing is to come of a rollout, whatever became of it."""
    last_ms = rollout.until_ms + max(HOUR_MS, rollout.stratum_ms)
    return 0 < rollout.ends_ms <= done_ms or last_ms + RESOLVED_AFTER_MS <= done_ms
