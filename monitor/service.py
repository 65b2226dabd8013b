"""The life of one process: starts every stage, stops it, answers what the API asks.

A thread per source reads, folds and writes checkpoints; one thread evaluates; one notifies; the API runs in the
caller's thread. The stages talk through the store alone: each may end anywhere and continue later, and they may run in
one process or in several, by the roles of each. One that fails goes on from what is stored, after a pause; the others
do not notice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from monitor.alerts.store_damage import StoreDamage
from monitor.build import (
    Once,
    Patience,
    at_once,
    build_certificate,
    build_heartbeat,
    build_intake,
    build_retries,
    build_router,
    build_store,
    change_intake,
    http_streams,
    keep_lifetimes,
    lacks_workers,
    open_store_of,
    open_streams,
)
from monitor.check import load
from monitor.clock import Clock, SetBacks
from monitor.config import Configuration, Model
from monitor.config.instance import instance_of
from monitor.config.reload import lasting_changes
from monitor.config.roles import ROLES, out_of_reach
from monitor.configurations.current import CurrentConfigurations
from monitor.configurations.in_force import InForce, former_watch, reads_otherwise
from monitor.configurations.log import ConfigurationLog
from monitor.configurations.registering import register
from monitor.configurations.taken import ConfigurationMetrics
from monitor.delivery.reception import Reception
from monitor.erasure.erase import Erased, Eraser, Request, Running
from monitor.erasure.export import Record, exported
from monitor.errors import InputError, SourceError
from monitor.evaluate.failing_models import failing_stages
from monitor.evaluate.loop import EvaluateLoop
from monitor.evaluate.realised import RealisedAlerts
from monitor.freshness.freshness import Freshness
from monitor.heartbeat.compiling import compiling
from monitor.heartbeat.lookout import Lookout
from monitor.heartbeat.store_answers import StoreAnswers
from monitor.ingest.counters import Counters
from monitor.ingest.late_events import LateShare
from monitor.ingest.worker import Worker
from monitor.jobs.figures import JobMetrics
from monitor.jobs.schedule import Jobs
from monitor.memory import collect_rarely, give_back_freed, keep_freed
from monitor.messages import LogPosition
from monitor.metrics import ServiceMetrics, StageMetrics, StoreFigures, score_latency
from monitor.performance.job import end_unjudged, work_out
from monitor.quotas.event_rates import EventRates
from monitor.retries import Retried
from monitor.routing.lease import Lease
from monitor.routing.quarantine import Quarantine
from monitor.routing.router import Router
from monitor.routing.routers import LOOK_S, Routers
from monitor.self_test.self_test import SelfTest, SelfTestMetrics
from monitor.threads import Threads, ends_within, in_words
from monitor.tls.listener import ListenerCertificate
from monitor.watch import Watches, compile_watch
from sinks.store.connection import Connection
from sinks.store.contract import Store, StoreError

__all__ = ["Service"]

WATCH_EVERY_S, FOLLOW_EVERY_S = 1.0, 1.0
SAVE_WITHIN_S, CLOSE_WITHIN_S = 60.0, 10.0
"""The end of a service waits so long for its store; what is not written then is worked out again by the next start."""

log = structlog.get_logger("leeway.service")


class Service:
    """Everything that one process runs.

    Parameters
    ----------
    configuration : Configuration
    clock : Clock
    store : Store or None
        Opened from the configuration if None. The service closes it, also where its start fails.
    roles : collection of str
        Of :data:`monitor.config.roles.ROLES`: which stages run here. The process that evaluates makes and upgrades the
        tables; others wait for that.
    waits_for_store : bool
        Whether a store that is away is waited for.
    port : int or None
        Where it listens, if not where the configuration says.
    stop : threading.Event or None
        Ends the start as well, once it is set.
    on_wait : callable
        Gets what the start waits for, each time it has tried in vain; the empty text once it goes on.

    Raises
    ------
    StartStoppedError
        The start waited for the store, and is to end.
    InputError, StoreError, SourceError
        If something that the configuration names cannot be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        clock: Clock,
        store: Store | None = None,
        roles: Collection[str] = tuple(ROLES),
        *,
        waits_for_store: bool = False,
        port: int | None = None,
        stop: threading.Event | None = None,
        on_wait: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.clock, self.roles = clock, frozenset(roles)
        # Before anything is asked of the store: what is wrong with a file shows at once.
        watches = {name: compile_watch(configuration, name) for name in configuration.models}
        self._threads = Threads(clock, instance_of(configuration.service.spec, self.roles, port), stop)
        patience = Patience(clock, self.stopping, on_wait)
        patiently: Once = patience.once_it_answers if waits_for_store else at_once
        # An embedded store that is left open keeps the next start from it.
        with ExitStack() as opened:
            self.store = patiently(partial(open_store_of, configuration)) if store is None else store
            opened.callback(self.store.close)
            StoreAnswers.of(self.store, clock)
            build_store(configuration, clock, self.roles, self.store, patiently, patience)
            self.metrics = CollectorRegistry()
            self._alone = threading.Lock()
            self._jobs: Jobs | None = None
            self._freshness: Freshness | None = None
            latency = score_latency(self.metrics)
            instance = self._threads.instance
            current = partial(CurrentConfigurations, configuration, watches, self.store, clock, self.roles, instance)
            self.configurations = patiently(current)
            configuration = self.configuration
            evaluate = partial(
                EvaluateLoop,
                self.watches if "evaluate" in self.roles else {},
                self.store,
                clock,
                configuration.service.spec.checkpoint_every / 1000,
                lambda model, seconds: latency.labels(model).observe(seconds),
                partial(former_watch, configuration, ConfigurationLog(self.store, clock)),
            )
            self.loop = patiently(evaluate)
            self.loop.give_up(configuration.given_up if "evaluate" in self.roles else ())
            self._routers = self._made_routers(patiently) if "alert" in self.roles else None
            if self._routers is not None:
                opened.callback(self._routers.close)
            stop = self._threads.stop if "ingest" in self.roles else None
            self.intake = patiently(partial(build_intake, configuration, self.watches, self.store, clock, stop))
            opened.callback(self.intake.close)
            figures = StoreFigures(self.store, RealisedAlerts(self.store, self.watches), clock)
            unusable = Quarantine.of(self.store).counts
            self.metrics.register(StageMetrics(self._threads, self.loop.failing, unusable, StoreDamage.of(self.store)))
            self.metrics.register(
                ServiceMetrics(
                    self.intake,
                    self.loop,
                    figures,
                    self.ready,
                    (self.backlog, self.incomplete, self.reminders),
                    Reception.of(self.store),
                )
            )
            if self.certificate is not None:
                self.metrics.register(self.certificate)
            self.metrics.register(ConfigurationMetrics(lambda: self.configurations.in_force))
            self.metrics.register(self.event_rates)
            self.metrics.register(JobMetrics(lambda: self._jobs, clock))
            self.metrics.register(SelfTestMetrics(SelfTest.of(self.store)))
            opened.pop_all()

    # -- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every stage of the process's roles."""
        keep_freed()
        collect_rarely()
        compiling()
        if self._routers is not None:
            self._routers.open()
        self._run(self.intake.workers)
        if "evaluate" in self.roles:
            self._threads.run("evaluate", partial(self.loop.run, self.stopping, self._threads.counting("evaluate")))
        if self._routers is not None:
            self._threads.run("alert", self._notify, self._renew_router)
            self._threads.run("freshness", self._wait_for_events)
            heartbeat = build_heartbeat(self.configuration, self.store, self.clock)
            if heartbeat is not None:
                self._threads.run("heartbeat", partial(heartbeat.run, self.stopping))
        jobs: dict[str, Callable[[], object]] = {
            "trim_ingest_log": lambda: self.intake.trim(self.store, http_streams(self.configuration)),
            "refresh_roll_ups": partial(self.store.refresh, is_enough=self.stopping.is_set),
            "work_out_performance": self._work_out_performance,
            "keep_lifetimes": lambda: keep_lifetimes(self.configuration, self.store, self.clock),
            "look_at_group": self.intake.look_at_group,
            "look_at_store": self._look_at_store,
            "give_back_memory": give_back_freed,
            "log_status": lambda: log.info("status", **self.status()),
        }
        if self.configuration.service.spec.self_test is not None:
            jobs["self_test"] = partial(SelfTest.of(self.store).run, self.store, self.clock)
        self._jobs = Jobs(jobs, self.roles, self.clock, self.store, self._threads.instance)
        self._threads.run("watch", partial(self._watch, self._jobs))
        self._threads.run("configurations", self._follow_configurations)
        status = self.status()
        log.info("started", **{name: status[name] for name in ("roles", "models", "sources", "kafka_group")})

    def _run(self, workers: Iterable[Worker]) -> None:
        for worker in workers:
            numbers = {name.rpartition("-")[2] for name in self._threads.names if name.startswith("ingest-")}
            number = next(number for number in range(len(numbers) + 1) if str(number) not in numbers)
            name = f"ingest-{worker.name}-{number}"
            worker.on_report = self._threads.counting(name)
            self._threads.run(name, partial(_ingest, worker), worker.mend)

    def _work_out_performance(self) -> None:
        end_unjudged(self.configuration.given_up.difference(self.watches), self.store)
        work_out(self.watches.values(), self.store, self.clock.now_ms(), self.stopping.is_set)

    def stop(self) -> None:
        """Stop every stage, write checkpoints, close the store. What was acknowledged is kept."""
        unfinished = self._threads.join()
        try:
            if not ends_within("save", partial(self._save_all, frozenset(unfinished)), self.clock, SAVE_WITHIN_S):
                unfinished.append("save")
                log.warning("the store does not answer: the next start goes on from what is stored")
        finally:
            if self._jobs is not None:
                unfinished += self._jobs.stop()
            # Whatever is unfinished may be at work with these, and ends with the process, as they do.
            if unfinished or not self._close():
                others = {thread.name for thread in threading.enumerate()} - {threading.current_thread().name}
                log.warning("threads that have not ended end with the process", threads=sorted(others))
        log.info("stopped")

    def _save_all(self, unfinished: Collection[str]) -> None:
        # Nothing of a loop that failed: its memory may have been ahead of the store, and is gone. Nor of one that
        # still works, for the same reason.
        if "evaluate" not in unfinished:
            self._save()
        if "configurations" not in unfinished:
            self.configurations.stop()

    def _save(self) -> None:
        try:
            self.loop.save()
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("evaluation is not saved: the next start goes on from what is stored", error=str(error))

    def _close(self) -> bool:
        """Return whether the store is closed, and nothing uses it any more."""
        if self._routers is not None:
            self._routers.close()
        self.intake.close()
        # It waits for questions that requests have asked.
        is_closed = ends_within("close", self.store.close, self.clock, CLOSE_WITHIN_S)
        if not is_closed:
            log.warning("the store is left open: it does not answer a request")
        return is_closed

    def raise_failure(self) -> None:
        """Raise what a stage fails with, if one does."""
        self._threads.raise_failure()

    @property
    def stopping(self) -> threading.Event:
        """Set when the service stops, by itself or not."""
        return self._threads.stop

    @property
    def configuration(self) -> Configuration:
        """The service, with the models that are in force."""
        return self.configurations.in_force.configuration

    @property
    def watches(self) -> Watches:
        """Its models, made ready."""
        return self.configurations.watches

    # -- what the API asks -------------------------------------------------------------------------------------

    def ready(self) -> list[str]:
        """Why the service is not ready for traffic; empty when it is."""
        reasons = self.intake.unready()
        reasons += filter(None, (StoreAnswers.of(self.store, self.clock).silence(), self._unwritable()))
        reasons += [f"model {name}: {why}" for name, why in sorted(self.configurations.in_force.behind.items())]
        for stage, error in failing_stages(self._threads, self.loop.failing).items():
            reasons.append(f"the stage {stage} failed, and is started again: {in_words(error)}")
        if self.stopping.is_set():
            failure = self._threads.failure
            reasons.append(f"the service has stopped: {failure}" if failure else "the service is stopping")
        return reasons

    def _unwritable(self) -> str:
        return self.store.unwritable() if isinstance(self.store, Connection) else ""

    def notes(self) -> list[str]:
        """What people should know of a service that is ready."""
        pauses = self._jobs.pauses if self._jobs is not None else {}
        facts = [pause.fact for _, pause in sorted(pauses.items())]
        behind = self.loop.waiting.catching_up.notes()
        received = Reception.of(self.store).notes()
        of_others = [] if self._routers is None else self._routers.notes()
        return [*facts, *self.intake.notes(), *behind, *received, *of_others, *filter(None, [compiling().note()])]

    def status(self) -> dict[str, Any]:
        """What the service is doing, for people."""
        counters = self.counters
        return {
            "roles": [role for role in ROLES if role in self.roles],
            "models": sorted(self.watches),
            "sources": [worker.name for worker in self.intake.workers],
            "kafka_group": self.intake.group,
            "records": counters.records,
            "events": counters.events,
            "rejected": counters.rejected,
            "late": counters.late,
            "windows": dict(self.loop.windows),
            "notes": self.notes(),
            "failing_receivers": [
                {"receiver": name, "since_ms": failing.since_ms, "reason": failing.reason}
                for name, failing in Reception.of(self.store).failing.items()
            ],
            "self_test": SelfTest.of(self.store).document(),
            "checkpoint_age_s": round(self.intake.checkpoint_age_s(), 3),
        }

    def refusal(self, model: Model) -> str:
        """Return why a process with these roles cannot watch a model; empty if it can."""
        return out_of_reach(self.roles, model)

    def late_shares(self) -> list[LateShare]:
        """How many events came late in the last minutes, of those that are read here."""
        return self.intake.late_shares()

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        """Append messages to an HTTP stream, durably."""
        return self.intake.accept(stream, payloads)

    @cached_property
    def certificate(self) -> ListenerCertificate | None:
        """What the API encrypts with, if it does.

        Raises
        ------
        WrongFileError
        """
        return build_certificate(self.configurations.in_force.files, self.clock)

    @cached_property
    def event_rates(self) -> EventRates:
        """How much is read here of each namespace, and what its quotas are."""
        quotas = self.configuration.service.spec.quotas
        return EventRates(quotas, self.watches, self.intake.events, self.clock)

    def reload(self) -> None:
        """Take up the certificate, who is notified, and the models, as the files have them now.

        Raises
        ------
        InputError, ConfigError
            They are wrong, or something else in them has changed: everything stays as it is then.
        StoreError
        """
        with self._alone:
            if self.configuration.path is None:
                raise InputError("the configuration is not from a file")
            files = load(self.configuration.path)
            if changes := lasting_changes(self.configurations.in_force.files, files):
                raise InputError(f"changed, which only a restart takes up: {', '.join(changes)}")
            if self.certificate is not None:
                self.certificate.renew()
            self._take_up(self.configurations.reloaded(files))
        log.info("reloaded who is notified, and the models of files")

    def _follow_configurations(self) -> None:
        """Take up what is accepted anywhere, within seconds."""
        while not self.stopping.is_set():
            with self._alone:
                self._open_streams()
                self._register()
                self.configurations.follow(self._take_up, self.intake.refused_topics())
            self.clock.wait(self.stopping, FOLLOW_EVERY_S)

    def _open_streams(self) -> None:
        """Read what came by HTTP, once its log can be opened, and whatever a change that failed has left out."""
        if "ingest" not in self.roles:
            return
        try:
            if self.intake.unopened:
                open_streams(self.intake, self.configuration, self.clock)
            if lacks_workers(self.intake, self.configuration):
                self._run(self._changed_intake(self.configurations.in_force))
        except (SourceError, StoreError) as error:
            if not error.retryable:
                raise
            log.warning("streams are not read yet; trying again", error=str(error))

    def _register(self) -> None:
        """Have models that have appeared here written down; what follows takes them up, here as everywhere."""
        try:
            if appeared := self.intake.appeared():
                refused = register(appeared, self.configuration, ConfigurationLog(self.store, self.clock))
                if refused:
                    # Known or not: what reads may not have taken it up the last time.
                    self.intake.refused_names |= refused
                    self._run(self._changed_intake(self.configurations.in_force))
        except (SourceError, StoreError) as error:
            if not error.retryable:
                raise
            log.warning("models that have appeared wait to be registered; trying again", error=str(error))

    def _changed_intake(self, in_force: InForce) -> Iterator[Worker]:
        stop = self._threads.stop
        return change_intake(self.intake, in_force.configuration, in_force.watches, self.store, self.clock, stop)

    def _take_up(self, in_force: InForce) -> None:
        """Go by other configurations, each stage from a place on that it writes down.

        Raises
        ------
        StoreError, SourceError
            Some stages may have taken them up then: to try again is enough.
        """
        configuration, watches = in_force.configuration, in_force.watches
        router = build_router(configuration, watches, self.store, self.clock) if self._routers else None
        if "ingest" in self.roles and reads_otherwise(self.configurations.in_force, in_force):
            # What had no room may have some now.
            self.intake.refused_names.clear()
            self._run(self._changed_intake(in_force))
        if "evaluate" in self.roles:
            self.loop.watch(watches, configuration.given_up)
        # First: whoever builds a router from now on has it follow with the new routes.
        self.configurations.adopt(in_force)
        if router is not None and self._routers is not None:
            self._routers.follow(lambda: router)
        if self._freshness is not None:
            self._freshness.watch(configuration.models)

    def erase(
        self, request: Request, *, dry_run: bool = False, on_begun: Callable[[str], None] = lambda digest: None
    ) -> Erased:
        """Erase a data subject, one at a time; `on_begun` gets its hash before anything is erased.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        with self._alone:
            running = Running(self.intake.erasures, self.intake.http_log, self._standstill, on_begun)
            eraser = Eraser(self.store, self.configuration, self.clock, running)
            return (
                eraser.plan(request) if dry_run else eraser.erase(request, lambda text: log.info("erasing", step=text))
            )

    def export(self, request: Request, *, on_begun: Callable[[str], None] = lambda digest: None) -> Iterator[Record]:
        """Find all that is kept of a data subject; `on_begun` gets its hash before that.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        at_ms = self.clock.now_ms()
        return exported(
            self.store,
            self.configuration,
            request,
            self.intake.http_log,
            lambda erasures: on_begun(erasures.digest_of(request.subject, at_ms)),
        )

    def retry(self, places: Sequence[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        """Put rejected messages back on their streams.

        Raises
        ------
        InputError, StoreError, SourceError
        """
        retries = build_retries(self.configuration, self.store, self.clock, self.intake)
        return retries.retry(places, dry_run=dry_run)

    def _built_router(self) -> Router:
        return build_router(self.configuration, self.watches, self.store, self.clock)

    def _made_routers(self, patiently: Once) -> Routers:
        # Any other store belongs to this process.
        is_shared = self.configuration.service.spec.store.kind == "clickhouse"
        lease = Lease(self.store, self.clock, self._threads.instance) if is_shared else None
        return Routers(patiently(self._built_router), patiently, lease, self._built_router)

    def _is_in_turn(self) -> bool:
        """Whether this process is the one that notifies."""
        return self._routers is not None and self._routers.is_in_turn

    def _routers_standstill(self) -> AbstractContextManager[None]:
        return nullcontext() if self._routers is None else self._routers.standstill(self._built_router)

    def _notify(self) -> None:
        routers, count, set_backs = self._routers, self._threads.counting("alert"), SetBacks(self.clock)
        assert routers is not None

        def on_round() -> None:
            count()
            if set_backs.is_new():
                # Its groups, and what is over, wait for times that would come again only much later.
                log.warning("the clock was set back: routes are taken up anew")
                routers.follow(self._built_router)

        routers.run(self.stopping, on_round)

    def _wait_for_events(self) -> None:
        count = self._threads.counting("freshness")
        while not self.stopping.is_set():
            if self._is_in_turn():
                self._freshness = Freshness(self.store, self.clock, self.configuration.models)
                self._freshness.run(self.stopping, count, self._is_in_turn)
            else:
                self.clock.wait(self.stopping, LOOK_S)

    def _look_at_store(self) -> None:
        StoreDamage.of(self.store).look(self.store, self.clock.now_ms())

    def _renew_router(self) -> None:
        """Have a router that failed followed by one that goes on from what is stored."""
        assert self._routers is not None
        self._routers.renew(self._built_router)

    def _watch(self, jobs: Jobs) -> None:
        """Alert about what goes wrong here."""
        lookout = Lookout(
            self.store,
            self.clock,
            self.roles,
            self._threads,
            self.watches,
            self.intake,
            self.loop,
            self.certificate,
            self._is_in_turn,
        )
        lookout.follow_jobs(jobs)
        lookout.follow_rates(self.event_rates)
        self._look_at_store()
        while not self.clock.wait(self.stopping, WATCH_EVERY_S):
            jobs.follow()
            compiling().follow()
            if self.certificate is not None:
                self.certificate.follow()
            try:
                lookout.step()
            except StoreError as error:
                log.warning("an alert of Leeway's own waits for the store", error=str(error))

    @contextmanager
    def _standstill(self) -> Iterator[None]:
        """Hold everything that writes checkpoints; all of it then continues from these."""
        with self.intake.standstill(), self.loop.standstill(), self._routers_standstill():
            yield

    @property
    def counters(self) -> Counters:
        """What was read, over all sources."""
        return self.intake.counters

    def backlog(self) -> dict[str, int]:
        """Notifications that are on their way, by receiver."""
        return {} if self._routers is None else self._routers.backlog

    def incomplete(self) -> dict[str, int]:
        """Notifications that were delivered without all of their pictures, by receiver."""
        return {} if self._routers is None else dict(self._routers.incomplete)

    def reminders(self) -> dict[tuple[str, str], int]:
        """Posts that remind receivers of what fires, by receiver and outcome."""
        return {} if self._routers is None else dict(self._routers.reminders)


def _ingest(worker: Worker) -> None:
    worker.run()
    worker.look_on()
