"""How many events of each namespace are read, what its quotas are, and what it has of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.clock import Clock
from monitor.config.quotas import Quota, series_of
from monitor.ingest.arrivals import Flow
from monitor.watch import Watch

__all__ = ["EventRates"]

OVER_S, EVERY_S = 300.0, 10.0
"""Rates are averages over so long, taken so often."""


class EventRates(Collector):
    """Counts what one process reads. Nothing is dropped for it: rows depend on the log alone.

    Parameters
    ----------
    quotas : mapping of str to Quota
        By namespace.
    watches : mapping of str to Watch
        By model.
    read : callable
        Returns how many events were read of each flow.
    clock : Clock
    """

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        watches: Mapping[str, Watch],
        read: Callable[[], Mapping[Flow, int]],
        clock: Clock,
    ) -> None:
        self._quotas, self._watches, self._read, self._clock = quotas, watches, read, clock
        self._flows: Mapping[Flow, int] = {}
        self._events: Counter[str] = Counter()
        self._looks: deque[tuple[float, Counter[str]]] = deque()

    def holding(self) -> dict[str, str] | None:
        """Look how much was read, and return what people should know, by namespace; None as long as nobody knows."""
        self._count()
        now_s = self._clock.monotonic_s()
        if not self._looks or now_s - self._looks[-1][0] >= EVERY_S:
            self._looks.append((now_s, self._events.copy()))
        while len(self._looks) > 1 and now_s - self._looks[1][0] >= OVER_S:
            self._looks.popleft()
        began_s, counted = self._looks[0]
        if now_s - began_s < OVER_S:
            return None
        rates = {name: (self._events[name] - counted[name]) / (now_s - began_s) for name in self._quotas}
        return {
            name: _sentence(name, rates[name], quota.events_per_s)
            for name, quota in self._quotas.items()
            if quota.events_per_s is not None and rates[name] > quota.events_per_s
        }

    def _count(self) -> None:
        flows, events = self._read(), self._events.copy()
        for flow, count in flows.items():
            former = self._flows.get(flow, 0)
            if (watch := self._watches.get(flow.model)) is not None:
                # A partition that is begun again is counted from 0.
                events[watch.model.metadata.namespace] += count - former if count >= former else count
        self._flows, self._events = flows, events

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        yield from self._collect()

    def _collect(self) -> Iterator[Metric]:
        text = "How much a namespace may have."
        limits = GaugeMetricFamily("leeway_quota", text, labels=["namespace", "quota"])
        text = "How much a namespace has of what it may."
        uses = GaugeMetricFamily("leeway_quota_use", text, labels=["namespace", "quota"])
        for namespace, quota in sorted(self._quotas.items()):
            for name, limit in quota:
                if limit is not None:
                    limits.add_metric([namespace, name], limit)
            models = [each.model for _, each in self._watches.items() if each.model.metadata.namespace == namespace]
            uses.add_metric([namespace, "models"], len(models))
            uses.add_metric([namespace, "series"], sum(map(series_of, models)))
        events = CounterMetricFamily("leeway_namespace_events", "Events read of a namespace.", labels=["namespace"])
        for namespace, count in sorted(self._events.items()):
            events.add_metric([namespace], count)
        yield from (limits, uses, events)


def _sentence(namespace: str, rate: float, limit: float) -> str:
    return (
        f"{namespace}: {rate:,.0f} events a second were read in the last {OVER_S / 60:.0f} minutes, and it may have"
        f" {limit:,.0f} (`spec.quotas`). All of them are read, and windows of others may wait for that. Have fewer"
        f" sent, or raise quotas.{namespace}.events_per_s"
    )
