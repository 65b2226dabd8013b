"""The loop of the evaluate stage: the windows of every model, as soon as they are complete."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import structlog

from monitor.clock import Clock
from monitor.errors import LeewayError
from monitor.evaluate.crowding import Crowding
from monitor.evaluate.evaluate import Evaluated
from monitor.evaluate.evaluations import Evaluations, Former
from monitor.evaluate.failing_models import FailingModels
from monitor.evaluate.horizon import horizons, read_closed, standing
from monitor.evaluate.waiting_windows import WaitingWindows
from monitor.tracing.spans import span
from monitor.watch import Watch, Watches
from sinks.store.contract import Store, StoreError

__all__ = ["EvaluateLoop"]

EVALUATE_EVERY_S = 0.5
TURN_S = 5.0
"""A model that has more to catch up lets the others have their turn after so long."""

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
    former : callable
        From a model and a digest to the model as that document has it.

    Attributes
    ----------
    windows : Counter of str
        Windows evaluated, by model.
    transitions : Counter of (str, str)
        Transitions of alerts, by model and state.
    crowding : Crowding
    failing : FailingModels
    waiting : WaitingWindows
    """

    def __init__(
        self,
        watches: Mapping[str, Watch],
        store: Store,
        clock: Clock,
        checkpoint_every_s: float,
        on_latency: Callable[[str, float], None],
        former: Former = lambda model, digest: None,
    ) -> None:
        self._watches, self._store, self._clock = Watches(watches), store, clock
        self._checkpoint_every_s, self._on_latency = checkpoint_every_s, on_latency
        self.windows: Counter[str] = Counter()
        self.transitions: Counter[tuple[str, str]] = Counter()
        self.crowding = Crowding(clock)
        self.failing = FailingModels(clock, watches)
        self.waiting = WaitingWindows(clock, self._watches, store)
        self._turn = threading.Lock()
        self._evaluations = Evaluations(store, former)
        self._load()

    def run(self, stop: threading.Event, on_round: Callable[[], None] = lambda: None) -> None:
        """Evaluate until ``stop`` is set; ``on_round`` is called each time that everything is evaluated."""
        last_saved_s = self._clock.monotonic_s()
        while not self._clock.wait(stop, EVALUATE_EVERY_S):
            try:
                with self._turn:
                    last_saved_s = self._round(stop, last_saved_s)
                on_round()
            except StoreError as error:
                if not error.retryable:
                    raise
                log.warning("the store does not answer; trying again", error=str(error))
                self._clock.wait(stop, RETRY_S)

    def _round(self, stop: threading.Event, last_saved_s: float) -> float:
        """Evaluate, and write checkpoints if that is due; return when that was done last."""
        try:
            self.evaluate_now(stop.is_set, TURN_S)
            if self._clock.monotonic_s() - last_saved_s >= self._checkpoint_every_s:
                last_saved_s = self._clock.monotonic_s()
                self.save()
        except Exception:
            # Memory may be ahead of the store: the windows since the checkpoint are evaluated again. Within this turn,
            # so that no other thread writes what it holds as a checkpoint.
            self._evaluations.clear()
            raise
        return last_saved_s

    def evaluate_now(self, is_enough: Callable[[], bool] = lambda: False, turn_s: float = math.inf) -> None:
        """Evaluate every window that is complete by now, of the models all of whose topics have been seen.

        Parameters
        ----------
        is_enough : callable
            Once it says so, the rest is left to the next call.
        turn_s : float
            So is what takes a model longer than this: others wait for it.
        """
        self._load()
        for transition in self._evaluations.end_given_up():
            self.transitions[transition.model, transition.state] += 1
        if not self._evaluations:
            return
        partitions = standing(self._store)
        specs = {name: evaluation.watch.model.spec for name, evaluation in self._evaluations.items()}
        seen_horizons = {
            name: waited_for for name, waited_for in horizons(partitions, specs).items() if waited_for is not None
        }
        closed = read_closed(self._store, seen_horizons)
        for name, waited_for in seen_horizons.items():
            turn_is_over = partial(self._turn_is_over, is_enough, self._clock.monotonic_s() + turn_s)
            with self._alone(name), span("evaluate", model=name) as evaluating:
                until_ms = partial(self.waiting.until_ms, name)
                evaluated = self._evaluations[name].advance(waited_for, closed[name], turn_is_over, until_ms)
                self._note(name, evaluated)
                evaluating.note(windows=evaluated.windows, transitions=len(evaluated.transitions))
                if not evaluated.windows:
                    evaluating.forget()
                self._evaluations.settle(self._watches[name])

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Let what fails of one model hold up no other, but for what fails of the store or cannot be mended here."""
        try:
            yield
        except (StoreError, LeewayError):
            raise
        except Exception as error:  # noqa: BLE001 -- a model may fail in any way, and the others go on
            # Memory may be ahead of the store: it goes on from the checkpoint.
            self._evaluations.fail(name)
            self.failing.note(name, error)
        else:
            self.failing.settle(name)

    def _note(self, name: str, evaluated: Evaluated) -> None:
        self.windows[name] += evaluated.windows
        self.waiting.note(name, evaluated.waiting_to_ms)
        self.waiting.catching_up.note(name, evaluated.behind)
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

    def _turn_is_over(self, is_enough: Callable[[], bool], ends_s: float) -> bool:
        return is_enough() or self._clock.monotonic_s() >= ends_s

    def save(self) -> None:
        """Write a checkpoint of every model."""
        for evaluation in self._evaluations.values():
            evaluation.save()

    def give_up(self, models: Collection[str]) -> None:
        """Have everything end that fires of models which nobody owns any more."""
        self._evaluations.give_up({*models} - self._watches.keys())

    def watch(self, watches: Mapping[str, Watch], given_up: Collection[str] = ()) -> None:
        """Evaluate these models from the next windows on: those that have changed go on from a checkpoint.

        Of models that nobody owns any more everything ends that fires.

        Raises
        ------
        StoreError
            Everything stays as it was.
        """
        with self._turn:
            changed = [name for name in self._evaluations if watches.get(name) is not self._watches[name]]
            for name in changed:
                self._evaluations[name].save()
            for name in changed:
                del self._evaluations[name]
                self.waiting.catching_up.note(name, None)
            self._watches.replace(watches)
            self.give_up(given_up)
            self.failing.watch(watches)

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Hold the loop with its checkpoints written; afterwards it continues from these."""
        with self._turn:
            self.save()
            self._evaluations.clear()
            yield

    def _load(self) -> None:
        """Have the evaluation of every model at hand, but for those that wait for another try."""
        for name, watch in self._watches.items():
            if name not in self._evaluations and not self.failing.waits(name):
                try:
                    self._evaluations.begin(watch)
                except (StoreError, LeewayError):
                    raise
                except Exception as error:  # noqa: BLE001 -- as above: its checkpoint is of no form that is known
                    self.failing.note(name, error)

    def _note_latency(self, name: str, windows: Iterable[range]) -> None:
        now_ms = self._clock.now_ms()
        lateness_ms = max(source.allowed_lateness for source in self._watches[name].model.spec.watched_sources)
        for ends in windows:
            for end_ms in ends:
                self._on_latency(name, max(0, now_ms - end_ms - lateness_ms) / 1000)
