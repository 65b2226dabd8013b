"""Leeway's own figures, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.fold import ENDED
from monitor.watermark import NEVER

if TYPE_CHECKING:
    from monitor.service import Service

__all__ = ["ServiceMetrics"]


class ServiceMetrics(Collector):
    """Reads the service's counters when it is scraped.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        yield from self._health()
        yield from self._ingest()
        yield from self._evaluate()

    def _health(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("leeway_ready", "1 if /readyz says so, else 0.", value=not self._service.ready())
        waiting = GaugeMetricFamily(
            "leeway_notifications_waiting",
            "Transitions that a receiver has not settled.",
            labels=["receiver"],
        )
        for receiver, count in sorted(self._service.backlog().items()):
            waiting.add_metric([receiver], count)
        yield waiting

    def _ingest(self) -> Iterator[Metric]:
        counters = self._service.counters
        plain = {
            "records": (counters.records, "Messages read."),
            "record_bytes": (counters.bytes, "Bytes of messages read."),
            "events": (counters.events, "Events decoded; one message may be an event of several models."),
            "unmatched_records": (counters.unmatched, "Messages that are no model's."),
            "late_events": (counters.late, "Events for panes that were closed already."),
            "findings": (counters.findings, "Detections of per-event detectors."),
        }
        for name, (value, text) in plain.items():
            yield CounterMetricFamily(f"leeway_{name}", text, value=value)
        problems = CounterMetricFamily(
            "leeway_problems", "Messages or fields that could not be used.", labels=["reason"]
        )
        for reason, count in sorted(counters.reasons.items()):
            problems.add_metric([reason], count)
        yield problems

    def _evaluate(self) -> Iterator[Metric]:
        windows = CounterMetricFamily("leeway_windows_judged", "Windows judged.", labels=["model"])
        alerts = CounterMetricFamily("leeway_alert_transitions", "Transitions of alerts.", labels=["model", "state"])
        for name, count in sorted(self._service.windows.items()):
            windows.add_metric([name], count)
        for (model, state), count in sorted(self._service.transitions.items()):
            alerts.add_metric([model, state], count)
        yield windows
        yield alerts
        closed = GaugeMetricFamily(
            "leeway_closed_seconds", "Event time up to which panes are closed.", labels=["model", "topic", "partition"]
        )
        for (model, topic, partition), closed_ms in sorted(self._service.closed_ms().items()):
            if NEVER < closed_ms < ENDED:
                closed.add_metric([model, topic, str(partition)], closed_ms / 1000)
        yield closed
        age = GaugeMetricFamily("leeway_checkpoint_age_seconds", "Time since the last checkpoint.")
        age.add_metric([], self._service.checkpoint_age_s())
        yield age
