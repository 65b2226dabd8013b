"""How a rollout stands: what its log and its rows say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.rollouts.rollout_log import Rollout
from monitor.rollouts.verdict import Verdict
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Standing", "State", "standing"]

State = Literal["waiting", "running", "decided", "over", "stopped"]


@dataclass(frozen=True)
class Standing:
    """How a rollout stands.

    Attributes
    ----------
    state : {"waiting", "running", "decided", "over", "stopped"}
        `waiting` for its first window; `over` without a verdict.
    verdict : {"promote", "hold", "rollback"}
    last_ms : int
        Up to which event time versions are compared; 0 before the first span.
    """

    state: State
    verdict: Verdict
    last_ms: int

    @property
    def is_active(self) -> bool:
        """Whether versions are compared, or will be."""
        return self.state in ("waiting", "running")


def standing(store: Store, rollout: Rollout) -> Standing:
    """Return how a rollout stands.

    Raises
    ------
    StoreError
    """
    where = {"model": rollout.model, "rollout": rollout.id}
    columns = ("end_ms", "verdict", "model", "rollout", "signal")
    newest = Query("rollout_strata", where, order=("end_ms",), descending=True, limit=1, columns=columns)
    rows = rows_of(store.read(newest))
    verdict: Verdict = rows[0]["verdict"] if rows else "hold"
    last_ms = rows[0]["end_ms"] if rows else 0
    return Standing(_state(rollout, verdict, last_ms), verdict, last_ms)


def _state(rollout: Rollout, verdict: Verdict, last_ms: int) -> State:
    if verdict != "hold":
        return "decided"
    if last_ms and last_ms >= rollout.until_ms:
        return "over"
    if rollout.stopped_ms:
        return "stopped"
    return "running" if rollout.stratum_ms else "waiting"
