"""Runs the canary, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.alerts.transition import Transition
from monitor.clock import Clock
from monitor.errors import LeewayError
from monitor.logs import warnings_only
from monitor.replay import Replay
from monitor.self_test.canary import DRIFT_MS, END_MS, MODEL, START_MS, CanarySource, canary, payloads
from sinks.store import open_store
from sinks.store.batch import append
from sinks.store.contract import Query, Store

__all__ = ["SelfTest", "SelfTestError", "SelfTestMetrics", "SelfTestResult"]

EVERY_MS = 900_000
BATCH = 500
"""Events taken at a time: as few as come in a second or two."""


class SelfTestError(LeewayError):
    """A drift was not found that had to be, or the store did not keep a row."""


@dataclass(frozen=True)
class SelfTestResult:
    """What came of one run.

    Attributes
    ----------
    at_ms : int
        When it began.
    delay_ms : int or None
        In event time, from the first drifted event until the end of the window that alarmed; None if none did.
    latency_s : float or None
        From when the first drifted event was read until the alert was written.
    false_alarms : int
        Alerts that fired before the drift.
    events : int
    run_s : float
        How long all of it took.
    store_s : float or None
        How long the service's own store took to keep a row, and to give it back; None if it has not.
    failure : str
        The kind of the error that ended the run; empty if none did.
    """

    at_ms: int
    delay_ms: int | None
    latency_s: float | None
    false_alarms: int
    events: int
    run_s: float
    store_s: float | None = None
    failure: str = ""


class SelfTest:
    """Has the canary's events decoded, folded, written, evaluated and alerted about, in a store of its own in memory.

    Nobody is notified of its alerts, and no row of it stands beside people's. The service's own store is asked to keep
    one row, which replaces that of the run before.

    Attributes
    ----------
    result : SelfTestResult or None
        What came of the last run.
    runs, false_alarms : int
        So many since the process started.
    """

    def __init__(self) -> None:
        self.result: SelfTestResult | None = None
        self.runs = self.false_alarms = 0

    @staticmethod
    def of(store: Store) -> SelfTest:
        """Return that of the process that has a store open."""
        return _BY_STORE.setdefault(store, SelfTest())

    def run(self, store: Store, clock: Clock) -> None:
        """Run it once; `store` is the service's.

        Raises
        ------
        SelfTestError
            The drift was not found.
        StoreError
        """
        at_ms, began_s = clock.now_ms(), clock.monotonic_s()
        try:
            self.result = _detected(at_ms, clock)
        except Exception as error:
            self.result = SelfTestResult(
                at_ms, None, None, 0, 0, clock.monotonic_s() - began_s, failure=type(error).__name__
            )
            raise
        finally:
            self.runs += 1
        self.false_alarms += self.result.false_alarms
        if self.result.delay_ms is None:
            raise SelfTestError("the canary's drift was not found")
        self.result = replace(self.result, store_s=_asked_store(store, clock, at_ms))

    def document(self) -> dict[str, Any] | None:
        """Return what came of the last run, for people."""
        return None if self.result is None else {**asdict(self.result), "runs": self.runs}

    def holding(self) -> dict[str, str]:
        """Return what people should know of it."""
        if self.result is None or self.result.delay_ms is not None:
            return {}
        hours = (END_MS - DRIFT_MS) // 3_600_000
        finding = (
            f"the self-test failed with {self.result.failure}, and the log of the process says more"
            if self.result.failure
            else f"a drift of two deviations that lasts {hours} h was not found in the self-test"
        )
        return {
            "detection": f"Leeway does not detect: {finding}. Alerts of models may be missing; restart the process that"
            " evaluates, and compare its version with the one before"
        }

    def is_over(self, part: str) -> bool:
        """Whether what an earlier process left is over: whoever has not run the self-test yet does not know."""
        return self.result is not None


def _detected(at_ms: int, clock: Clock) -> SelfTestResult:
    """Run the canary through all stages, and return what came of it."""
    began_s = clock.monotonic_s()
    source = _Watched(payloads(at_ms // EVERY_MS), clock)
    fired: list[tuple[int, float]] = []

    def note(transition: Transition) -> None:
        if transition.state == "firing":
            fired.append((transition.at_ms, clock.monotonic_s()))

    with warnings_only():
        replayed = Replay(canary(), open_store("memory"), source).run(BATCH, on_transition=note)
    detections = [(alert_ms, alert_s) for alert_ms, alert_s in fired if alert_ms > DRIFT_MS]
    first_ms, first_s = detections[0] if detections else (None, None)
    return SelfTestResult(
        at_ms,
        None if first_ms is None else first_ms - DRIFT_MS,
        None if first_s is None or source.drift_read_s is None else first_s - source.drift_read_s,
        len(fired) - len(detections),
        replayed.counters.events,
        clock.monotonic_s() - began_s,
    )


def _asked_store(store: Store, clock: Clock, at_ms: int) -> float:
    began_s = clock.monotonic_s()
    append(store, "pulses", {"stage": [MODEL], "number": [at_ms]})
    if not len(store.read(Query("pulses", {"stage": MODEL}))["number"]):
        raise SelfTestError("the store does not give back a row that it has taken")
    return clock.monotonic_s() - began_s


class _Watched(CanarySource):
    """Notes when the first drifted event was read."""

    def __init__(self, payloads: list[bytes], clock: Clock) -> None:
        super().__init__(payloads)
        self._clock = clock
        self.drift_read_s: float | None = None
        self._drift_at = len(payloads) * (DRIFT_MS - START_MS) // (END_MS - START_MS)

    def poll(self, max_records: int, timeout_s: float) -> Any:
        polled = super().poll(max_records, timeout_s)
        if self.drift_read_s is None and self._next > self._drift_at:
            self.drift_read_s = self._clock.monotonic_s()
        return polled


class SelfTestMetrics(Collector):
    """What came of the self-test.

    Parameters
    ----------
    self_test : SelfTest
    """

    def __init__(self, self_test: SelfTest) -> None:
        self._self_test = self_test

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        result = self._self_test.result
        detects = None if result is None else float(result.delay_ms is not None)
        delay_s = None if result is None or result.delay_ms is None else result.delay_ms / 1000
        values: dict[str, tuple[str, float | None]] = {
            "detects": ("1 if the last self-test found its drift, else 0.", detects),
            "delay_seconds": ("Event time until the drift was found.", delay_s),
            "latency_seconds": (
                "Time from reading the drift to its alert.",
                None if result is None else result.latency_s,
            ),
            "store_seconds": ("Time until the store gave back a row.", None if result is None else result.store_s),
        }
        for name, (text, value) in values.items():
            family = GaugeMetricFamily(f"leeway_self_test_{name}", text)
            if value is not None:
                family.add_metric([], value)
            yield family
        text = "Alerts of self-tests before their drift."
        yield CounterMetricFamily("leeway_self_test_false_alarms", text, value=self._self_test.false_alarms)
        yield CounterMetricFamily("leeway_self_test_runs", "Self-tests that ended.", value=self._self_test.runs)


_BY_STORE: WeakKeyDictionary[Store, SelfTest] = WeakKeyDictionary()
