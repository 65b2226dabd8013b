"""The alerts about silences: their transitions stand in a table of their own, by the time of the clock."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import xxhash

from monitor.alerts.alert_log import ALERTS, FRESHNESS, FRESHNESS_ALERTS
from monitor.alerts.transition import Transition, to_columns
from monitor.config.model import Metadata
from monitor.freshness.streams import Stream
from monitor.freshness.wording import Silence, reasons, title, title_of_end, unjudged
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["FreshnessAlerts"]

UNJUDGED_AT_MOST = 5
OF_THE_STREAM = ("kind", "topic", "partition")


class FreshnessAlerts:
    """Writes them, each transition once, whatever ends or starts in between.

    Parameters
    ----------
    store : Store
    models : mapping of str to Metadata
        Of each model, what stands on its alerts.
    """

    def __init__(self, store: Store, models: Mapping[str, Metadata]) -> None:
        self._store, self._models = store, models
        self._firing: dict[Stream, Transition] | None = None
        self._newest_ms = 0

    @property
    def firing(self) -> Collection[Stream]:
        """The streams of which an alert fires.

        Raises
        ------
        StoreError
        """
        return self._read().keys()

    def step(self, now_ms: int, silences: Mapping[Stream, Silence], over: Collection[Stream]) -> bool:
        """Write what has become of alerts; return whether anything has.

        Parameters
        ----------
        now_ms : int
        silences : mapping of Stream to Silence
            That are too long.
        over : collection of Stream
            Whose silence has ended, or is watched no more.

        Raises
        ------
        StoreError
        """
        firing = self._read()
        # Transitions are read by their time: it never goes back.
        at_ms = max(now_ms, self._newest_ms)
        begun = {stream: self._begins(silences[stream], at_ms) for stream in sorted(silences.keys() - firing.keys())}
        ended = {stream: _ends(stream, firing[stream], at_ms) for stream in sorted(firing.keys() & set(over))}
        if begun or ended:
            append(self._store, FRESHNESS_ALERTS, to_columns([*begun.values(), *ended.values()]))
            self._newest_ms = at_ms
            self._firing = {stream: alert for stream, alert in (firing | begun).items() if stream not in ended}
        return bool(begun or ended)

    def _read(self) -> dict[Stream, Transition]:
        if self._firing is None:
            rows = rows_of(self._store.read(Query(FRESHNESS_ALERTS)))
            newest = {row["alert_id"]: row for row in rows}
            self._newest_ms = max((row["at_ms"] for row in rows), default=0)
            alerts = [_transition(row) for row in newest.values() if row["state"] == "firing"]
            self._firing = {_stream(alert): alert for alert in alerts}
        return self._firing

    def _begins(self, silence: Silence, at_ms: int) -> Transition:
        stream, metadata = silence.stream, self._models[silence.stream.model]
        alert_id = xxhash.xxh3_64_hexdigest(json.dumps([*vars(stream).values(), silence.last_ms]).encode())
        severity = "critical" if stream.kind == "model" and (silence.by_hour or silence.expect_s) else "warning"
        topic = {"topic": stream.topic, "partition": str(stream.partition) if stream.partition >= 0 else ""}
        own = {
            "alertname": FRESHNESS,
            "alert_id": alert_id,
            "cause": "freshness",
            "model": stream.model,
            "namespace": metadata.namespace,
            "severity": severity,
            **topic,
        }
        return Transition(
            model=stream.model,
            alert_id=alert_id,
            sequence=0,
            state="firing",
            at_ms=at_ms,
            starts_ms=silence.last_ms or at_ms,
            ends_ms=0,
            version="",
            segment="",
            severity=severity,
            title=title(silence),
            labels={**metadata.labels, **{name: value for name, value in own.items() if value}},
            signals=[_entry(silence, reason) for reason in (*reasons(silence), *self._unjudged(stream))],
        )

    def _unjudged(self, stream: Stream) -> list[str]:
        """Sentences about the alerts that fire and that nothing can end while nothing comes."""
        if stream.kind != "model":
            return []
        rows = rows_of(self._store.read(Query(ALERTS, {"model": stream.model})))
        newest = {row["alert_id"]: row for row in rows}
        firing = [row for row in newest.values() if row["state"] in ("firing", "updated")]
        return [unjudged(row["title"], row["alert_id"]) for row in firing[:UNJUDGED_AT_MOST]]


def _entry(silence: Silence, reason: str) -> dict[str, Any]:
    """One sentence about a silence, with its facts."""
    facts = {name: getattr(silence.stream, name) for name in OF_THE_STREAM}
    return facts | {
        "since_ms": silence.last_ms,
        "last_ms": silence.now_ms,
        "watched_s": silence.watched_s,
        "allowed_s": silence.allowed_s if silence.allowed_s < 1e12 else None,
        "usual_s": 1 / silence.rate if silence.rate > 0 else None,
        "alarmed": True,
        "reason": reason,
    }


def _ends(stream: Stream, alert: Transition, at_ms: int) -> Transition:
    since_ms = alert.signals[0]["since_ms"] if alert.signals else 0
    return replace(
        alert,
        sequence=alert.sequence + 1,
        state="resolved",
        at_ms=at_ms,
        ends_ms=at_ms,
        title=title_of_end(stream, since_ms, at_ms),
        signals=[{**alert.signals[0], "alarmed": False, "reason": ""}] if alert.signals else [],
    )


def _transition(row: Mapping[str, Any]) -> Transition:
    return Transition(**{**row, "labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])})


def _stream(alert: Transition) -> Stream:
    return Stream(alert.model, *(alert.signals[0][name] for name in OF_THE_STREAM))
