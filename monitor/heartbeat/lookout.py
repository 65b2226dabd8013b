"""Looks out for what goes wrong in this process, and alerts about it: alerts about Leeway itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from monitor.alerts.own import (
    ALERTS_REFUSED,
    CERTIFICATE,
    FOREIGN_MEMBER,
    JOB_FAILING,
    JOB_PAUSED,
    MESSAGES_REJECTED,
    MISFIT,
    MODELS_UNREGISTERED,
    QUOTA_EXCEEDED,
    SELF_TEST_FAILED,
    STAGE_FAILED,
    STORE_DAMAGED,
    STORE_UNREADABLE,
    TOO_MANY_VERSIONS,
    TOPIC_GONE,
    TOPIC_REFUSED,
    UNUSABLE_ROWS,
    WINDOWS_WAIT,
    StandingAlerts,
)
from monitor.alerts.store_damage import StoreDamage, unreadable
from monitor.clock import Clock
from monitor.evaluate.failing_models import failing_stages
from monitor.evaluate.loop import EvaluateLoop
from monitor.heartbeat.failing_receivers import FailingReceivers
from monitor.heartbeat.gone_instances import GoneInstances
from monitor.heartbeat.lasting import Lasting
from monitor.heartbeat.late_streams import LateStreams
from monitor.heartbeat.lost_messages import LostMessages
from monitor.heartbeat.pulses import PULSE_EVERY_S, Pulses
from monitor.heartbeat.rejected_streams import RejectedStreams
from monitor.ingest.intake import Intake
from monitor.ingest.misfits import Misfits
from monitor.ingest.stopwatch import Timer
from monitor.jobs.schedule import Jobs
from monitor.quotas.event_rates import EventRates
from monitor.routing.posted_bounds import HOLDS_MS, PostedBounds
from monitor.routing.quarantine import Quarantine
from monitor.self_test.self_test import SelfTest
from monitor.threads import Threads
from monitor.tls.listener import ListenerCertificate
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["Lookout"]

ROWS_MET_WITHIN_S = 300.0
"""Sooner nobody knows whether a row that the process before this one met is met again."""

READ_FOR_S = 30.0
"""What is refused is, by then, of sources that are open."""

MOST_NAMED = 3
"""Models in the title of an alert."""


def _always(_: str) -> bool:
    """Whoever looks knows at once, also in a process that has just started."""
    return True


class _Look(NamedTuple):
    """What one kind of alert is about.

    Attributes
    ----------
    alerts : StandingAlerts
    holding : callable
        What is wrong now, with a title for each; None as long as nobody knows.
    is_over : callable
        Whether what an earlier process left, and does not hold, is over: this process has looked at its cause.
    """

    alerts: StandingAlerts
    holding: Callable[[], Mapping[str, str] | None]
    is_over: Callable[[str], bool]


class Lookout:
    """The alerts of one process about itself and, where people are notified, about stored rows that cannot be used.

    Parameters
    ----------
    store : Store
    clock : Clock
    roles : collection of str
        Of the process.
    threads : Threads
    watches : mapping of str to Watch
    intake : Intake
    loop : EvaluateLoop
    certificate : ListenerCertificate or None
        Of the process's API.
    is_in_turn : callable
        Whether this process is the one that notifies, of those with the role.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        roles: Collection[str],
        threads: Threads,
        watches: Mapping[str, Watch],
        intake: Intake,
        loop: EvaluateLoop,
        certificate: ListenerCertificate | None = None,
        is_in_turn: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_in_turn = is_in_turn
        self._store, self._clock, self._threads = store, clock, threads
        self._watches, self._intake, self._loop = watches, intake, loop
        self._of_process, self._of_others = [*self._about_process(roles, certificate)], [*self._about_others(roles)]
        of_process = [
            ALERTS_REFUSED,
            CERTIFICATE,
            JOB_FAILING,
            MESSAGES_REJECTED,
            MODELS_UNREGISTERED,
            QUOTA_EXCEEDED,
            SELF_TEST_FAILED,
            STAGE_FAILED,
            STORE_UNREADABLE,
            TOPIC_REFUSED,
        ]
        gone, late = (
            GoneInstances(store, clock, of_process, threads.instance),
            LateStreams(store, clock, watches, intake),
        )
        self._steps: list[Callable[[], None]] = [gone.step, late.step]
        if "alert" in roles:
            # Nobody else knows whether there was time to notify of them.
            self._steps.append(partial(self._step_in_turn, LostMessages(store, clock), FailingReceivers(store, clock)))
        self._pulses, self._pulse = Pulses(store, clock), Timer(clock, PULSE_EVERY_S)

    def follow_jobs(self, jobs: Jobs) -> None:
        """Alert about jobs of the process that fail, and what the self-test finds; and about pauses that last."""
        failing = self._alerts(JOB_FAILING, "job", "warning", instance=self._threads.instance)
        undetected = self._alerts(SELF_TEST_FAILED, "part", instance=self._threads.instance)
        self._of_process.append(_Look(failing, jobs.troubles, jobs.is_sound))
        self_test = SelfTest.of(self._store)
        is_over = self_test.is_over if "self_test" in jobs.states else _always
        self._of_process.append(_Look(undetected, self_test.holding, is_over))
        paused = self._alerts(JOB_PAUSED, "job", "warning", shared=True)
        self._of_others.append(_Look(paused, jobs.forgotten, _always))

    def follow_rates(self, rates: EventRates) -> None:
        """Alert about namespaces of which more is read than they may have."""
        exceeded = self._alerts(QUOTA_EXCEEDED, "namespace", "warning", instance=self._threads.instance)
        self._of_process.append(_Look(exceeded, rates.holding, _always))

    def step(self) -> None:
        """Look once. What needs the least of the store comes first: it may fail at the rest.

        Raises
        ------
        StoreError
        """
        self._look(self._of_process)
        self._state()
        for step in self._steps:
            step()
        self._look(self._of_others)

    def _step_in_turn(self, *looks: LostMessages | FailingReceivers) -> None:
        for look in looks if self._is_in_turn() else ():
            look.step()

    @staticmethod
    def _look(looks: Iterable[_Look]) -> None:
        for alerts, holding, is_over in looks:
            if (held := holding()) is not None:
                alerts.step(held, is_over)

    def _state(self) -> None:
        """Say that the process is there, and whether others are to end its alerts once it is not."""
        if self._pulse.is_due:
            self._pulse.restart()
            for look in self._of_process:
                look.alerts.know_earlier()
            are_firing = any(look.alerts.are_firing for look in self._of_process)
            alarmed = self._threads.instance if are_firing else ""
            self._pulses.state(self._threads.names, self._threads.rounds, alarmed)

    def _about_process(self, roles: Collection[str], certificate: ListenerCertificate | None) -> Iterator[_Look]:
        """What only this process can know: when it is gone, others end its alerts."""
        alerts = partial(self._alerts, instance=self._threads.instance)
        damage = StoreDamage.of(self._store)
        is_readable = partial(damage.is_readable, self._store)
        yield _Look(alerts(STAGE_FAILED, "stage"), self._failing_stages, self._is_sound)
        yield _Look(alerts(STORE_UNREADABLE, "table"), partial(unreadable, self._store), is_readable)
        reads = Lasting(self._clock, self._reads_everything, READ_FOR_S)
        is_refused_no_more = partial(self._is_refused_no_more, reads)
        yield _Look(alerts(TOPIC_REFUSED, "topic"), self._refused_topics, is_refused_no_more)
        rejected = RejectedStreams(self._clock, self._watches, self._intake)
        yield _Look(alerts(MESSAGES_REJECTED, "stream"), rejected.holding, rejected.is_over)
        unregistered = alerts(MODELS_UNREGISTERED, "template", "warning")
        yield _Look(unregistered, self._unregistered, lambda _: reads.is_settled())
        of_certificate = certificate.holding if certificate else dict
        yield _Look(alerts(CERTIFICATE, "certificate", "warning"), of_certificate, _always)
        if "api" in roles:
            bounds = PostedBounds.of(self._store)
            refused = alerts(ALERTS_REFUSED, "posted")
            yield _Look(refused, lambda: bounds.holding(self._clock.now_ms()), self._from_now(HOLDS_MS / 1000))

    def _about_others(self, roles: Collection[str]) -> Iterator[_Look]:
        """What other processes see as well, or go on with."""
        shared = partial(self._alerts, shared=True)
        yield _Look(shared(TOPIC_GONE, "topic"), self._intake.gone_topics, self._is_there)
        yield _Look(shared(FOREIGN_MEMBER, "group"), self._foreign_members, _always)
        damage = StoreDamage.of(self._store)
        damaged = shared(STORE_DAMAGED, "table")
        yield _Look(damaged, lambda: None if damage.parts is None else damage.holding(), _always)
        if "evaluate" in roles:
            yield _Look(shared(WINDOWS_WAIT, "model"), self._loop.waiting.titles, self._waits_no_more)
            crowding = partial(self._loop.crowding.titles, self._watches)
            yield _Look(self._alerts(TOO_MANY_VERSIONS, "model", "warning"), crowding, self._is_crowded_no_more)
        if "alert" in roles:
            is_met = self._from_now(ROWS_MET_WITHIN_S)
            unusable = self._alerts(UNUSABLE_ROWS, "table")
            yield _Look(unusable, lambda: self._unusable_rows() if self._is_in_turn() else None, is_met)
        if "ingest" in roles:
            misfits = Misfits(self._store, self._clock, self._watches, self._intake.sightings, self._rejected)
            yield _Look(shared(MISFIT, "model", "warning"), misfits.holding, misfits.is_over)

    def _alerts(
        self, alertname: str, label: str, severity: str = "critical", *, instance: str = "", shared: bool = False
    ) -> StandingAlerts:
        return StandingAlerts(self._store, self._clock, alertname, label, severity, instance=instance, shared=shared)

    def _from_now(self, settled_s: float) -> Callable[[str], bool]:
        """Whether the process has looked on for so long."""
        lasting = Lasting(self._clock, lambda: True, settled_s)
        return lambda _: lasting.is_settled()

    def _is_sound(self, stage: str) -> bool:
        return self._threads.is_sound(stage) and self._loop.failing.is_sound(stage)

    def _failing_stages(self) -> dict[str, str]:
        # The message of an error may hold what must not be kept: the log and `/readyz` have it.
        return {
            stage: f"the stage {stage} fails ({type(error).__name__}), and is started again"
            for stage, error in failing_stages(self._threads, self._loop.failing).items()
        }

    def _refused_topics(self) -> dict[str, str]:
        return {
            topic: f"nothing of {topic} is read, and windows of the models that read it wait; the rest goes on: {why}"
            for topic, why in self._intake.refused_topics().items()
        }

    def _reads_everything(self) -> bool:
        return all(worker.status.opened for worker in self._intake.workers)

    def _is_refused_no_more(self, reads: Lasting, topic: str) -> bool:
        """Whether everything has been read for a while, or no model reads a topic any more."""
        return reads.is_settled() or not self._has_reader(topic)

    def _is_crowded_no_more(self, model: str) -> bool:
        return model not in self._watches or self._loop.crowding.is_over()

    def _unregistered(self) -> dict[str, str]:
        return {
            template: f"models that have appeared are not watched ({len(names):,} of them, such as"
            f" {', '.join(names[:MOST_NAMED])}): as many as may be like {template}, or as its namespace may have, are"
            " there. Raise `models.at_most` in its file, or the quota, or release some; `leeway models --unregistered`"
            " lists them, and says why"
            for template, names in self._intake.beyond_room().items()
        }

    def _rejected(self) -> set[tuple[str, str]]:
        """Models and topics that have an alert of their own, about what is rejected."""
        return {(each.model, each.topic) for each in self._intake.rejected() if each.is_alarming}

    def _foreign_members(self) -> Mapping[str, str] | None:
        """Who else reads the group; whoever is no member of it does not know."""
        members = self._intake.members
        return None if members is None or members.count is None else self._intake.foreign_members()

    def _unusable_rows(self) -> dict[str, str]:
        counts = Quarantine.of(self._store).counts
        return {table: f"rows of {table} are passed over: nothing can be made of them" for table in counts}

    def _waits_no_more(self, model: str) -> bool:
        """Whether it has been looked at what waits of a model, or it is configured no more."""
        return model in self._loop.waiting.to_ms or model not in self._watches

    def _is_there(self, topic: str) -> bool:
        """Whether a topic that is not gone is read here, or is one that no model reads any more."""
        return topic in self._intake.topics() or not self._has_reader(topic)

    def _has_reader(self, topic: str) -> bool:
        return any(watch.model.spec.source_of(topic) is not None for watch in self._watches.values())
