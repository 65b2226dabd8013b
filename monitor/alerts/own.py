"""Alerts about Leeway itself: every receiver is notified, as of those about models.

They carry :data:`MODEL` in place of a model, a name that no model can have, and the time of the clock: their order is
their own. Writing one again changes only its time, and nobody is notified twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import xxhash

from monitor.alerts.lifecycle import State, Transition, to_columns
from monitor.clock import Clock
from monitor.events import Gap, Partition
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST, in_log, is_cut
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["MODEL", "STAGE_FAILED", "OwnAlerts", "StageAlerts"]

MODEL = "_leeway"
STAGE_FAILED = "stage_failed"


class OwnAlerts:
    """Writes them.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> alerts = OwnAlerts(store, ManualClock())
    >>> alerts.lost(("events", 0, 5, 9))
    >>> alerts.pass_gaps({("events", 0): 9})
    >>> store.read(Query("alerts"))["state"]
    ['firing', 'resolved']
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._since_ms: dict[Gap, int] = {}

    def lost(self, gap: Gap) -> None:
        """Messages were gone before they were read."""
        self._since_ms[gap] = self._clock.now_ms()
        self._write(gap, 0, "firing", self._since_ms[gap], ends_ms=0)

    def pass_gaps(self, positions: Mapping[Partition, int]) -> None:
        """Resolve the alerts of gaps that partitions have been read past: the messages stay lost.

        Parameters
        ----------
        positions : mapping of Partition to int
            The next offsets to read.
        """
        now_ms = self._clock.now_ms()
        for gap in [gap for gap in self._since_ms if positions.get(gap[:2], 0) > gap[2]]:
            self._write(gap, 1, "resolved", now_ms, ends_ms=now_ms)
            del self._since_ms[gap]

    def forget(self) -> None:
        """Reading goes back to the checkpoints: a gap that lies behind them is found again."""
        self._since_ms.clear()

    def _write(self, gap: Gap, sequence: int, state: State, at_ms: int, ends_ms: int) -> None:
        topic, partition, first, _following = gap
        name = LOG_TRUNCATED if is_cut(gap) else OFFSETS_LOST
        transition = Transition(
            model=MODEL,
            alert_id=xxhash.xxh3_64_hexdigest(f"{name}|{topic}|{partition}|{first}".encode()),
            sequence=sequence,
            state=state,
            at_ms=at_ms,
            starts_ms=self._since_ms[gap],
            ends_ms=ends_ms,
            version="",
            segment="",
            severity="critical",
            title=_title(gap),
            labels={"alertname": name, "severity": "critical", "topic": topic, "partition": str(partition)},
            signals=[],
        )
        append(self._store, "alerts", to_columns([transition]))


class StageAlerts:
    """Alerts about stages of this process that fail.

    Parameters
    ----------
    store : Store
    clock : Clock
    stages : collection of str
        Of this process: an alert about one of them that an earlier process left is resolved once the stage runs.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    >>> alerts = StageAlerts(store, clock, ["ingest", "alert"])
    >>> alerts.step({"alert": KeyError("x")})
    >>> alerts.step({"alert": KeyError("x")})
    >>> clock.advance(60)
    >>> StageAlerts(store, clock, ["alert"]).step({})
    >>> [(row["state"], row["title"]) for row in rows_of(store.read(Query("alerts")))]
    [('firing', 'the stage alert fails (KeyError), and is started again'), ('resolved', 'the stage alert runs')]
    """

    def __init__(self, store: Store, clock: Clock, stages: Collection[str]) -> None:
        self._store, self._clock, self._stages = store, clock, frozenset(stages)
        self._standing: dict[str, Transition] | None = None

    def step(self, failing: Mapping[str, Exception]) -> None:
        """Write what has changed.

        Parameters
        ----------
        failing : mapping of str to Exception
            By stage, what it failed with.

        Raises
        ------
        StoreError
        """
        if self._standing is None:
            self._standing = self._stored()
        now_ms = self._clock.now_ms()
        firing = [_stage_fails(stage, failing[stage], now_ms) for stage in sorted(failing.keys() - self._standing)]
        resolved = [
            replace(
                alert,
                sequence=alert.sequence + 1,
                state="resolved",
                at_ms=now_ms,
                ends_ms=now_ms,
                title=f"the stage {stage} runs",
            )
            for stage, alert in sorted(self._standing.items())
            if stage not in failing
        ]
        if firing or resolved:
            append(self._store, "alerts", to_columns([*firing, *resolved]))
        standing = {**self._standing, **{alert.labels["stage"]: alert for alert in firing}}
        self._standing = {stage: alert for stage, alert in standing.items() if stage in failing}

    def _stored(self) -> dict[str, Transition]:
        """The alerts about stages of this process that fire, as they are stored."""
        rows = rows_of(self._store.read(Query("alerts", where={"model": MODEL})))
        newest = {row["alert_id"]: _read(row) for row in rows}
        return {
            alert.labels["stage"]: alert
            for alert in newest.values()
            if alert.state == "firing" and alert.labels.get("stage") in self._stages
        }


def _read(row: Mapping[str, Any]) -> Transition:
    return Transition(**{**row, "labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])})


def _stage_fails(stage: str, error: Exception, now_ms: int) -> Transition:
    return Transition(
        model=MODEL,
        alert_id=xxhash.xxh3_64_hexdigest(f"{STAGE_FAILED}|{stage}|{now_ms}".encode()),
        sequence=0,
        state="firing",
        at_ms=now_ms,
        starts_ms=now_ms,
        ends_ms=0,
        version="",
        segment="",
        severity="critical",
        # The message of an error may hold what must not be kept: the log and `/readyz` have it.
        title=f"the stage {stage} fails ({type(error).__name__}), and is started again",
        labels={"alertname": STAGE_FAILED, "severity": "critical", "stage": stage},
        signals=[],
    )


def _title(gap: Gap) -> str:
    topic, partition, first, following = gap
    if is_cut(gap):
        return (
            f"{topic}/{partition} was made anew or cut short behind offset {in_log(first)}; it is read on from offset"
            f" {in_log(following)}"
        )
    return f"{following - first} messages of {topic}/{partition}, from offset {first} on, were lost unread"
