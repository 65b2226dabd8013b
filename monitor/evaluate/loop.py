"""The loop of the evaluate stage: the windows of every model, as soon as they are complete."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from monitor.clock import Clock
from monitor.evaluate.crowding import Crowding
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import horizon, read_closed, standing
from monitor.watch import Watch
from sinks.store.contract import Store, StoreError

__all__ = ["EvaluateLoop"]

EVALUATE_EVERY_S = 0.5
RETRY_S = 2.0
log = structlog.get_logger("leeway.service")


class EvaluateLoop:
    """Evaluates some models over and over.

    Parameters
    ----------
    watches : mapping of str to Watch
        Empty in a process that does not evaluate.
    store : Store
    clock : Clock
    checkpoint_every_s : float
    on_latency : callable
        Called for each window with its model and the seconds from when it could be complete until its scores were
        stored.

    Attributes
    ----------
    windows : Counter of str
        Windows evaluated, by model.
    transitions : Counter of (str, str)
        Transitions of alerts, by model and state.
    crowding : Crowding
    """

    def __init__(
        self,
        watches: Mapping[str, Watch],
        store: Store,
        clock: Clock,
        checkpoint_every_s: float,
        on_latency: Callable[[str, float], None],
    ) -> None:
        self._watches, self._store, self._clock = watches, store, clock
        self._checkpoint_every_s, self._on_latency = checkpoint_every_s, on_latency
        self.windows: Counter[str] = Counter()
        self.transitions: Counter[tuple[str, str]] = Counter()
        self.crowding = Crowding(clock)
        self._turn = threading.Lock()
        self._evaluations = self._load()

    def run(self, stop: threading.Event, on_round: Callable[[], None] = lambda: None) -> None:
        """Evaluate until ``stop`` is set; ``on_round`` is called each time that everything is evaluated."""
        last_saved_s = self._clock.monotonic_s()
        while not self._clock.wait(stop, EVALUATE_EVERY_S):
            try:
                with self._turn:
                    if not self._evaluations:
                        self._evaluations = self._load()
                    self.evaluate_now()
                    if self._clock.monotonic_s() - last_saved_s >= self._checkpoint_every_s:
                        last_saved_s = self._clock.monotonic_s()
                        self.save()
                on_round()
            except StoreError as error:
                # Memory may be ahead of the store: the windows since the checkpoint are evaluated again.
                self._evaluations = {}
                if not error.retryable:
                    raise
                log.warning("the store does not answer; trying again", error=str(error))
                self._clock.wait(stop, RETRY_S)
            except Exception:
                self._evaluations = {}
                raise

    def evaluate_now(self) -> None:
        """Evaluate every window that is complete by now, of the models all of whose topics have been seen."""
        partitions = standing(self._store)
        horizons = {name: horizon(partitions, self._watches[name].model.spec) for name in self._evaluations}
        seen_horizons = {name: waited_for for name, waited_for in horizons.items() if waited_for is not None}
        closed = read_closed(self._store, seen_horizons)
        for name, waited_for in seen_horizons.items():
            evaluated = self._evaluations[name].advance(waited_for, closed[name])
            self.windows[name] += evaluated.windows
            if evaluated.windows:
                self.crowding.note(name, evaluated.events, evaluated.other_events)
            self._note_latency(name, evaluated.ends)
            for mark in evaluated.new_normals:
                log.info(
                    "a level is the new normal", model=name, signal=mark.signal, segment=mark.segment,
                    version=mark.version, says=mark.says, by=mark.created_by, reason=mark.reason,
                )  # fmt: skip
            for transition in evaluated.transitions:
                self.transitions[name, transition.state] += 1

    def save(self) -> None:
        """Write a checkpoint of every model."""
        for evaluation in self._evaluations.values():
            evaluation.save()

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Hold the loop with its checkpoints written; afterwards it continues from these."""
        with self._turn:
            self.save()
            self._evaluations = {}
            yield

    def _load(self) -> dict[str, Evaluation]:
        return {name: Evaluation(watch, self._store) for name, watch in self._watches.items()}

    def _note_latency(self, name: str, windows: Iterable[range]) -> None:
        now_ms = self._clock.now_ms()
        lateness_ms = max(source.allowed_lateness for source in self._watches[name].model.spec.watched_sources)
        for ends in windows:
            for end_ms in ends:
                self._on_latency(name, max(0, now_ms - end_ms - lateness_ms) / 1000)
