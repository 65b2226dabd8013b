"""Watches for silence, by the clock: one process of a service does so, for all models.

What comes is read from the table ``arrivals``. What was learned of each stream is kept in the table ``freshness``,
and what became of alerts in ``freshness_alerts``: all three speak of the clock, so that no replay writes or compares
them. A silence lasts as long as it was watched: while a partition is not read to its end, or nobody reads it, it does
not grow.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping

import structlog

from detectors.freshness import FLOOR_S
from monitor.clock import Clock
from monitor.config.model import Model
from monitor.freshness.alerts import FreshnessAlerts
from monitor.freshness.follower import Follower, Heard
from monitor.freshness.learned import Learned
from monitor.freshness.streams import Stream, streams_of
from monitor.freshness.unread import UnreadAlerts
from monitor.freshness.wording import Silence
from monitor.ingest.arrivals import Flow
from monitor.ingest.stopwatch import Timer
from sinks.store.contract import Store, StoreError

__all__ = ["Freshness"]

LOOK_EVERY_S, SAVE_EVERY_S = 10.0, 60.0
log = structlog.get_logger("leeway.service")


class Freshness:
    """Alerts about streams that have fallen silent.

    Parameters
    ----------
    store : Store
    clock : Clock
    models : mapping of str to Model
    """

    def __init__(self, store: Store, clock: Clock, models: Mapping[str, Model]) -> None:
        self._store, self._clock = store, clock
        self._follower, self._learned = Follower(store, clock), Learned(store)
        self._next: Mapping[str, Model] | None = None
        self._watch(models)
        self._saves = Timer(clock, SAVE_EVERY_S)
        self._standing: dict[Stream, str] = {}

    def watch(self, models: Mapping[str, Model]) -> None:
        """Watch these models from the next look on. Another thread's to call."""
        self._next = models

    def _watch(self, models: Mapping[str, Model]) -> None:
        self._models = {name: model for name, model in models.items() if model.spec.freshness is not None}
        self._expected_s = {name: _expected_s(model) for name, model in models.items()}
        self._alerts = FreshnessAlerts(self._store, {name: model.metadata for name, model in models.items()})
        self._unread = UnreadAlerts(self._store, self._clock, models)

    def run(
        self,
        stop: threading.Event,
        on_round: Callable[[], None] = lambda: None,
        is_in_turn: Callable[[], bool] = lambda: True,
    ) -> None:
        """Look every ten seconds until ``stop`` is set, or another process does; ``on_round`` comes after each look.

        Raises
        ------
        StoreError
            If the store fails in a way that waiting does not mend.
        """
        while not self._clock.wait(stop, LOOK_EVERY_S):
            if not is_in_turn():
                return
            if self._is_done(self.step):
                on_round()
        self._is_done(lambda: self._learned.save(self._clock.now_ms(), self._standing))

    def step(self) -> None:
        """Look what has come, and write what has become of alerts.

        Raises
        ------
        StoreError
        """
        if (models := self._next) is not None:
            self._next = None
            self._watch(models)
        flows = self._follower.look()
        self._unread.step(flows)
        heard = dict(self._heard(flows))
        firing, now_ms = self._alerts.firing, self._clock.now_ms()
        self._learned.observe(now_ms, heard, firing)
        silences = {silence.stream: silence for silence in self._silences(now_ms)}
        late = {stream: silences[stream] for stream in silences if self._is_late(stream, silences)}
        over = [stream for stream in firing if stream not in silences or not silences[stream].watched_s]
        changed = self._alerts.step(now_ms, late, over)
        firing = self._alerts.firing
        self._standing = {
            stream: _standing(silence, heard[stream], stream in firing) for stream, silence in silences.items()
        }
        if changed or self._saves.is_due:
            self._saves.restart()
            self._learned.save(now_ms, self._standing)

    def _is_done(self, work: Callable[[], None]) -> bool:
        """Do something; return whether the store has answered."""
        try:
            work()
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("the store did not answer", error=str(error))
            return False
        return True

    def _heard(self, heard: Mapping[Flow, Heard]) -> Iterator[tuple[Stream, Heard]]:
        """Yield every stream, and what was heard of it since the last look."""
        flows: dict[str, list[Flow]] = {name: [] for name in self._models}
        for flow in heard:
            if flow.model in flows:
                flows[flow.model].append(flow)
        for name, of_model in flows.items():
            for stream, parts in streams_of(self._models[name].spec, name, of_model).items():
                yield stream, Heard.of(heard[flow] for flow in parts)

    def _silences(self, now_ms: int) -> Iterator[Silence]:
        silences = self._learned.silences(now_ms)
        for i, stream in enumerate(self._learned.streams):
            expect_s = self._expected_s[stream.model] if stream.kind == "model" else None
            age_s, allowed_s = float(silences.age_s[i]), float(silences.allowed_s[i])
            yield Silence(
                stream,
                self._learned.last_ms[stream],
                now_ms,
                watched_s=age_s,
                allowed_s=allowed_s if expect_s is None else expect_s,
                rate=float(silences.rate[i]),
                by_hour=bool(silences.known[i]),
                expect_s=expect_s,
                is_late=bool(silences.late[i]) if expect_s is None else age_s >= expect_s,
            )

    def _is_late(self, stream: Stream, silences: Mapping[Stream, Silence]) -> bool:
        """Whether a stream's silence is too long, and is not that of what it is a part of."""
        if not silences[stream].is_late:
            return False
        parents = [silences[parent] for parent in stream.parents if parent in silences]
        return all(not parent.is_late and parent.watched_s < FLOOR_S / 2 for parent in parents)


def _standing(silence: Silence, heard: Heard, fires: bool) -> str:
    """Return how a stream stands, for people."""
    if fires:
        return "silent"
    if heard.why_unwatched:
        return heard.why_unwatched
    return "fresh" if math.isfinite(silence.allowed_s) and silence.last_ms else "learning"


def _expected_s(model: Model) -> float | None:
    """Within which the configuration expects an event; None if it does not say."""
    freshness = model.spec.freshness
    return None if freshness is None or freshness.expect is None else freshness.expect / 1000
