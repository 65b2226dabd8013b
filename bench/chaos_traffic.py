"""What comes in during a run of chaos: events by Kafka and by HTTP, many of them odd, and alerts that others post."""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

import httpx

from bench.chaos_accounts import Ledger
from bench.chaos_threads import Background

__all__ = ["PARTITIONS", "STREAM", "TOPIC", "Events", "PostedAlerts", "Traffic"]

TOPIC, STREAM, PARTITIONS = "shop", "desk", 3
TICK_S, POST_EVERY_S, ALERT_EVERY_S, ALERTS_EVERY_S = 0.1, 1.0, 5.0, 12.0
ODD_SHARE, DOUBLE_SHARE = 0.04, 0.01
LIVES_S = 20.0
DAY_MS = 86_400_000


class Events:
    """Makes events, each with an identity of its own.

    Parameters
    ----------
    name : str
        What identities begin with.
    seed : int

    Attributes
    ----------
    moved : bool
        Whether amounts are higher than usual.
    are_odd : bool
        Whether some are odd, or come twice.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._name, self._rng, self._count = name, random.Random(f"{seed} {name}"), 0
        self.moved, self.are_odd = False, True

    def next(self, now_ms: int) -> Sequence[tuple[str, bytes]]:
        """Return an event as JSON, with its identity; now and then it is odd, or comes twice, or as several."""
        draw = self._rng.random() if self.are_odd else 1.0
        if draw < ODD_SHARE:
            return [self._odd(now_ms) for _ in range(self._rng.choice([1, 1, 3]))]
        event = self._event(now_ms)
        made = event["id"], json.dumps(event).encode()
        # A copy of an event is no event: whichever of the two counts, the other is a duplicate.
        return [made, made] if draw < ODD_SHARE + DOUBLE_SHARE else [made]

    def _event(self, now_ms: int) -> dict[str, Any]:
        self._count += 1
        rng = self._rng
        return {
            "id": f"{self._name}{self._count}",
            "ts": now_ms - rng.randrange(1_500),
            "version": "v1",
            "amount": round(rng.gauss(140 if self.moved else 60, 15), 2),
            "country": rng.choices(["DE", "FR", "PL"], [0.6, 0.3, 0.1])[0],
            "score": round(rng.betavariate(2, 4), 5),
        }

    def _odd(self, now_ms: int) -> tuple[str, bytes]:
        event, rng = self._event(now_ms), self._rng
        identity = str(event["id"])
        kind = rng.randrange(12)
        changes: list[dict[str, Any]] = [
            {"amount": float("nan")},
            {"amount": "12"},
            {"amount": 1e999, "country": ["DE"]},
            {"score": None, "country": "x" * 5_000},
            {"version": f"build-{rng.randrange(10**9)}"},
            {"ts": now_ms + DAY_MS},
            {"ts": now_ms - DAY_MS},
            {"ts": now_ms + 1_200_000},
            {"country": "\ud800"},
        ]
        if kind < len(changes):
            return identity, json.dumps(event | changes[kind]).encode()
        deep = b'{"id": "%s", "ts": %d, "amount": ' % (identity.encode(), now_ms) + b"[" * 2_000 + b"]" * 2_000 + b"}"
        return identity, [b"\xff\xfe" + json.dumps(event).encode(), deep, b'{"id": "%s", ' % identity.encode()][
            kind - 9
        ]


class Traffic(Background):
    """Sends events until it is stopped, and keeps which were acknowledged.

    Parameters
    ----------
    bootstrap : str
    url : callable
        Returns where the service listens; empty if it does not.
    seed : int
    rate : float
        Events a second, two thirds of them by Kafka.
    """

    def __init__(self, bootstrap: str, url: Callable[[], str], seed: int, rate: float) -> None:
        from confluent_kafka import Producer

        super().__init__(self._produce, self._post)
        self.ledger = Ledger()
        self.errors: list[str] = []
        self.kafka, self.http = Events("k", seed), Events("h", seed)
        self._client = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
        self._rng, self._url, self._rate = random.Random(f"{seed} partitions"), url, rate

    def move(self, moved: bool) -> None:
        """Have amounts be higher than usual, or not."""
        self.kafka.moved = self.http.moved = moved

    def calm(self) -> None:
        """Send nothing odd any more: what comes late now would stand in panes that are still open at the end."""
        self.kafka.are_odd = self.http.are_odd = False

    def stop(self) -> None:
        """Send no more; return once all that was sent by Kafka is acknowledged."""
        super().stop()
        if self._client.flush(120):
            self.errors.append(f"{len(self._client)} messages were not acknowledged by the broker")

    def _produce(self) -> None:
        owed = 0.0
        while not self._stop.wait(TICK_S):
            owed += self._rate * TICK_S * 2 / 3
            while owed >= 1:
                partition, now_ms = self._rng.randrange(PARTITIONS), _now_ms()
                for identity, payload in self.kafka.next(now_ms):
                    owed -= 1
                    self._send(identity, payload, partition)
            self._client.poll(0)

    def _send(self, identity: str, payload: bytes, partition: int) -> None:
        def delivered(error: Any, message: Any) -> None:
            if error is None:
                self.ledger.accepted[TOPIC, partition, message.offset()] = identity
            else:
                self.errors.append(f"not produced: {error}")

        self._client.produce(TOPIC, payload, partition=partition, on_delivery=delivered)

    def _post(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stop.wait(POST_EVERY_S):
                events = list(_until(self.http, round(self._rate * POST_EVERY_S / 3)))
                self._post_events(client, events)

    def _post_events(self, client: httpx.Client, events: Sequence[tuple[str, bytes]]) -> None:
        ledger, names = self.ledger, [identity for identity, _ in events]
        url = self._url()
        if not url:
            ledger.refused["nobody listens"] += len(names)
            return
        try:
            body = b"\n".join(payload for _, payload in events)
            headers = {"content-type": "application/x-ndjson"}
            answer = client.post(f"{url}/v1/events/{STREAM}", content=body, headers=headers)
        except httpx.ConnectError:
            ledger.refused["nobody listens"] += len(names)
        except httpx.HTTPError:
            ledger.unanswered.update(names)
        else:
            self._note(answer, names)

    def _note(self, answer: httpx.Response, names: Sequence[str]) -> None:
        if answer.status_code != 202:
            self.ledger.refused[str(answer.status_code)] += len(names)
            return
        first = answer.json()["first_offset"]
        self.ledger.accepted.update({(STREAM, 0, first + i): name for i, name in enumerate(names)})


def _until(events: Events, count: int) -> Iterator[tuple[str, bytes]]:
    made = 0
    while made < count:
        for event in events.next(_now_ms()):
            yield event
            made += 1


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class PostedAlerts(Background):
    """Posts alerts as Prometheus does: again and again while they fire, and a while after they are over.

    Parameters
    ----------
    url : callable
        Returns where the service listens; empty if it does not.
    known : callable
        Returns what everybody was notified of: titles and statuses.

    Attributes
    ----------
    titles : list of str
        Of all that were posted and acknowledged.
    """

    def __init__(self, url: Callable[[], str], known: Callable[[], Set[tuple[str, str]]]) -> None:
        super().__init__(self._run)
        self.titles: list[str] = []
        self._url, self._known = url, known
        self._begun_s: dict[str, float] = {}
        self._over: deque[str] = deque(maxlen=200)
        self._count, self._is_ending = 0, False

    def end(self) -> None:
        """Have no more begin, and those that fire end once everybody knows that they do."""
        self._is_ending = True

    @property
    def left(self) -> list[str]:
        """Those of which somebody does not know that they are over."""
        known = self._known()
        return [title for title in self.titles if (title, "resolved") not in known]

    def _run(self) -> None:
        next_s = 0.0
        with httpx.Client(timeout=10) as client:
            while not self._stop.wait(ALERT_EVERY_S):
                if time.monotonic() >= next_s and not self._is_ending:
                    next_s = time.monotonic() + ALERTS_EVERY_S
                    self._count += 1
                    self._begun_s[f"disk {self._count} is full"] = time.monotonic()
                self._post(client)

    def _post(self, client: httpx.Client) -> None:
        now_s, known = time.monotonic(), self._known()
        for title in [t for t, at_s in self._begun_s.items() if now_s - at_s > LIVES_S and (t, "firing") in known]:
            del self._begun_s[title]
            self._over.append(title)
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        over = [title for title in self._over if (title, "resolved") not in known]
        alerts = [_alert(title) for title in self._begun_s] + [_alert(title) | {"endsAt": ended} for title in over]
        url = self._url()
        if not alerts or not url:
            return
        try:
            answer = client.post(f"{url}/api/v2/alerts", json=alerts)
        except httpx.HTTPError:
            return  # the next round posts them again
        if answer.status_code == 200:
            self.titles += [title for title in self._begun_s if title not in self.titles]


def _alert(title: str) -> dict[str, Any]:
    labels = {"alertname": "DiskFull", "disk": title.split()[1], "severity": "warning"}
    return {"labels": labels, "annotations": {"summary": title}}
