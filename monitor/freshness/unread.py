"""Alerts about topics that nobody reads, or for which no broker answers: silence would be no news there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.alerts.own import EVENTS_UNREAD, TOPIC_GONE, StandingAlerts, firing_values
from monitor.alerts.wording import listed
from monitor.clock import Clock
from monitor.config.model import Model
from monitor.freshness.follower import READ_WITHIN_S, Heard
from monitor.ingest.arrivals import Flow
from sinks.receivers.times import utc
from sinks.store.contract import Store

__all__ = ["UnreadAlerts"]

UNREAD_AFTER_S = 300.0
"""Processes that restart, and brokers that hand partitions over, take less."""

AFTER_S = {"unread": READ_WITHIN_S, "unanswered": 0.0}
"""What keeps a partition from being read, and how long that lasts before it is known."""


class _Unread(NamedTuple):
    since_s: float
    why: str


class UnreadAlerts:
    """Writes them, one for a topic.

    Parameters
    ----------
    store : Store
    clock : Clock
    models : mapping of str to Model
        Whose topics count.
    """

    def __init__(self, store: Store, clock: Clock, models: Mapping[str, Model]) -> None:
        self._store, self._clock, self._models = store, clock, models
        self._alerts = StandingAlerts(store, clock, EVENTS_UNREAD, "topic", shared=True)
        self._unread: dict[Flow, _Unread] = {}
        self._stated: dict[str, set[Flow]] = {}

    def step(self, heard: Mapping[Flow, Heard]) -> None:
        """Write what has become of them.

        Parameters
        ----------
        heard : mapping of Flow to Heard
            Of every flow; those that no model reads any more have no say.

        Raises
        ------
        StoreError
        """
        now_s = self._clock.monotonic_s()
        flows = [flow for flow in heard if self._is_read(flow)]
        unread = {flow: heard[flow].why_unwatched for flow in flows if heard[flow].why_unwatched in AFTER_S}
        self._unread = {
            flow: _Unread(self._unread[flow].since_s if flow in self._unread else now_s - AFTER_S[why], why)
            for flow, why in unread.items()
        }
        lasting: dict[str, dict[Flow, _Unread]] = {}
        for flow, of_flow in self._unread.items():
            if now_s - of_flow.since_s >= UNREAD_AFTER_S:
                lasting.setdefault(flow.topic, {})[flow] = of_flow
        doubtful = {flow.topic for flow in flows if flow in self._unread or not heard[flow].is_stated}
        if lasting:
            # What was deleted cannot be read, and there is an alert about it.
            deleted = firing_values(self._store, TOPIC_GONE, "topic")
            lasting = {topic: of_topic for topic, of_topic in lasting.items() if topic not in deleted}
        holding = {topic: self._sentence(topic, of_topic) for topic, of_topic in lasting.items()}
        # What is read again and unread once more, while others are not, is no news.
        news = {
            topic: _partitions(of_topic)
            for topic, of_topic in lasting.items()
            if not of_topic.keys() <= self._stated.get(topic, set())
        }
        self._alerts.step(holding, lambda topic: topic not in doubtful, news)
        self._stated = {topic: self._stated.get(topic, set()) | of_topic.keys() for topic, of_topic in lasting.items()}

    def _is_read(self, flow: Flow) -> bool:
        model = self._models.get(flow.model)
        return model is not None and model.spec.source_of(flow.topic) is not None

    def _sentence(self, topic: str, unread: Mapping[Flow, _Unread]) -> str:
        lasts_s = self._clock.monotonic_s() - min(flow.since_s for flow in unread.values())
        minute = (self._clock.now_ms() - round(lasts_s * 1000)) // 60_000
        models = listed(sorted({flow.model for flow in unread}))
        if any(flow.why == "unanswered" for flow in unread.values()):
            why = "no broker answers. See whether those that have them run and can be reached"
        else:
            why = "no process reads them. See whether those with the role ingest run"
        return (
            f"{topic}: {_partitions(unread)} {utc(minute * 60_000)}: {why}. Until then nothing of"
            f" {models} is evaluated, and nothing is lost"
        )


def _partitions(unread: Iterable[Flow]) -> str:
    numbers = sorted({flow.partition for flow in unread})
    names = listed([str(number) for number in numbers])
    # Up to `since`: the text of partition 1 is no part of that of partition 12.
    return f"nothing is read of partition{'s' * (len(numbers) > 1)} {names} since"
