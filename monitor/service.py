"""Builds everything from the configuration; the only place that wires.

A thread per source reads, folds and writes checkpoints; one thread evaluates; the alert stage has its own; the API is
served by the caller's thread. The stages talk through the store alone, so that each may end anywhere and go on, and
may run in one process or in several, by the roles of each.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from monitor.alerts.own import MODEL as OWN
from monitor.alerts.own import OwnAlerts
from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.alerting import Alerting
from monitor.config.lifetimes import lifetimes
from monitor.config.model import SourceSpec
from monitor.config.roles import ROLES
from monitor.decoders import Schemas
from monitor.delivery.target import Target
from monitor.erasure.erase import Erased, Request, erase
from monitor.erasure.erased import ErasureList
from monitor.errors import InputError, SourceError
from monitor.evaluate.evaluate import Evaluation, read_closed
from monitor.evaluate.horizon import horizon, standing
from monitor.ingest.counters import Counters
from monitor.ingest.dead_letters import DeadLetters, routes_of
from monitor.ingest.ingest import Ingest
from monitor.ingest.partitions import Partitions
from monitor.ingest.worker import Worker
from monitor.jobs import start_jobs
from monitor.memory import collect_rarely, keep_freed
from monitor.messages import Outlet, Place
from monitor.metrics import ServiceMetrics, score_latency
from monitor.pictures.pictures import Pictures
from monitor.retries import Lookup, Retried, Retries
from monitor.routing.incident_labels import IncidentNames, groups_by_incident
from monitor.routing.inhibition import Rule
from monitor.routing.notify import Notifier
from monitor.routing.posted import MODEL as POSTED
from monitor.routing.router import Plan, Router
from monitor.routing.routes import Route, RouteOptions
from monitor.routing.subscriptions import Subscription
from monitor.sources import source_class
from monitor.sources.contract import Source
from monitor.subscribers import entries_of, reached
from monitor.watch import compile_watch
from sinks.receivers import build
from sinks.receivers.contract import Receiver
from sinks.store import open_store
from sinks.store.contract import Query, Store, StoreError
from sinks.store.retention import retain

__all__ = ["Service", "bounded_source", "open_http_log", "sources"]

EVALUATE_EVERY_S = 0.5
RETRY_S = 2.0
TABLES_WITHIN_S = 60.0
log = structlog.get_logger("leeway.service")


class Service:
    """Everything that one process runs.

    Parameters
    ----------
    configuration : Configuration
    clock : Clock
    store : Store or None
        Opened from the configuration if None.
    roles : collection of str
        Of :data:`monitor.config.roles.ROLES`: which stages run here. The process that evaluates makes and upgrades the
        tables; others wait for that.

    Raises
    ------
    InputError, StoreError, SourceError
        If something that the configuration names cannot be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        clock: Clock,
        store: Store | None = None,
        roles: Collection[str] = tuple(ROLES),
    ) -> None:
        self.configuration, self.clock, self.roles = configuration, clock, frozenset(roles)
        self.watches = {name: compile_watch(configuration, name) for name in configuration.models}
        spec = configuration.service.spec
        self.store = store if store is not None else open_store(spec.store.kind, **spec.store.settings())
        self._make_tables()
        self.metrics = CollectorRegistry()
        self.windows: Counter[str] = Counter()
        self.transitions: Counter[tuple[str, str]] = Counter()
        self._latency = score_latency(self.metrics)
        self._http_log = self._open_http_log() if self._streams() and "ingest" in self.roles else None
        self._erasures = ErasureList(self.store)
        self._evaluating, self._erasing = threading.Lock(), threading.Lock()
        self._evaluations = self._load_evaluations() if "evaluate" in self.roles else {}
        self._notifiers = self._build_notifiers() if "alert" in self.roles else []
        self._schemas = Schemas.of(configuration)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._letters: list[DeadLetters] = []
        opened = sources(configuration, self._http_log) if "ingest" in self.roles else ()
        self._workers = [self._worker(source) for source in opened]
        self._threads: list[threading.Thread] = []
        self._jobs: Any = None
        self.metrics.register(ServiceMetrics(self))

    def _make_tables(self) -> None:
        """Make or upgrade the tables: two processes that did so at once would get in each other's way."""
        if "evaluate" in self.roles:
            self.store.migrate()
            changes = retain(self.store, lifetimes(self.configuration))
            for change in (change for change in changes if change.before):  # a new store has none before
                log.info("lifetime changed", table=change.table, before=change.before, after=change.after)
            if given := [change.table for change in changes if not change.before]:
                log.info("rows of these tables have a lifetime from now on", tables=given)
            return
        until_s = self.clock.monotonic_s() + TABLES_WITHIN_S
        while not self.store.is_current():
            if self.clock.monotonic_s() > until_s:
                raise StoreError("the store lacks tables: start the process that evaluates, which makes them")
            log.info("waiting for the process that evaluates to make the tables")
            self.clock.wait(threading.Event(), RETRY_S)

    # -- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every stage of the process's roles."""
        keep_freed()
        collect_rarely()
        for notifier in self._notifiers:
            notifier.open()
        for worker in self._workers:
            self._spawn(f"ingest-{worker.name}", partial(_ingest, worker))
        if "evaluate" in self.roles:
            self._spawn("evaluate", self._evaluate)
        for notifier in self._notifiers:
            self._spawn("alert", partial(notifier.run, self._stop))
        self._jobs = start_jobs(self)
        log.info(
            "started",
            roles=[role for role in ROLES if role in self.roles],
            models=sorted(self.watches),
            sources=[worker.name for worker in self._workers],
        )

    def stop(self) -> None:
        """Stop every stage, write checkpoints, close the store. What was acknowledged is kept."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._jobs is not None:
            self._jobs.shutdown(wait=True)
        try:
            if self._failure is None:
                self._save_evaluations()
        finally:
            for letters in self._letters:
                letters.close()
            for notifier in self._notifiers:
                notifier.close()
            if self._http_log is not None:
                self._http_log.close()
            self._schemas.close()
            self.store.close()
        log.info("stopped")

    def wait(self) -> None:
        """Wait until the service is stopped or fails.

        Raises
        ------
        Exception
            Whatever a stage failed with.
        """
        self._stop.wait()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what a stage failed with, if one did."""
        if self._failure is not None:
            raise self._failure

    @property
    def stopping(self) -> threading.Event:
        """Set when the service stops, by itself or not."""
        return self._stop

    def _spawn(self, name: str, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 -- a stage that fails stops the service, which raises the error
                log.error("a stage failed", stage=name, error=str(error))
                self._failure = self._failure or error
                self._stop.set()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    # -- stages ------------------------------------------------------------------------------------------------

    def _worker(self, source: Source) -> Worker:
        spec = self.configuration.service.spec
        ingest = Ingest(
            self.watches.values(),
            self.store,
            source,
            Counters(),
            self._erasures,
            self._letters_of(source),
            self._schemas,
            self.clock,
        )
        return Worker(
            ingest,
            source,
            Partitions(self.store),
            OwnAlerts(self.store, self.clock),
            self.clock,
            self._stop,
            checkpoint_every_s=spec.checkpoint_every / 1000,
            idle_after_s=spec.idle_after / 1000,
        )

    def _letters_of(self, source: Source) -> DeadLetters | None:
        routes = routes_of(self.configuration.service, self.configuration.models.values())
        if not routes or not isinstance(source, source_class("kafka")):
            return None
        self._letters.append(DeadLetters(routes, open_outlet(self.configuration)))
        return self._letters[-1]

    def _evaluate(self) -> None:
        last_saved_s = self.clock.monotonic_s()
        every_s = self.configuration.service.spec.checkpoint_every / 1000
        while not self.clock.wait(self._stop, EVALUATE_EVERY_S):
            try:
                with self._evaluating:
                    if not self._evaluations:
                        self._evaluations = self._load_evaluations()
                    self.evaluate_now()
                    if self.clock.monotonic_s() - last_saved_s >= every_s:
                        last_saved_s = self.clock.monotonic_s()
                        self._save_evaluations()
            except StoreError as error:
                if not error.retryable:
                    raise
                # What is in memory may be ahead of the store: the same windows are judged again, from the checkpoint.
                self._evaluations = {}
                log.warning("the store does not answer; trying again", error=str(error))
                self.clock.wait(self._stop, RETRY_S)

    def _save_evaluations(self) -> None:
        for evaluation in self._evaluations.values():
            evaluation.save()

    def _load_evaluations(self) -> dict[str, Evaluation]:
        return {name: Evaluation(watch, self.store) for name, watch in self.watches.items()}

    def evaluate_now(self) -> None:
        """Judge every window that is complete by now, of the models whose sources are all known."""
        standings = standing(self.store)
        horizons = {name: horizon(standings, self.watches[name].model.spec) for name in self._evaluations}
        known = {name: waited_for for name, waited_for in horizons.items() if waited_for is not None}
        closed = read_closed(self.store, known)
        for name, waited_for in known.items():
            evaluated = self._evaluations[name].advance(waited_for, closed[name])
            self.windows[name] += evaluated.windows
            self._note_latency(name, evaluated.ends)
            for transition in evaluated.transitions:
                self.transitions[name, transition.state] += 1

    def _note_latency(self, name: str, windows: Iterable[range]) -> None:
        """Count how long after the moment at which they could be complete windows had their scores."""
        now_ms = self.clock.now_ms()
        lateness_ms = max(source.allowed_lateness for source in self.watches[name].model.spec.watched_sources)
        for ends in windows:
            for end_ms in ends:
                self._latency.labels(name).observe(max(0, now_ms - end_ms - lateness_ms) / 1000)

    def _build_notifiers(self) -> list[Notifier | Router]:
        """What tells people: by routes, or without them one that tells every receiver, and one for subscriptions."""
        spec = self.configuration.service.spec
        try:
            receivers = [self._receiver(receiver.settings()) for receiver in spec.receivers]
        except ValueError as error:
            raise InputError(str(error)) from error
        models = [OWN, *self.watches]
        if spec.alerting is not None:
            named = {Target(receiver.name, 0, receiver.send_resolved): receiver for receiver in receivers}
            for digest in spec.alerting.leeway.digests:
                entries = entries_of(spec, digest.name)
                named |= {target: self._receiver(settings) for target, settings in entries.items()}
            plan = _plan(spec.alerting, named, self._reached)
            if groups_by_incident(plan.root):
                names = IncidentNames(self.store, self.configuration.models, spec.incidents.reach)
                plan = replace(plan, incidents=names)
            return [Router(self.store, plan, self.clock, spec.external_url, [*models, POSTED])]
        subscribed = Plan(Route(RouteOptions()), {}, reached=self._reached)
        return [
            Notifier(self.store, receivers, self.clock, spec.external_url, models),
            Router(self.store, subscribed, self.clock, spec.external_url, models),
        ]

    def _reached(self, subscription: Subscription) -> dict[Target, Callable[[], Receiver]]:
        found = reached(self.configuration.service.spec, subscription)
        return {target: partial(self._receiver, settings) for target, settings in found.items()}

    def _receiver(self, settings: Mapping[str, Any]) -> Receiver:
        return build(dict(settings) | self._connection(settings["kind"]))

    def _connection(self, kind: str) -> dict[str, Any]:
        """What a receiver is given of the service: what mails show, and the cluster for its topic."""
        if kind == "email":
            return {"draw": Pictures(self.store, self.watches)}
        if kind != "kafka":
            return {}
        from monitor.sources.kafka.outlet import producer

        return {"connect": partial(producer, self.configuration.service.spec.kafka)}

    # -- what the API asks -------------------------------------------------------------------------------------

    def ready(self) -> list[str]:
        """Why the service is not ready for traffic; empty when it is."""
        reasons = [
            f"source {worker.name} is not open yet{worker.trouble}" for worker in self._workers if not worker.opened
        ]
        if self._stop.is_set():
            reasons.append(f"the service has stopped: {self._failure}" if self._failure else "the service is stopping")
        return reasons

    def status(self) -> dict[str, Any]:
        """What the service is doing, for people."""
        counters = self.counters
        return {
            "roles": [role for role in ROLES if role in self.roles],
            "models": sorted(self.watches),
            "sources": [worker.name for worker in self._workers],
            "records": counters.records,
            "events": counters.events,
            "rejected": counters.rejected,
            "late": counters.late,
            "windows": dict(self.windows),
            "checkpoint_age_s": round(self.checkpoint_age_s(), 3),
        }

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        """Append messages to an HTTP stream, durably."""
        if self._http_log is None:
            raise SourceError("no model reads an HTTP stream", retryable=False)
        offsets: tuple[int, int] = self._http_log.append(stream, payloads)
        return offsets

    def erase(self, request: Request, *, dry_run: bool = False) -> Erased:
        """Erase a data subject, one at a time.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        with self._erasing:
            return erase(
                self.store,
                self.configuration,
                request,
                self.clock,
                erasures=self._erasures,
                http_log=self._http_log,
                standstill=self._standstill,
                dry_run=dry_run,
                on_step=lambda text: log.info("erasing", step=text),
            )

    def retry(self, places: Sequence[Place], *, dry_run: bool = False) -> list[Retried]:
        """Put rejected messages back on their streams.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        retries = Retries(
            self.store,
            self.configuration,
            self.clock,
            self._erasures,
            lookup=open_lookup(self.configuration),
            outlet=lambda: open_outlet(self.configuration),
            log=self._http_log,
            schemas=self._schemas,
        )
        return retries.retry(places, dry_run=dry_run)

    @contextmanager
    def _standstill(self) -> Iterator[None]:
        """Hold everything that writes checkpoints; all of it then goes on from these."""
        with ExitStack() as held:
            for worker in self._workers:
                held.enter_context(worker.standstill())
            held.enter_context(self._evaluating)
            self._save_evaluations()
            self._evaluations = {}
            yield

    @property
    def counters(self) -> Counters:
        """What has come, over all sources."""
        return Counters.sum([worker.counters for worker in self._workers])

    @property
    def workers(self) -> list[Worker]:
        """What reads, one for each source."""
        return self._workers

    @property
    def registry_failures(self) -> int:
        """Requests that a schema registry did not answer as it should."""
        return self._schemas.registry.failures if self._schemas.registry is not None else 0

    def dead_letters_sent(self) -> dict[str, tuple[int, int]]:
        """Messages and bytes that topics of dead letters have acknowledged, by topic."""
        total: dict[str, tuple[int, int]] = {}
        for letters in self._letters:
            for topic, (count, size) in letters.sent.items():
                before = total.get(topic, (0, 0))
                total[topic] = (before[0] + count, before[1] + size)
        return total

    def checkpoint_age_s(self) -> float:
        """Seconds since the oldest of the workers' last checkpoints."""
        return max((worker.checkpoint_age_s() for worker in self._workers), default=0.0)

    def backlog(self) -> dict[str, int]:
        """What waits to be told, by receiver: transitions of alerts, or with routes notifications of groups."""
        total: Counter[str] = Counter()
        for notifier in self._notifiers:
            total.update(notifier.backlog)
        return dict(total)

    def closed_ms(self) -> Mapping[tuple[str, str, int], int]:
        """Up to where each partition's panes are closed, by model, topic and partition."""
        rows = self.store.read(Query("progress"))
        keys = zip(rows["model"], rows["topic"], rows["partition"].tolist(), strict=True)
        return dict(zip(keys, rows["closed_ms"].tolist(), strict=True))

    # -- jobs --------------------------------------------------------------------------------------------------

    def trim_ingest_log(self) -> None:
        """Drop HTTP events that lie before the stream's checkpoint."""
        if self._http_log is None:
            return
        rows = self.store.read(Query("checkpoints", {"stage": "ingest", "name": sorted(self._streams())}))
        for stream, position in zip(rows["name"], rows["position"].tolist(), strict=True):
            self._http_log.trim(stream, position)

    def refresh_roll_ups(self) -> None:
        """Add up what has settled; until it has worked, answers come from the rows and are only slower."""
        try:
            self.store.refresh()
        except StoreError as error:
            log.warning("roll-ups were not refreshed", reason=str(error), retryable=error.retryable)

    def log_status(self) -> None:
        """Write a line to the log."""
        log.info("status", **self.status())

    def _streams(self) -> set[str]:
        models = self.configuration.models.values()
        return {source.http for model in models for source in model.spec.sources if source.http is not None}

    def _open_http_log(self) -> Any:
        return open_http_log(self.configuration, self.clock)


def open_outlet(configuration: Configuration) -> Outlet:
    """Return what writes messages to topics of the cluster that is read; not connected yet."""
    from monitor.sources.kafka.outlet import KafkaOutlet

    return KafkaOutlet(configuration.service.spec.kafka)


def _ingest(worker: Worker) -> None:
    worker.run()
    worker.look_on()


def open_lookup(configuration: Configuration) -> Lookup:
    """Return what reads single messages of the cluster's topics."""
    from monitor.sources.kafka.lookup import KafkaLookup

    return KafkaLookup(configuration.service.spec.kafka)


def open_http_log(configuration: Configuration, clock: Clock) -> Any:
    """Open the log in which HTTP events wait to be read."""
    from monitor.sources.http_log import HttpLog

    path = Path(configuration.service.spec.ingest_log)
    path.parent.mkdir(parents=True, exist_ok=True)
    return HttpLog(path, clock)


def _specs(configuration: Configuration) -> Iterator[tuple[str, SourceSpec]]:
    for name, model in configuration.models.items():
        for spec in model.spec.sources:
            yield name, spec


def sources(configuration: Configuration, http_log: Any) -> Iterator[Source]:
    """Every source that the models name: one per consumer for Kafka, one per file source, one for HTTP."""
    kafka = sorted({topic for _, spec in _specs(configuration) for topic in spec.kafka or ()})
    cluster = configuration.service.spec.kafka
    for member in range(cluster.consumers if kafka else 0):
        yield source_class("kafka")(cluster, kafka, member=member)
    seen: set[str] = set()
    for name, spec in _specs(configuration):
        if spec.file is not None and spec.file not in seen:
            seen.add(spec.file)
            yield source_class("file")(
                {spec.file: _files(configuration, name, spec.file)}, spec.format.kind, spec.follow
            )
    streams = sorted({spec.http for _, spec in _specs(configuration) if spec.http is not None})
    if streams:
        yield source_class("http")(http_log, streams)


def bounded_source(configuration: Configuration) -> Source:
    """Kafka from the checkpoints to the present end, for a run that ends by itself.

    Raises
    ------
    InputError
        If a model reads anything but Kafka.
    """
    if any(spec.kafka is None for _, spec in _specs(configuration)):
        raise InputError("a bounded run reads Kafka topics only; replay files with `leeway replay`")
    topics = sorted({topic for _, spec in _specs(configuration) for topic in spec.kafka or ()})
    source: Source = source_class("kafka")(configuration.service.spec.kafka, topics, bounded=True)
    return source


def _files(configuration: Configuration, model: str, pattern: str) -> list[Path]:
    base = configuration.resolve(model, "")
    found = [Path(pattern)] if Path(pattern).is_absolute() else sorted(base.glob(pattern))
    if not found:
        raise InputError(f"model {model!r}: no file matches {base / pattern}")
    return found


def _plan(
    alerting: Alerting,
    named: Mapping[Target, Receiver],
    reached: Callable[[Subscription], Mapping[Target, Callable[[], Receiver]]],
) -> Plan:
    """Who is told what by routes: the receivers that are configured beside them, and their own."""
    receivers = dict(named)
    for receiver in alerting.receivers:
        for number, hook in enumerate(receiver.webhook_configs):
            target = Target(receiver.name, number, hook.send_resolved)
            receivers[target] = build(hook.settings(target.name))
    rules = [Rule(rule.source, rule.target, rule.equal) for rule in alerting.inhibit_rules]
    notices = alerting.leeway.silence_notices
    digests = {digest.name: digest.build() for digest in alerting.leeway.digests}
    return Plan(alerting.route.build(), receivers, rules, alerting.intervals, notices, digests, reached)
