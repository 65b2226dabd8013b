"""How many events a second namespaces may post: more are refused, with when to come again."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter

from monitor.api.problems import ProblemError
from monitor.api.rates import INGEST_BURST_S, Buckets
from monitor.clock import Clock
from monitor.config import Model
from monitor.config.quotas import Quota

__all__ = ["EventQuotas"]


class EventQuotas:
    """What each namespace may still post in this process. A body is taken whole: those behind it wait for it.

    Parameters
    ----------
    quotas : mapping of str to Quota
        By namespace.
    clock : Clock
    registry : CollectorRegistry
    """

    def __init__(self, quotas: Mapping[str, Quota], clock: Clock, registry: CollectorRegistry) -> None:
        self._turn = threading.Lock()
        self._buckets = {
            namespace: Buckets(clock, quota.events_per_s, quota.events_per_s * INGEST_BURST_S)
            for namespace, quota in quotas.items()
            if quota.events_per_s is not None
        }
        self._quotas = quotas
        text = "Events over HTTP that were refused since their namespace had sent too many."
        self._refused = Counter("leeway_quota_refused_events", text, ["namespace"], registry=registry)

    @contextmanager
    def taking(self, models: Mapping[str, Model], stream: str, events: int) -> Iterator[None]:
        """Count events of a stream against the namespaces whose models read it, unless they are not accepted after all.

        Parameters
        ----------
        models : mapping of str to Model
            All that streams are read for, templates too.
        stream : str
        events : int

        Raises
        ------
        ProblemError
            One of them has sent too many.
        """
        limited = self._limited(models, stream)
        self._take(limited, events)
        try:
            yield
        except BaseException:
            with self._turn:
                self._spend(limited, -events)
            raise

    def _limited(self, models: Mapping[str, Model], stream: str) -> list[str]:
        if not self._buckets:
            return []
        reading = [model for model in models.values() if any(stream == source.http for source in model.spec.sources)]
        return sorted({model.metadata.namespace for model in reading} & self._buckets.keys())

    def _take(self, limited: Iterable[str], events: int) -> None:
        with self._turn:
            for namespace in limited:
                if (wait_s := self._buckets[namespace].lacking_s("", 0)) > 0:
                    self._refused.labels(namespace).inc(events)
                    raise self._refusal(namespace, math.ceil(wait_s))
            self._spend(limited, events)

    def _spend(self, limited: Iterable[str], events: int) -> None:
        for namespace in limited:
            self._buckets[namespace].spend("", events)

    def _refusal(self, namespace: str, seconds: int) -> ProblemError:
        limit = self._quotas[namespace].events_per_s
        detail = (
            f"namespace {namespace} may have {limit:,g} events a second (`spec.quotas`), and has sent more: come again"
            f" in {seconds} s"
        )
        return ProblemError("too-many-requests", detail, retry_after_s=seconds)
