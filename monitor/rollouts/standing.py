"""How a rollout stands: what its log and its rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from monitor.rollouts.rollout_log import Rollout
from monitor.rollouts.verdict import Verdict
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Standing", "State", "standings"]

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


def standings(store: Store, rollouts: Sequence[Rollout]) -> dict[str, Standing]:
    """Return how rollouts stand, by id: one question, however many they are.

    Raises
    ------
    StoreError
    """
    if not rollouts:
        return {}
    where = {
        "model": sorted({rollout.model for rollout in rollouts}),
        "rollout": sorted(rollout.id for rollout in rollouts),
    }
    newest = Query("rollout_strata", where, order=("end_ms",), descending=True, first_by=("rollout",))
    rows = {row["rollout"]: row for row in rows_of(store.read(newest))}
    return {rollout.id: _standing(rollout, rows.get(rollout.id)) for rollout in rollouts}


def _standing(rollout: Rollout, row: Mapping[str, Any] | None) -> Standing:
    verdict: Verdict = "hold" if row is None else row["verdict"]
    last_ms = 0 if row is None else row["end_ms"]
    return Standing(_state(rollout, verdict, last_ms), verdict, last_ms)


def _state(rollout: Rollout, verdict: Verdict, last_ms: int) -> State:
    if verdict != "hold":
        return "decided"
    if last_ms and last_ms >= rollout.until_ms:
        return "over"
    if rollout.stopped_ms:
        return "stopped"
    return "running" if rollout.stratum_ms else "waiting"
