"""The keys of an OpenID issuer, as one process knows them; a request waits for the issuer for two seconds at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from joserfc.jwk import KeySet
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.access.issuer import Issuer, Metadata
from monitor.api.problems import ProblemError
from monitor.clock import Clock

__all__ = ["IssuerKeys"]

REREAD_S = 600.0
AGAIN_S = 10.0
"""How often an issuer is asked at most, whatever is shown: who makes keys up does not make us ask for them."""

PATIENCE_S = 2.0

Answer = tuple[Metadata, KeySet]
log = structlog.get_logger("leeway.api")


class IssuerKeys(Collector):
    """Keeps the keys of an issuer.

    Parameters
    ----------
    issuer : Issuer
    clock : Clock
    keep_s : float
        How long keys count while the issuer does not answer.
    """

    def __init__(self, issuer: Issuer, clock: Clock, keep_s: float) -> None:
        self._issuer, self._clock, self._keep_s = issuer, clock, keep_s
        self._answer: Answer | None = None
        self._read_s = self._tried_s = float("-inf")
        self._reading: asyncio.Task[Answer] | None = None
        self._reader = CapacityLimiter(1)
        self._failure, self._failures = "", 0

    async def keys(self, key_id: str | None) -> KeySet:
        """Return the keys; they are read first if one is asked for that nobody knows.

        Raises
        ------
        ProblemError
            None are known.
        """
        _, keys = await self._known(lambda answer: key_id is None or key_id in {key.kid for key in answer[1]})
        return keys

    async def metadata(self) -> Metadata:
        """Return what the issuer says of itself.

        Raises
        ------
        ProblemError
            That is not known.
        """
        metadata, _ = await self._known(lambda _: True)
        return metadata

    def notes(self) -> list[str]:
        """Return what people should know: that the issuer does not answer."""
        if not self._failure:
            return []
        # It is asked only while tokens come: what it said an hour ago it may no longer say.
        minutes = int((self._clock.monotonic_s() - self._tried_s) / 60)
        failure = f"{self._failure} ({minutes} min ago, and was not asked since)" if minutes else self._failure
        if self._counting() is None:
            return [f"{failure}; nobody gets in with its tokens"]
        hours = (self._keep_s - self._age_s()) / 3600
        return [f"{failure}; its tokens are checked with the keys that are known, for {hours:.1f} h"]

    def collect(self) -> Iterable[Metric]:
        """How old the keys are, and how often they could not be read."""
        text = "Seconds since the keys of the OpenID issuer were read."
        ages = GaugeMetricFamily("leeway_oidc_keys_age_seconds", text)
        if self._answer is not None:
            ages.add_metric([], self._age_s())
        yield ages
        text = "Times that the OpenID issuer did not give its keys."
        yield CounterMetricFamily("leeway_oidc_failures", text, value=self._failures)

    async def _known(self, suffices: Callable[[Answer], bool]) -> Answer:
        answer = self._counting()
        is_enough = answer is not None and suffices(answer)
        if self._age_s() >= REREAD_S or not is_enough:
            self._start_reading()
            await self._wait_for_issuer(PATIENCE_S if not is_enough else self._patience_s())
            answer = self._counting()
        if answer is None:
            reason = self._failure or f"the issuer {self._issuer.url} takes long to answer"
            raise ProblemError("unavailable", f"{reason}: its tokens cannot be checked")
        return answer

    def _patience_s(self) -> float:
        # An old key may have been withdrawn long ago. While an issuer hangs, only those who come first wait for it.
        return PATIENCE_S - (self._clock.monotonic_s() - self._tried_s)

    async def _wait_for_issuer(self, patience_s: float) -> None:
        if self._reading is not None and patience_s > 0:
            await asyncio.wait({self._reading}, timeout=patience_s)

    def _start_reading(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._reading is not None or now_s - self._tried_s < AGAIN_S:
            return
        self._tried_s = now_s
        self._reading = asyncio.create_task(run_sync(self._read, limiter=self._reader))
        self._reading.add_done_callback(partial(self._take, now_s))

    def _read(self) -> Answer:
        metadata = self._issuer.metadata()
        return metadata, self._issuer.keys(metadata)

    def _take(self, began_s: float, reading: asyncio.Task[Answer]) -> None:
        self._reading = None
        if reading.cancelled():
            return
        if error := reading.exception():
            self._failure, self._failures = str(error), self._failures + 1
            log.warning("the keys of the issuer are not read", reason=self._failure)
            return
        self._answer, self._read_s, self._failure = reading.result(), began_s, ""

    def _counting(self) -> Answer | None:
        return self._answer if self._age_s() <= self._keep_s else None

    def _age_s(self) -> float:
        return self._clock.monotonic_s() - self._read_s
