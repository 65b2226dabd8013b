"""Leeway's own figures, for Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.alerts.store_damage import StoreDamage
from monitor.clock import Clock
from monitor.delivery.reception import Reception
from monitor.evaluate.failing_models import FailingModels, failing_stages
from monitor.evaluate.loop import EvaluateLoop
from monitor.evaluate.realised import RealisedAlerts
from monitor.events import ENDED
from monitor.ingest.intake import Intake
from monitor.ingest.watermark import NEVER
from monitor.threads import Threads
from sinks.store.contract import Query, Store, StoreError

__all__ = ["SCORE_BUCKETS_S", "ServiceMetrics", "StageMetrics", "StoreFigures", "score_latency"]

SCORE_BUCKETS_S = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
STORE_WAIT_S = 1.0
log = structlog.get_logger("leeway.metrics")


def score_latency(registry: CollectorRegistry) -> Histogram:
    """Make the histogram of how long scores took from the moment at which their window could be complete.

    That moment is the window's end and the longest `allowed_lateness` of the model's sources: before it, no record can
    be known to have been the last. It ends when the scores are stored.
    """
    text = "Time from when a window could be complete until its scores were stored."
    return Histogram("leeway_score_latency_seconds", text, ["model"], buckets=SCORE_BUCKETS_S, registry=registry)


class ServiceMetrics(Collector):
    """Reads the counters of a process's stages when it is scraped.

    Parameters
    ----------
    intake : Intake
    loop : EvaluateLoop
    figures : StoreFigures
    unready : callable
        Returns why the service is not ready; nothing when it is.
    notifications : three callables
        Return how many notifications wait, and how many were delivered without all of their pictures, by receiver; and
        how many posts have reminded receivers of what fires, by receiver and outcome.
    reception : Reception
    """

    def __init__(
        self,
        intake: Intake,
        loop: EvaluateLoop,
        figures: StoreFigures,
        unready: Callable[[], list[str]],
        notifications: tuple[
            Callable[[], Mapping[str, int]],
            Callable[[], Mapping[str, int]],
            Callable[[], Mapping[tuple[str, str], int]],
        ],
        reception: Reception,
    ) -> None:
        self._intake, self._loop, self._figures, self._reception = intake, loop, figures, reception
        self._unready, (self._backlog, self._incomplete, self._reminders) = unready, notifications

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        yield from self._health()
        yield from self._outcomes()
        yield from self._work()
        yield from self._positions()
        yield from self._sent()
        yield from self._evaluate()
        yield from self._figures.collect()

    def _health(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("leeway_ready", "1 if /readyz says so, else 0.", value=not self._unready())
        waiting = GaugeMetricFamily(
            "leeway_notifications_waiting",
            "Transitions that a receiver has not settled.",
            labels=["receiver"],
        )
        for receiver, count in sorted(self._backlog().items()):
            waiting.add_metric([receiver], count)
        yield waiting
        yield from self._received()
        text = "Notifications that were delivered without all of their pictures."
        yield _by("leeway_notifications_incomplete", text, "receiver", self._incomplete())
        reminders = CounterMetricFamily(
            "leeway_reminders",
            "Posts of firing alerts to receivers that forget them.",
            labels=["receiver", "outcome"],
        )
        for names, count in sorted(self._reminders().items()):
            reminders.add_metric(names, count)
        yield reminders

    def _received(self) -> Iterator[Metric]:
        labels = ["receiver", "outcome"]
        settled = CounterMetricFamily("leeway_notifications", "Notifications, by what became of them.", labels=labels)
        for names, count in sorted(self._reception.counts.copy().items()):
            settled.add_metric(names, count)
        text = "1 from a failure of a receiver until it takes a notification, else 0."
        gauge = GaugeMetricFamily("leeway_receiver_failing", text, labels=["receiver"])
        failing = self._reception.failing
        for receiver in self._reception.receivers:
            gauge.add_metric([receiver], receiver in failing)
        text = "Addresses of subscriptions that have taken nothing since they failed."
        subscribers = GaugeMetricFamily("leeway_subscriptions_failing", text)
        subscribers.add_metric([], self._reception.failing_subscribers)
        yield from (settled, gauge, subscribers)

    def _outcomes(self) -> Iterator[Metric]:
        counters = self._intake.counters
        plain = {
            "records": (counters.records, "Messages read."),
            "record_bytes": (counters.bytes, "Bytes of messages read."),
            "events": (counters.events, "Events decoded; one message may be an event of several models."),
            "labels": (counters.labels, "Labels decoded."),
            "rejected": (counters.rejected, "Messages that count nowhere, once for each model that rejects them."),
            "kept": (counters.kept, "Messages that count but for a field, or came late: once for each problem."),
            "unmatched_records": (counters.unmatched, "Messages that are no model's."),
            "unregistered_records": (counters.unregistered, "Messages that name a model which is not watched."),
            "late_events": (counters.late, "Events for panes that were closed already."),
            "findings": (counters.findings, "Detections of per-event detectors."),
        }
        for name, (value, text) in plain.items():
            yield CounterMetricFamily(f"leeway_{name}", text, value=value)
        beyond = GaugeMetricFamily(
            "leeway_models_beyond_room",
            "Names of models that have appeared and are not watched, since others have taken all places.",
            labels=["template"],
        )
        for template, names in sorted(self._intake.beyond_room().items()):
            beyond.add_metric([template], len(names))
        yield beyond
        yield _by("leeway_problems", "Messages or fields that could not be used.", "reason", counters.reasons)
        yield _by("leeway_rejected_bytes", "Bytes of messages that were rejected.", "reason", counters.rejected_bytes)

    def _work(self) -> Iterator[Metric]:
        counters, workers = self._intake.counters, self._intake.workers
        yield _by("leeway_ingest_seconds", "Time that ingest took, by what it did.", "step", counters.seconds)
        ways = {way: sum(worker.decoded[way] for worker in workers) for way in ("scanned", "parsed")}
        yield _by("leeway_decoded_records", "Messages decoded many at a time, and one by one.", "way", ways)
        yield _by("leeway_partition_changes", "How often partitions changed hands.", "change", counters.changes)
        yield _by("leeway_read_failures", "How often reading started again.", "cause", counters.failures)
        paused, assigned = (dict.fromkeys([worker.name for worker in workers], 0.0) for _ in range(2))
        for worker in workers:
            paused[worker.name] += worker.paused_s
            assigned[worker.name] += len(worker.status.assigned)
        yield _by("leeway_paused_seconds", "Time for which partitions were paused.", "source", paused)
        held = GaugeMetricFamily("leeway_partitions_assigned", "Partitions that are read here.", labels=["source"])
        for source, count in sorted(assigned.items()):
            held.add_metric([source], count)
        yield held
        foreign = GaugeMetricFamily(
            "leeway_foreign_group_members", "Members of the group that do not share the store.", labels=["group"]
        )
        if self._intake.members is not None and self._intake.members.count is not None:
            foreign.add_metric([self._intake.group], self._intake.members.count)
        yield foreign
        retries = self._figures.retries
        yield CounterMetricFamily("leeway_store_retries", "Calls of the store that were tried again.", value=retries)
        yield CounterMetricFamily(
            "leeway_schema_registry_failures",
            "Requests that a schema registry did not answer as it should.",
            value=self._intake.registry_failures,
        )

    def _positions(self) -> Iterator[Metric]:
        labels = ["topic", "partition", "at"]
        records = GaugeMetricFamily("leeway_lag_records", "Offsets from a position to the end.", labels=labels)
        seconds = GaugeMetricFamily("leeway_lag_seconds", "Age of the last record before a position.", labels=labels)
        ages = GaugeMetricFamily(
            "leeway_checkpoint_age_seconds", "Time since the checkpoint was current.", labels=labels[:2]
        )
        for worker in self._intake.workers:
            for lag in worker.lags():
                at = [lag.partition[0], str(lag.partition[1]), lag.at]
                records.add_metric(at, lag.records)
                if lag.seconds is not None:
                    seconds.add_metric(at, lag.seconds)
            for (topic, partition), age_s in sorted(worker.checkpoint_ages_s().items()):
                ages.add_metric([topic, str(partition)], age_s)
        yield from (records, seconds, ages)
        text = "Partitions that are read under a model's former configuration."
        counts = {model: len(partitions) for model, partitions in self._intake.catching_up().items()}
        catching_up = GaugeMetricFamily("leeway_partitions_catching_up", text, labels=["model"])
        for model, count in counts.items():
            catching_up.add_metric([model], count)
        yield catching_up
        late = GaugeMetricFamily(
            "leeway_late_share",
            "Late events by all events of the last ten minutes.",
            labels=["model", "topic", "partition"],
        )
        for share in self._intake.late_shares():
            late.add_metric([share.model, share.partition[0], str(share.partition[1])], share.share)
        yield late

    def _sent(self) -> Iterator[Metric]:
        sent = self._intake.dead_letters_sent()
        counts = {topic: count for topic, (count, _) in sent.items()}
        sizes = {topic: size_bytes for topic, (_, size_bytes) in sent.items()}
        yield _by("leeway_dead_letters_sent", "Messages that a topic of dead letters has taken.", "topic", counts)
        yield _by("leeway_dead_letter_sent_bytes", "Bytes of those messages.", "topic", sizes)

    def _evaluate(self) -> Iterator[Metric]:
        windows = CounterMetricFamily("leeway_windows_judged", "Windows evaluated.", labels=["model"])
        alerts = CounterMetricFamily("leeway_alert_transitions", "Transitions of alerts.", labels=["model", "state"])
        for name, count in sorted(self._loop.windows.items()):
            windows.add_metric([name], count)
        for (model, state), count in sorted(self._loop.transitions.items()):
            alerts.add_metric([model, state], count)
        yield windows
        yield alerts
        text = "Events of versions that are too many to be told apart."
        yield _by("leeway_other_version_events", text, "model", self._loop.crowding.other.copy())


class StoreFigures:
    """What comes from the store, as it was when the store last answered.

    Somebody who asks has it read anew, in a thread of its own, and waits no longer than :data:`STORE_WAIT_S`: a scrape
    tells most when the store is slow.

    Parameters
    ----------
    store : Store
    realised : RealisedAlerts
    clock : Clock
    """

    def __init__(self, store: Store, realised: RealisedAlerts, clock: Clock) -> None:
        self._store, self._realised, self._clock = store, realised, clock
        self._turn = threading.Lock()
        self._reading: threading.Thread | None = None
        self._newest: tuple[Metric, ...] = ()
        self._read_s: float | None = None

    @property
    def retries(self) -> int:
        """Calls of the store that were tried again; only a store behind a wire has any."""
        return int(getattr(self._store, "retries", 0))

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, and how old they are; nothing before the store has answered once."""
        with self._turn:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read, name="store-figures", daemon=True)
                self._reading.start()
            reading = self._reading
        reading.join(STORE_WAIT_S)
        yield from self._newest
        if self._read_s is not None:
            age_s = self._clock.monotonic_s() - self._read_s
            yield GaugeMetricFamily("leeway_store_figures_age_seconds", "Age of what the store told.", value=age_s)

    def _read(self) -> None:
        began_s = self._clock.monotonic_s()
        try:
            self._newest = (self._closed(), *self._against_stated())
        except StoreError as error:
            log.warning("figures from the store are not renewed", error=str(error))
            return
        self._read_s = began_s

    def _closed(self) -> Metric:
        closed = GaugeMetricFamily(
            "leeway_closed_seconds", "Event time up to which panes are closed.", labels=["model", "topic", "partition"]
        )
        for (model, topic, partition), closed_ms in sorted(self._closed_ms().items()):
            if NEVER < closed_ms < ENDED:
                closed.add_metric([model, topic, str(partition)], closed_ms / 1000)
        return closed

    def _against_stated(self) -> Iterator[Metric]:
        since = GaugeMetricFamily(
            "leeway_protects_since_seconds", "Start of the first window that could have alarmed.", labels=["model"]
        )
        fired = GaugeMetricFamily("leeway_alerts_fired", "Alerts that fired since then.", labels=["model"])
        accepted = GaugeMetricFamily(
            "leeway_false_alarms_accepted", "False alarms that the configuration accepts since then.", labels=["model"]
        )
        for realised in self._realised.read():
            since.add_metric([realised.model], realised.since_ms / 1000)
            fired.add_metric([realised.model], realised.fired)
            accepted.add_metric([realised.model], realised.accepted)
        yield from (since, fired, accepted)

    def _closed_ms(self) -> dict[tuple[str, str, int], int]:
        """Up to where each partition's panes are closed, by model, topic and partition."""
        rows = self._store.read(Query("progress"))
        keys = zip(rows["model"], rows["topic"], rows["partition"].tolist(), strict=True)
        return dict(zip(keys, rows["closed_ms"].tolist(), strict=True))


class StageMetrics(Collector):
    """How the stages of a process fare.

    Parameters
    ----------
    threads : Threads
    models : FailingModels
        Whose evaluation counts as a stage of its own.
    unusable : mapping of str to int
        Stored rows that were passed over, by table.
    damage : StoreDamage
    """

    def __init__(
        self, threads: Threads, models: FailingModels, unusable: Mapping[str, int], damage: StoreDamage
    ) -> None:
        self._threads, self._models, self._unusable, self._damage = threads, models, unusable, damage

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        failing = GaugeMetricFamily("leeway_stage_failing", "1 while a stage fails, else 0.", labels=["stage"])
        fail = failing_stages(self._threads, self._models)
        for name in (*self._threads.names, *self._models.stages):
            failing.add_metric([name], name in fail)
        yield failing
        failures = {self._models.stage_of(model): count for model, count in self._models.failures.items()}
        failures |= self._threads.failures
        yield _by("leeway_stage_failures", "How often a stage failed.", "stage", failures)
        yield _by("leeway_unusable_rows", "Stored rows that were passed over.", "table", dict(self._unusable))
        set_aside = GaugeMetricFamily(
            "leeway_store_parts_set_aside", "Parts of tables that the store could not read.", labels=["table"]
        )
        for table, count in sorted((self._damage.parts or {}).items()):
            set_aside.add_metric([table], count)
        yield set_aside


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
