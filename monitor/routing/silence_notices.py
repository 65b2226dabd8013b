"""Notices of silences: who is to hear that a silence began hears it once, and once that it is over.

They are receivers that the silence names, and those that the configuration names for all silences. What each heard last
of a silence is kept in the store (table ``checkpoints``, stage :data:`NOTICED`), written after the receiver answered: a
process that ends in between says it again, under the same key. That it may hear of a beginning is written before, so
that it hears of the end even if that comes before the next process. What became of it is a row of ``decisions`` under
the silence's id, with the second in which the silence began to count as its `sequence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from monitor.checkpoint import decode_state, encode_state
from monitor.clock import Clock
from monitor.delivery.attempts import Delivery
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.decision_log import Made, silenced_by
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import labels_text
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.receivers.contract import Alert, Notification
from sinks.receivers.times import utc
from sinks.store.change_log import after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["NOTICED", "Heard", "Notices", "due"]

NOTICED = "noticed"
EVERY_MS = 10_000
"""How often silences are looked at."""

TRIED_S = 60.0
"""For so long a notice is tried before silences are looked at again, and what it says may have changed."""

TITLES_AT_MOST = 10
"""Alerts that a notice names."""

Firing = Callable[[], Sequence[RoutedAlert]]
"""Gives the alerts that fire."""


class Heard(NamedTuple):
    """What a receiver heard last of a silence.

    Attributes
    ----------
    since_ms : int
        Since when the silence counted, in whole seconds.
    state : {"perhaps", "began", "over"}
        The first if nobody knows whether it heard that it began; the last also if it need not hear that it is over.
    """

    since_ms: int
    state: Literal["perhaps", "began", "over"]


def due(silence: Silence, heard: Heard | None, now_ms: int) -> Heard | None:
    """Return what a receiver is to hear next; None if it knows how things stand.

    Nobody hears of the end of what they did not hear the beginning of.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> silence = Silence("s1", parse_matchers("model=fraud"), 10_000, 20_000)
    >>> due(silence, None, 5_000), due(silence, None, 10_000)
    (None, Heard(since_ms=10000, state='began'))
    >>> due(silence, Heard(10_000, "began"), 15_000), due(silence, Heard(10_000, "perhaps"), 20_001)
    (None, Heard(since_ms=10000, state='over'))
    """
    counts = silence.span(now_ms)
    since_ms = None if counts is None else counts[0] // 1000 * 1000
    if heard is not None and heard.state != "over" and heard.since_ms != since_ms:
        return Heard(heard.since_ms, "over")
    if since_ms is not None and (heard is None or heard.since_ms != since_ms or heard.state == "perhaps"):
        return Heard(since_ms, "began")
    return None


@dataclass(frozen=True)
class _Job:
    silence: Silence
    target: Target
    news: Heard
    detail: str
    future: Future[Delivery]


class Notices:
    """Tells who wants to know of silences.

    Parameters
    ----------
    store : Store
    clock : Clock
    senders : Senders
    always : sequence of str
        Receivers that hear of every silence.
    external_url : str
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        senders: Senders,
        always: Sequence[str],
        external_url: str,
    ) -> None:
        self._store, self._clock, self._silences = store, clock, SilenceLog(store, clock)
        self._senders, self._always, self._external_url = senders, always, external_url
        self._heard: dict[tuple[str, str], Heard] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._jobs: dict[tuple[str, str], _Job] = {}
        self._unwritten: list[tuple[dict[str, list[Any]], str]] = []
        self._look_ms = 0

    def open(self) -> None:
        """Read what was heard before.

        Raises
        ------
        StoreError
        """
        for row in rows_of(self._store.read(Query("checkpoints", where={"stage": NOTICED}))):
            state = decode_state(row["state"])
            key = state["silence"], state["target"]
            self._positions[key] = row["position"]
            if state["heard"] is not None:
                self._heard[key] = Heard(*state["heard"])

    def step(self, firing: Firing) -> list[Made]:
        """Begin to send notices that are due; return what became of those sent before.

        Raises
        ------
        StoreError
        """
        now_ms = self._clock.now_ms()
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + EVERY_MS
            for silence in self._known():
                for target in self._wanting(silence):
                    self._tell(silence, target, now_ms, firing)
        return self.settle()

    def settle(self) -> list[Made]:
        """Return what became of notices whose receivers have answered."""
        done = [job for job in self._jobs.values() if job.future.done()]
        return [self._settled(job) for job in done]

    def take_over(self, former: Notices) -> None:
        """Take up the notices that receivers are still being sent."""
        self._jobs.update(former._jobs)

    def write(self) -> None:
        """Write what was heard.

        Raises
        ------
        StoreError
        """
        while self._unwritten:
            columns, token = self._unwritten[0]
            self._store.append("checkpoints", columns, token)
            self._unwritten.pop(0)

    def _known(self) -> Iterable[Silence]:
        """The silences of now, and those long gone whose end somebody waits for."""
        silences = {silence.id: silence for silence in self._silences.all()}
        waiting = {name for (name, _), heard in self._heard.items() if heard.state != "over"}
        return [*silences.values(), *self._silences.named(waiting - silences.keys())]

    def _wanting(self, silence: Silence) -> Iterator[Target]:
        for name in dict.fromkeys([*silence.tells, *self._always]):
            yield from self._senders.targets.get(name, ())

    def _tell(self, silence: Silence, target: Target, now_ms: int, firing: Firing) -> None:
        key = silence.id, target.name
        news = due(silence, self._heard.get(key), now_ms)
        if news is None or key in self._jobs:
            return
        matching = [alert for alert in firing() if silence.matches(alert.matched)]
        titles = [alert.annotations.get("summary") or labels_text(alert.labels) for alert in matching]
        until_ms = _until(silence, news)
        if news.state == "over":
            until_ms = min(until_ms, now_ms)
            silenced = silenced_by(self._store, silence.id, news.since_ms, until_ms)
            detail = f"it is over: alerts that it kept quiet: {len(silenced)}, that still fire: {len(titles)}"
        else:
            detail = f"it began: alerts that fire and that it keeps quiet: {len(titles)}"
            self._keep(key, Heard(news.since_ms, "perhaps"), now_ms)
            self.write()
        notification = self._composed(silence, target, news, until_ms, [detail, *_named(titles)])
        self._jobs[key] = _Job(silence, target, news, detail, self._senders.send(target, notification, TRIED_S))

    def _composed(
        self, silence: Silence, target: Target, news: Heard, until_ms: int, lines: Sequence[str]
    ) -> Notification:
        about = {"alertname": "LeewaySilence", "silence_id": silence.id, "since": utc(news.since_ms)}
        matchers = ", ".join(map(str, silence.matchers))
        is_over = news.state == "over"
        until = "" if is_over else f"until {utc(until_ms)}, "
        alert = Alert(
            status="resolved" if is_over else "firing",
            labels=about | {"severity": "info"},
            annotations={
                "summary": f"silence of {matchers} {'is over' if is_over else 'began'}",
                "description": "\n".join([f"{until}by {silence.created_by}: {silence.comment}", *lines]),
            },
            starts_at_ms=news.since_ms,
            ends_at_ms=until_ms if is_over else 0,
        )
        return Notification(
            target.receiver, f"{{}}:{labels_text(about)}", about, (alert,), self._external_url,
            at_ms=until_ms if is_over else news.since_ms,
        )  # fmt: skip

    def _settled(self, job: _Job) -> Made:
        delivery = job.future.result()
        key = job.silence.id, job.target.name
        del self._jobs[key]
        now_ms = self._clock.now_ms()
        if delivery.outcome == "delivered" or (delivery.outcome == "refused" and delivery.may_have_it):
            self._keep(key, job.news, now_ms)
        elif delivery.outcome == "refused":
            self._keep(key, Heard(job.news.since_ms, "over"), now_ms)
        elif job.news.state == "began" and not delivery.may_have_it:
            self._keep(key, None, now_ms)
        detail = f"{job.detail}; {delivery.reason}" if delivery.reason else job.detail
        return Made(job.silence.id, job.news.since_ms // 1000, job.target.name, "", now_ms, delivery.outcome, detail)

    def _keep(self, key: tuple[str, str], heard: Heard | None, now_ms: int) -> None:
        if heard is None:
            del self._heard[key]
        else:
            self._heard[key] = heard
        position = self._positions[key] = after(self._positions.get(key, 0), now_ms)
        silence, target = key
        name = f"{target}/{silence}"
        state = encode_state({"silence": silence, "target": target, "heard": heard})
        row = {"stage": NOTICED, "name": name, "partition": 0, "position": position, "config": "", "state": state}
        self._unwritten.append(({column: [value] for column, value in row.items()}, f"{NOTICED}/{name}/{position}"))


def _until(silence: Silence, news: Heard) -> int:
    counted = silence.span(max(news.since_ms, silence.starts_ms))
    return silence.ends_ms if counted is None else counted[1]


def _named(titles: Sequence[str]) -> list[str]:
    omitted = len(titles) - TITLES_AT_MOST
    return [*titles[:TITLES_AT_MOST], *([f"and {omitted} more"] if omitted > 0 else [])]
