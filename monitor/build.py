"""Makes the parts of the service out of its configuration; the only place that wires.

Sources, stores and receivers are named here and nowhere else: everything above and below knows their contracts alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from monitor.alerts.own import MODEL as OWN
from monitor.alerts.transition import POSTED
from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.alerting import Alerting
from monitor.config.kafka import KafkaCluster
from monitor.config.model import SourceSpec
from monitor.config.pictures import PICTURED, uploads
from monitor.configurations.in_force import former_watch
from monitor.configurations.log import ConfigurationLog
from monitor.decoders import Schemas
from monitor.delivery.target import Target
from monitor.erasure.erased import ErasureList
from monitor.errors import InputError, SourceError, StartStoppedError
from monitor.evaluate.pane_lifetimes import lifetimes_now
from monitor.heartbeat.heartbeat import Heartbeat
from monitor.incidents.incidents import Reach
from monitor.ingest.dead_letters import DeadLetters, routes_of
from monitor.ingest.foreign_members import ForeignMembers
from monitor.ingest.ingest import Ingest
from monitor.ingest.intake import Intake, Reading
from monitor.ingest.names import Names
from monitor.ingest.readers import Readers
from monitor.ingest.worker import Worker
from monitor.messages import Outlet
from monitor.pictures.drawing import Bar, draw
from monitor.pictures.links import Links, PictureSeals
from monitor.pictures.pictures import Pictures
from monitor.retries import Lookup, Retries, Streams
from monitor.routing.incident_labels import IncidentNames, groups_by_incident
from monitor.routing.inhibition import Rule
from monitor.routing.likely_causes import ChangesBefore
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.subscriptions import Subscription
from monitor.sources import source_class
from monitor.sources.contract import Member, Source
from monitor.subscribers import entries_of, reached, target_of
from monitor.tls.listener import ListenerCertificate
from monitor.tracing.sending import send_spans
from monitor.watch import Watch
from sinks.receivers import build
from sinks.receivers.contract import Picture, Receiver
from sinks.receivers.parameters import Parameters
from sinks.store import open_store
from sinks.store.contract import Store, StoreError
from sinks.store.filling import unfinished as unfinished_filling
from sinks.store.identity import identity_of
from sinks.store.retention import retain

__all__ = [
    "Once",
    "Patience",
    "at_once",
    "bounded_source",
    "build_certificate",
    "build_heartbeat",
    "build_intake",
    "build_retries",
    "build_router",
    "build_store",
    "build_tracing",
    "change_intake",
    "group_members",
    "http_streams",
    "kafka_topics",
    "keep_lifetimes",
    "lacks_workers",
    "open_http_log",
    "open_store_of",
    "open_streams",
    "planned_sources",
    "receiver_for_trial",
    "sample_source",
    "topic_sample",
]

T = TypeVar("T")
RETRY_S = 2.0
TABLES_WITHIN_S = 60.0
log = structlog.get_logger("leeway.service")


class Once(Protocol):
    """Does a part of the start, and returns what that returns."""

    def __call__(self, work: Callable[[], T], /) -> T: ...


def at_once(work: Callable[[], T], /) -> T:
    """Do a part of the start, and wait for nobody."""
    return work()


class Patience:
    """How a start waits for others.

    Parameters
    ----------
    clock : Clock
    stop : threading.Event or None
        Ends every wait.
    on_wait : callable
        Gets what is waited for, each time that was tried in vain; the empty text once the start goes on.
    """

    def __init__(
        self, clock: Clock, stop: threading.Event | None = None, on_wait: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._clock, self._stop, self._on_wait = clock, stop or threading.Event(), on_wait

    def once_it_answers(self, work: Callable[[], T], /) -> T:
        """Do a part of the start, again and again while the store is away.

        Raises
        ------
        StoreError
        StartStoppedError
        """
        while True:
            try:
                done = work()
            except StoreError as error:
                if not error.retryable:
                    raise
                log.warning("the start waits for the store", error=str(error))
                self.pause(str(error))
            else:
                self._on_wait("")
                return done

    def pause(self, reason: str) -> None:
        """Wait for a while.

        Raises
        ------
        StartStoppedError
            It is to end.
        """
        self._on_wait(reason)
        if self._clock.wait(self._stop, RETRY_S):
            raise StartStoppedError


# -- the store -------------------------------------------------------------------------------------------------


def open_store_of(configuration: Configuration) -> Store:
    """Open the store that a configuration names.

    Raises
    ------
    StoreError
    """
    spec = configuration.service.spec.store
    return open_store(spec.kind, **spec.settings())


def build_store(
    configuration: Configuration,
    clock: Clock,
    roles: Collection[str],
    store: Store,
    once: Once = at_once,
    patience: Patience | None = None,
) -> None:
    """Give a store its tables: the process that evaluates makes and upgrades them, others wait for that.

    Parameters
    ----------
    configuration : Configuration
    clock : Clock
    roles : collection of str
    store : Store
        Whoever has opened it closes it, also where its tables cannot be had.
    once : callable
        Does a part of the start, as :meth:`Patience.once_it_answers`.
    patience : Patience or None
        Waits for another process.

    Raises
    ------
    StoreError, StartStoppedError
    """
    once(partial(_prepare, store, configuration, clock, roles, patience or Patience(clock)))


def _prepare(
    store: Store, configuration: Configuration, clock: Clock, roles: Collection[str], patience: Patience
) -> None:
    if "evaluate" in roles:
        store.migrate()
        _refuse_a_part(store)
        keep_lifetimes(configuration, store, clock)
    else:
        _await_tables(store, clock, patience)
        _refuse_a_part(store)


def _refuse_a_part(store: Store) -> None:
    if origin := unfinished_filling(store):
        raise StoreError(
            f"the store holds a part of what it is being filled with ({origin}): complete it, with the same "
            "`leeway store move` or `leeway store restore`, or use another store"
        )


def keep_lifetimes(configuration: Configuration, store: Store, clock: Clock) -> None:
    """Give tables the lifetimes that the configuration asks for, as far as each model has come.

    Raises
    ------
    StoreError
    """
    changes = retain(store, lifetimes_now(configuration, store, clock.now_ms()))
    for change in (change for change in changes if change.before):  # a new store has none before
        log.info("lifetime changed", table=change.table, before=change.before, after=change.after)
    if new_lifetimes := [change.table for change in changes if not change.before]:
        log.info("rows of these tables have a lifetime from now on", tables=new_lifetimes)


def _await_tables(store: Store, clock: Clock, patience: Patience) -> None:
    # Two processes that made tables at once would get in each other's way.
    until_s = clock.monotonic_s() + TABLES_WITHIN_S
    while not store.is_current():
        if clock.monotonic_s() > until_s:
            raise StoreError("the store lacks tables: start the process that evaluates, which makes them")
        log.info("waiting for the process that evaluates to make the tables")
        patience.pause("the process that evaluates has not made the tables yet")


# -- who asks --------------------------------------------------------------------------------------------------


def build_certificate(configuration: Configuration, clock: Clock) -> ListenerCertificate | None:
    """Return what the API encrypts with, if it does.

    Raises
    ------
    WrongFileError
    """
    tls = configuration.service.spec.api.tls
    if tls is None:
        return None
    return ListenerCertificate(tls.files(configuration.root), tls.context, clock)


# -- what reads ------------------------------------------------------------------------------------------------


def build_intake(
    configuration: Configuration,
    watches: Mapping[str, Watch],
    store: Store,
    clock: Clock,
    stop: threading.Event | None,
) -> Intake:
    """Return what reads: a worker for each source that the models name.

    Parameters
    ----------
    configuration : Configuration
    watches : mapping of str to Watch
    store : Store
    clock : Clock
    stop : threading.Event or None
        Ends the workers when it is set; None in a process that does not ingest, which has no workers.
    """
    intake = Intake(Schemas.of(configuration), ErasureList(store))
    # Without workers too: whoever puts dead letters back decodes them, and must know whom to forget.
    if stop is not None:
        with ExitStack() as opened:
            # A start that waits for the store does all this again, and the log of HTTP events may be open but once.
            opened.callback(intake.close)
            for _ in change_intake(intake, configuration, watches, store, clock, stop):
                pass
            opened.pop_all()
    return intake


def change_intake(
    intake: Intake,
    configuration: Configuration,
    watches: Mapping[str, Watch],
    store: Store,
    clock: Clock,
    stop: threading.Event,
) -> Iterator[Worker]:
    """Have an intake read what a configuration says, and yield each worker that is new, to be run at once.

    What fails after that does not take it back: the next try finds it at work.

    Raises
    ------
    SourceError, StoreError
        Some workers may go by the configuration then, and others by the one before; to try again is enough.
    """
    intake.schemas.resolve = configuration.resolve
    open_streams(intake, configuration, clock)
    store_id = identity_of(store) if kafka_topics(configuration) else ""
    if store_id and intake.members is None:
        intake.members = _members(configuration, store_id, clock)
    routes = routes_of(configuration.service, configuration.all_read.values())
    names = Names.of(configuration, intake.refused_names)
    # For each partition: to make a version ready may take seconds.
    versions = ConfigurationLog(store, clock)
    former = cache(partial(former_watch, configuration, versions))
    planned = {
        key: (streams, routes)
        for key, streams in planned_sources(configuration).items()
        if not (key[0] == "http" and intake.unopened)
    }
    for key in intake.reading.keys() - planned.keys():
        intake.reading.pop(key).worker.retire()
    for key, plan in planned.items():
        readers = Readers(
            watches.values(),
            intake.schemas,
            configuration.posted,
            configuration.unread,
            former,
            versions.is_of_api,
        )
        readers.names = names
        reading = intake.reading.get(key)
        if reading is not None and reading.plan == plan:
            reading.worker.read_as(readers)
            continue
        source = _source(key, configuration, intake.http_log, store_id)
        letters = _letters_of(configuration, source)
        if reading is not None:
            reading.worker.read_as(readers, source, letters)
            intake.send_letters(letters)
            intake.reading[key] = Reading(plan, reading.worker)
        else:
            intake.send_letters(letters)
            ingest = Ingest(readers, store, source, erasures=intake.erasures, letters=letters, clock=clock)
            worker = _worker(configuration, ingest, store, clock, stop)
            intake.reading[key] = Reading(plan, worker)
            yield worker


def lacks_workers(intake: Intake, configuration: Configuration) -> bool:
    """Whether nothing reads a source that can be read."""
    planned = planned_sources(configuration).keys() - intake.reading.keys()
    return any(not (kind == "http" and intake.unopened) for kind, _ in planned)


def open_streams(intake: Intake, configuration: Configuration, clock: Clock) -> None:
    """Open the log of HTTP events if models read any.

    Raises
    ------
    SourceError
        It cannot be opened, and a model of a file reads it. Models of the API wait for it.
    """
    streams = http_streams(configuration)
    unopened: dict[str, str] = {}
    if streams and intake.http_log is None:
        try:
            intake.http_log = open_http_log(configuration, clock)
        except SourceError as error:
            if any(spec.http is not None and name not in configuration.posted for name, spec in _specs(configuration)):
                raise
            unopened = dict.fromkeys(streams, str(error))
    # Requests look at it meanwhile: why a stream is not open is known until it is.
    intake.unopened = unopened


def _worker(configuration: Configuration, ingest: Ingest, store: Store, clock: Clock, stop: threading.Event) -> Worker:
    spec = configuration.service.spec
    return Worker(
        ingest,
        store,
        clock,
        stop,
        checkpoint_every_s=spec.checkpoint_every / 1000,
        idle_after_s=spec.idle_after / 1000,
    )


def _members(configuration: Configuration, store_id: str, clock: Clock) -> ForeignMembers:
    from monitor.sources.kafka.members import KafkaMembers

    cluster = _in_group(configuration.service.spec.kafka, store_id)
    return ForeignMembers(cluster.group, KafkaMembers(cluster, store_id).read, clock)


def group_members(configuration: Configuration) -> list[Member] | None:
    """Return who is in the group of the service, for a look from outside; None while it settles.

    Raises
    ------
    SourceError
        No broker answers, or the service may not describe its group.
    """
    from monitor.sources.kafka.members import KafkaMembers

    return KafkaMembers(_in_group(configuration.service.spec.kafka, ""), "").read()


def _in_group(cluster: KafkaCluster, store_id: str) -> KafkaCluster:
    """Name the group of a store, where the configuration names none."""
    return cluster.model_copy(update={"group": cluster.group or f"leeway-{store_id}"})


def _letters_of(configuration: Configuration, source: Source) -> DeadLetters | None:
    routes = routes_of(configuration.service, configuration.all_read.values())
    if not routes or not isinstance(source, source_class("kafka")):
        return None
    return DeadLetters(routes, open_outlet(configuration))


def build_retries(configuration: Configuration, store: Store, clock: Clock, intake: Intake) -> Retries:
    """Return what puts rejected messages back on their streams."""
    streams = Streams(open_lookup(configuration), lambda: open_outlet(configuration), intake.http_log)
    return Retries(store, configuration, clock, streams, intake.erasures, intake.schemas)


def open_outlet(configuration: Configuration) -> Outlet:
    """Return what writes messages to topics of the cluster that is read; not connected yet."""
    from monitor.sources.kafka.outlet import KafkaOutlet

    return KafkaOutlet(configuration.service.spec.kafka)


def open_lookup(configuration: Configuration) -> Lookup:
    """Return what reads single messages of the cluster's topics."""
    from monitor.sources.kafka.lookup import KafkaLookup

    return KafkaLookup(configuration.service.spec.kafka)


def open_http_log(configuration: Configuration, clock: Clock) -> Any:
    """Open the log in which HTTP events wait to be read."""
    from monitor.sources.http_log import HttpLog

    return HttpLog(Path(configuration.service.spec.ingest_log), clock)


def http_streams(configuration: Configuration) -> set[str]:
    """Return the HTTP streams that models read."""
    return {spec.http for _, spec in _specs(configuration) if spec.http is not None}


def _specs(configuration: Configuration) -> Iterator[tuple[str, SourceSpec]]:
    for name, model in configuration.all_read.items():
        for spec in model.spec.sources:
            yield name, spec


def kafka_topics(configuration: Configuration) -> list[str]:
    """Return the topics, and patterns of topics, that models read."""
    return sorted({topic for _, spec in _specs(configuration) for topic in spec.kafka or ()})


SourceKey = tuple[str, str | int]
"""What tells the sources of a process apart: their kind, and which of it."""


def planned_sources(configuration: Configuration) -> dict[SourceKey, tuple[str, ...]]:
    """Return every source that models name, with its streams: one per consumer of Kafka, one per file, one for HTTP.

    Parameters
    ----------
    configuration : Configuration
    """
    planned: dict[SourceKey, tuple[str, ...]] = {}
    if kafka := tuple(kafka_topics(configuration)):
        planned |= {("kafka", member): kafka for member in range(configuration.service.spec.kafka.consumers)}
    for _, spec in _specs(configuration):
        if spec.file is not None:
            planned["file", spec.file] = (spec.file,)
    if http := tuple(sorted(http_streams(configuration))):
        planned["http", 0] = http
    return planned


def _source(key: SourceKey, configuration: Configuration, http_log: Any, store_id: str) -> Source:
    kind, which = key
    if kind == "http":
        source: Source = source_class("http")(http_log, sorted(http_streams(configuration)))
        return source
    if kind == "kafka":
        cluster = _in_group(configuration.service.spec.kafka, store_id)
        source = source_class("kafka")(cluster, kafka_topics(configuration), member=which, store_id=store_id)
        return source
    spec = next(spec for _, spec in _specs(configuration) if spec.file == which)
    files = {which: configuration.files_named(str(which))}
    source = source_class("file")(files, "parquet" if spec.format.kind == "parquet" else "suffix", spec.follow)
    return source


def bounded_source(configuration: Configuration) -> Source:
    """Kafka from the checkpoints to the present end, for a run that ends by itself.

    Raises
    ------
    InputError
        If a model reads anything but Kafka.
    """
    if any(spec.kafka is None for _, spec in _specs(configuration)):
        raise InputError("a bounded run reads Kafka topics only; replay files with `leeway replay`")
    source: Source = source_class("kafka")(configuration.service.spec.kafka, kafka_topics(configuration), bounded=True)
    return source


def sample_source(configuration: Configuration, most: int) -> Source:
    """Kafka's newest messages, so many of all topics together; no group is joined, and nothing is committed.

    Raises
    ------
    InputError
        If no model reads Kafka.
    """
    from monitor.sources.kafka.sample import KafkaSample

    topics = kafka_topics(configuration)
    if not topics:
        raise InputError("no model reads a Kafka topic: `--live` has nothing to read; `--events FILE` reads files")
    return KafkaSample(configuration.service.spec.kafka, topics, most)


def topic_sample(cluster: KafkaCluster, topic: str, most: int) -> Source:
    """The newest messages of one topic that no model reads yet, in the same way."""
    from monitor.sources.kafka.sample import KafkaSample

    return KafkaSample(cluster, [topic], most)


# -- who is notified -------------------------------------------------------------------------------------------


def build_router(configuration: Configuration, watches: Mapping[str, Watch], store: Store, clock: Clock) -> Router:
    """Return what notifies people: by routes, which without `alerting` lead to every receiver."""
    spec, connect = configuration.service.spec, partial(_receiver, configuration, watches, store)
    try:
        receivers = [connect(receiver) for receiver in spec.receivers]
    except ValueError as error:
        raise InputError(str(error)) from error

    def subscribers(subscription: Subscription) -> dict[Target, Callable[[], Receiver]]:
        entries = reached(spec, subscription)
        return {target: partial(connect, parameters) for target, parameters in entries.items()}

    named = {target_of(entry): receiver for entry, receiver in zip(spec.receivers, receivers, strict=True)}
    for digest in spec.routing.leeway.digests:
        entries = entries_of(spec, digest.name)
        named |= {target: connect(parameters) for target, parameters in entries.items()}
    plan = _plan(spec.routing, named, subscribers, connect)
    reach = Reach(spec.incidents.together, spec.incidents.shared)
    if groups_by_incident(plan.root):
        plan = replace(plan, incidents=IncidentNames(store, configuration.is_watched, reach))
    else:
        plan = replace(plan, changes=ChangesBefore(store, configuration.is_watched, reach))
    plan = replace(plan, former_models=configuration.given_up - watches.keys())
    return Router(store, plan, clock, spec.external_url, [OWN, *watches, POSTED])


def build_heartbeat(configuration: Configuration, store: Store, clock: Clock) -> Heartbeat | None:
    """Return what pings those who expect it; None if nobody does.

    Raises
    ------
    InputError
    """
    spec = configuration.service.spec.heartbeat
    if spec is None:
        return None
    try:
        return Heartbeat(store, clock, [build(receiver) for receiver in spec.receivers], spec.every / 1000)
    except ValueError as error:
        raise InputError(str(error)) from error


def build_tracing(configuration: Configuration, roles: Collection[str]) -> Callable[[], None]:
    """Send spans from now on, if somebody takes them; returns what sends the rest and ends it.

    Raises
    ------
    InputError
        The packages for it are missing.
    """
    spec = configuration.service.spec.traces
    if spec is None:
        return lambda: None
    headers = {name: value.get_secret_value() for name, value in spec.headers.items()}
    attributes = {"service.name": spec.service, "leeway.roles": ",".join(sorted(roles))}
    return send_spans(spec.endpoint, spec.share, headers, attributes)


def receiver_for_trial(configuration: Configuration, parameters: Parameters) -> Receiver:
    """Return a receiver to be tried once: with a chart of nothing where it uploads pictures, else without any.

    Raises
    ------
    InputError
    """
    sample = {"draw": lambda _: [Picture("a chart of nothing, for a test", draw([Bar(n / 12) for n in range(12)]))]}
    try:
        return build(parameters, **(sample if uploads(parameters) else _cluster_of(configuration, parameters.kind)))
    except ValueError as error:
        raise InputError(str(error)) from error


def _receiver(
    configuration: Configuration, watches: Mapping[str, Watch], store: Store, parameters: Parameters
) -> Receiver:
    return build(parameters, **_lent(configuration, watches, store, parameters.kind))


def _lent(configuration: Configuration, watches: Mapping[str, Watch], store: Store, kind: str) -> dict[str, Any]:
    """What a receiver needs of the service: pictures, links to them, the cluster of its topic."""
    spec = configuration.service.spec
    if kind not in ("email", *PICTURED):
        return _cluster_of(configuration, kind)
    pictures = Pictures(store, watches)
    if kind == "email" or spec.pictures is None:
        return {"draw": pictures}
    seals = PictureSeals(spec.pictures.key.get_secret_value())
    return {"draw": pictures, "link": Links(pictures, seals, spec.external_url, spec.pictures.lifetime)}


def _cluster_of(configuration: Configuration, kind: str) -> dict[str, Any]:
    if kind != "kafka":
        return {}
    from monitor.sources.kafka.outlet import producer

    return {"connect": partial(producer, configuration.service.spec.kafka)}


def _plan(
    alerting: Alerting,
    named: Mapping[Target, Receiver],
    reached: Callable[[Subscription], Mapping[Target, Callable[[], Receiver]]],
    connect: Callable[[Parameters], Receiver],
) -> Plan:
    """Whom routes notify: the receivers that are configured beside them, and their own."""
    receivers = dict(named)
    for key in alerting.passed_over():
        log.warning("a key of Alertmanager's has no effect: Leeway words messages itself", key=key)
    for receiver in alerting.receivers:
        for number, entry in enumerate(receiver.parts):
            parameters = entry.parameters(Target(receiver.name, number).name, alerting.global_)
            target = Target(receiver.name, number, entry.send_resolved, configuration=parameters)
            receivers[target] = connect(parameters)
    rules = [Rule(rule.source, rule.target, rule.equal) for rule in alerting.inhibit_rules]
    notices = alerting.leeway.silence_notices
    digests = {digest.name: digest.build() for digest in alerting.leeway.digests}
    return Plan(alerting.route.build(), receivers, rules, alerting.intervals, notices, digests, reached)
