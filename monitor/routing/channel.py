"""One receiver's queue, retries and log."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from monitor.clock import Clock
from monitor.delivery.patience import TOLD_STATES, Decision, Patience, Recorded, why
from monitor.routing.decision_log import DecisionLog, Made, Why
from monitor.routing.message import compose
from monitor.routing.transitions import Following
from sinks.receivers.contract import Delivered, Outcome, Receiver, Refused, Retry
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["Channel"]

Row = dict[str, Any]
Key = tuple[str, int]

logger = structlog.get_logger("leeway.notify")


@dataclass
class Waiting:
    """The transitions of one alert that a channel has not settled, and how the first of them fares."""

    rows: list[Row] = field(default_factory=list)
    attempts: int = 0
    first_s: float = 0.0
    due_s: float = 0.0

    def settle(self) -> None:
        """The first is done with; the next starts afresh."""
        self.rows.pop(0)
        self.attempts, self.due_s = 0, 0.0


class Channel:
    """One receiver's queue, retries and log.

    Parameters
    ----------
    store : Store
    receiver : Receiver
    clock : Clock
    external_url : str
    models : iterable of str
    since_ms : int or None
        Tell about transitions from this event time on, whatever was noted as the start.
    patience : Patience
    """

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        clock: Clock,
        external_url: str,
        models: Iterable[str],
        *,
        since_ms: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.receiver = receiver
        self._store = store
        self._clock = clock
        self._external_url = external_url
        self._following = Following(store, clock, models, "notify", receiver.name, since_ms=since_ms)
        self._patience = patience or Patience()
        self._waiting: dict[str, Waiting] = {}
        self._log: dict[str, dict[int, Recorded]] = {}
        self._unwritten: list[Row] = []
        self._decisions = DecisionLog()
        self._decisions_loaded = False
        self._held_until_s = 0.0
        self._opened = self._stumbled = False

    @property
    def backlog(self) -> int:
        """Transitions that were read and are not settled."""
        return sum(len(waiting.rows) for waiting in list(self._waiting.values()))

    def open(self) -> None:
        """Note where the receiver starts, and read what it was sent before.

        Done by the first :meth:`step` if not before; a service calls it before anything can write transitions.

        Raises
        ------
        StoreError
        """
        if not self._opened:
            log = self._store.read(Query("notifications", where={"receiver": self.receiver.name}))
            for alert_id, sequence, outcome in zip(log["alert_id"], log["sequence"], log["outcome"], strict=True):
                self._log.setdefault(alert_id, {})[int(sequence)] = outcome
            self._following.open()
            self._opened = True

    def step(self, stop: threading.Event | None = None) -> int:
        """Read what is new, send what is due, note what came of it; return how many transitions were settled.

        Sending ends with the first answer that is a :class:`Retry`: a receiver that hangs costs one time-out a step,
        and the alert that met it waits, so that the next step tries another one. It also ends when ``stop`` is set.

        Raises
        ------
        StoreError
            If the store fails in a way that waiting does not mend.
        """
        try:
            self.open()
            self._write_log()
            self._read()
            settled = self._serve_all(stop or threading.Event())
            self._write_log()
            self._move_starts()
        except StoreError as error:
            if not error.retryable:
                raise
            logger.warning("the store did not answer", receiver=self.receiver.name, error=str(error))
            return 0
        return settled

    def _read(self) -> None:
        """Queue what is new."""
        rows = self._following.new()
        if not self._decisions_loaded:
            self._decisions.load(self._store, {row["alert_id"] for row in rows})
            self._decisions_loaded = True
        for row in rows:
            self._waiting.setdefault(row["alert_id"], Waiting()).rows.append(row)

    def _move_starts(self) -> None:
        """Let the next process begin with what waits, or where nothing does behind what this one has read."""
        oldest_ms: dict[str, int] = {}
        for row in (row for waiting in self._waiting.values() for row in waiting.rows):
            oldest_ms[row["model"]] = min(row["at_ms"], oldest_ms.get(row["model"], row["at_ms"]))
        self._following.keep(oldest_ms)

    def _serve_all(self, stop: threading.Event) -> int:
        self._stumbled = False
        settled = 0
        for alert_id, waiting in list(self._waiting.items()):
            if stop.is_set():
                break
            settled += self._serve(waiting)
            if not waiting.rows:
                del self._waiting[alert_id]
        return settled

    def _serve(self, waiting: Waiting) -> int:
        """Settle as many of an alert's transitions, in order, as can be settled now."""
        settled = 0
        while waiting.rows and self._settled(waiting):
            self._decisions.forget(*_key(waiting.rows[0]))
            if waiting.rows[0]["state"] == "resolved":
                # The last transition of an alert: nothing will ask for its log again.
                self._log.pop(waiting.rows[0]["alert_id"], None)
            waiting.settle()
            settled += 1
        return settled

    def _settled(self, waiting: Waiting) -> bool:
        row = waiting.rows[0]
        decision = self.decide(row)
        if not decision.send:
            if not decision.settled:
                self._decided(row, "unwanted", decision.reason)
            return True
        now_s = self._clock.monotonic_s()
        if self._stumbled or now_s < max(waiting.due_s, self._held_until_s):
            return False
        before = self._before(row)
        if waiting.attempts == 0:
            waiting.first_s = now_s
        waiting.attempts += 1
        message = compose(row, before, self.receiver.name, self._external_url)
        return self._note(row, waiting, self.receiver.send(message))

    def decide(self, row: Row) -> Decision:
        """Return whether the receiver is told about ``row`` of the table ``alerts``, and why."""
        log = self._log.get(row["alert_id"], {})
        return why(
            row,
            self._following.starts_ms[row["model"]],
            self.receiver.send_resolved,
            log.get(row["sequence"]),
            told=any(outcome != "refused" for outcome in log.values()),
        )

    def _before(self, row: Row) -> Row | None:
        """Return the transition before ``row`` that people may have been told of."""
        if row["sequence"] == 0:
            return None
        key = {"model": row["model"], "alert_id": row["alert_id"], "sequence": row["sequence"] - 1}
        found = rows_of(self._store.read(Query("alerts", where=key)))
        return found[0] if found and found[0]["state"] in TOLD_STATES else None

    def _note(self, row: Row, waiting: Waiting, outcome: Outcome) -> bool:
        """Take in what a receiver answered; return whether the transition is settled."""
        if isinstance(outcome, Delivered):
            self._record(row, "delivered", "", waiting.attempts)
        elif isinstance(outcome, Refused):
            self._record(row, "refused", outcome.reason, waiting.attempts)
        else:
            return self._retry(row, waiting, outcome)
        return True

    def _retry(self, row: Row, waiting: Waiting, outcome: Retry) -> bool:
        self._stumbled = True
        now_s = self._clock.monotonic_s()
        if now_s - waiting.first_s >= self._patience.give_up_s:
            self._record(row, "gave_up", outcome.reason, waiting.attempts)
            return True
        pause_s = self._patience.pause_s(waiting.attempts)
        if outcome.after_s is not None:
            # The receiver asks to be left alone, and means by every alert; not for longer than anybody would wait.
            pause_s = min(max(pause_s, outcome.after_s), self._patience.give_up_s)
            self._held_until_s = max(self._held_until_s, now_s + pause_s)
        waiting.due_s = now_s + pause_s
        self._decided(row, "retried", outcome.reason)
        logger.info(
            "notification is tried again",
            receiver=self.receiver.name,
            alert_id=row["alert_id"],
            sequence=row["sequence"],
            attempts=waiting.attempts,
            pause_s=pause_s,
            reason=outcome.reason,
        )
        return False

    def _decided(self, row: Row, why: Why, detail: str) -> None:
        now_ms = self._clock.now_ms()
        self._decisions.note(Made(row["alert_id"], row["sequence"], self.receiver.name, "", now_ms, why, detail))

    def _record(self, row: Row, outcome: Recorded, reason: str, attempts: int) -> None:
        self._log.setdefault(row["alert_id"], {})[row["sequence"]] = outcome
        self._decided(row, outcome, reason or f"{row['state']} was not sent yet")
        entry = {
            "alert_id": row["alert_id"],
            "sequence": row["sequence"],
            "receiver": self.receiver.name,
            "outcome": outcome,
            "reason": reason,
            "attempts": attempts,
            "at_ms": self._clock.now_ms(),
        }
        if outcome != "delivered":
            logger.warning("notification was not delivered", **entry)
        # If the store fails now, `_log` still knows: the transition is not sent again while the process lives.
        self._unwritten.append(entry)
        self._write_log()

    def _write_log(self) -> None:
        self._decisions.write(self._store)
        while self._unwritten:
            entry = self._unwritten[0]
            token = f"notify/{entry['receiver']}/{entry['alert_id']}/{entry['sequence']}"
            self._store.append("notifications", _columns([entry]), token)
            self._unwritten.pop(0)


def _key(row: Row) -> Key:
    return row["alert_id"], row["sequence"]


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
