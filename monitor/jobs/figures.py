"""What jobs count, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.clock import Clock

if TYPE_CHECKING:
    from monitor.jobs.schedule import Jobs

__all__ = ["JobMetrics"]


class JobMetrics(Collector):
    """How the jobs of a process fare.

    Parameters
    ----------
    jobs : callable
        Returns them; None before the process has started.
    clock : Clock
    """

    def __init__(self, jobs: Callable[[], Jobs | None], clock: Clock) -> None:
        self._jobs, self._clock = jobs, clock

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        runs = CounterMetricFamily("leeway_job_runs", "Runs of a job that have ended.", labels=["job", "outcome"])
        failing = GaugeMetricFamily("leeway_job_failures", "Runs that have failed in a row.", labels=["job"])
        running = GaugeMetricFamily("leeway_job_running_seconds", "Age of the run that goes on.", labels=["job"])
        done = GaugeMetricFamily("leeway_job_done_seconds", "When a run was last done.", labels=["job"])
        paused = GaugeMetricFamily("leeway_job_paused", "1 while a job is paused, else 0.", labels=["job"])
        jobs, now_ms = self._jobs(), self._clock.now_ms()
        for name, state in (jobs.states if jobs is not None else {}).items():
            run = state.running
            for outcome, count in state.counts.items():
                runs.add_metric([name, outcome], count)
            failing.add_metric([name], state.failures)
            running.add_metric([name], 0 if run is None else (now_ms - run.started_ms) / 1000)
            if state.done_ms:
                done.add_metric([name], state.done_ms / 1000)
            paused.add_metric([name], jobs is not None and name in jobs.pauses)
        return [runs, failing, running, done, paused]
