"""What both versions of a rollout did, in the store: a row for each span and metric, with the verdict behind it."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.rollouts.rollout_log import Rollout
from monitor.rollouts.sums import Sums
from monitor.rollouts.verdict import Comparison, Verdict
from sinks.store.batch import Rows, add_row, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["read_comparisons", "rows_of_stratum"]

LATEST_MS = 1 << 62


def rows_of_stratum(rollout: Rollout, end_ms: int, sums: Mapping[str, tuple[Sums, Sums]], verdict: Verdict) -> Rows:
    """Return the rows of a span."""
    rows = empty_rows("rollout_strata")
    for signal, (candidate, champion) in sorted(sums.items()):
        key = {"model": rollout.model, "rollout": rollout.id, "end_ms": end_ms, "signal": signal}
        sides = {
            f"{side}_{name}": value
            for side, of_side in (("candidate", candidate), ("champion", champion))
            for name, value in vars(of_side).items()
        }
        add_row(rows, key | sides | {"verdict": verdict})
    return rows


def read_comparisons(
    store: Store, rollout: Rollout, until_ms: int = LATEST_MS
) -> tuple[dict[str, list[Comparison]], Verdict, int]:
    """Return what both versions did up to a time, the verdict then, and the end of the last span; 0 without one.

    Raises
    ------
    StoreError
    """
    where = {"model": rollout.model, "rollout": rollout.id}
    comparisons: dict[str, list[Comparison]] = {}
    verdict: Verdict = "hold"
    last_ms = 0
    for row in rows_of(store.read(Query("rollout_strata", where, high={"end_ms": until_ms + 1}))):
        candidate, champion = (
            Sums(row[f"{side}_n"], row[f"{side}_mean"], row[f"{side}_squares"]) for side in ("candidate", "champion")
        )
        comparisons.setdefault(row["signal"], []).append(Comparison(row["end_ms"], candidate, champion))
        verdict, last_ms = row["verdict"], row["end_ms"]
    return comparisons, verdict, last_ms
