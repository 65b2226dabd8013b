"""The end of alerts about models that nobody watches any more.

No window is to come that could end them: they end with the last one that was evaluated. That the model is evaluated no
further is written down first, as a change of its configuration is, so that a replay ends them there, too. A model that
comes back goes on with what it had learned, and without these alerts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

import structlog

from monitor import checkpoint
from monitor.alerts.alert_log import ALERTS
from monitor.alerts.transition import Transition, to_columns
from monitor.checkpoint import Checkpoint
from monitor.evaluate.configured_windows import begin_windows
from monitor.threads import in_words
from sinks.store.batch import append
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["UNWATCHED", "end_alerts_of", "end_unwatched"]

UNWATCHED = "the model is no longer watched"

ENDS: Mapping[str, Literal["cancelled", "resolved"]] = {
    "pending": "cancelled",
    "firing": "resolved",
    "updated": "resolved",
}
"""By the last state of an alert that is not over, how it ends."""

log = structlog.get_logger("leeway.service")


def end_unwatched(
    store: Store, models: Collection[str], table: str = ALERTS, stage: str = "evaluate"
) -> list[Transition]:
    """End what is not over of models that nobody watches any more; what fails of one model holds up no other.

    Parameters
    ----------
    store : Store
    models : collection of str
    table : str
        Which log of alerts; of event time.
    stage : str
        Under which the checkpoints are of what writes it.

    Raises
    ------
    StoreError
    """
    transitions: list[Transition] = []
    for model in _with_live_alerts(store, models, table):
        try:
            transitions += end_alerts_of(store, model, table, stage)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- a checkpoint may be of no form that is known, and the others end
            log.error("alerts of a model that is no longer watched go on", model=model, reason=in_words(error))
    return transitions


def end_alerts_of(store: Store, model: str, table: str = ALERTS, stage: str = "evaluate") -> list[Transition]:
    """End what is not over of a model; see :func:`end_unwatched`.

    Raises
    ------
    CheckpointError, StoreError
    """
    rows = rows_of(store.read(Query(table, {"model": model})))
    newest = {row["alert_id"]: row for row in rows}
    live = [row for row in newest.values() if row["state"] in ENDS]
    if not live:
        return []
    loaded = checkpoint.load(store, stage, model, 0)
    evaluated_ms = None if loaded is None else loaded[1]["lifecycle"]["at_ms"]
    # A process that was killed may have come further than its checkpoint.
    at_ms = max([row["at_ms"] for row in rows] + [each for each in (evaluated_ms,) if each is not None])
    if table == ALERTS:
        begin_windows(store, model, at_ms + 1, "")
    if loaded is not None:
        _forget_alerts(store, model, stage, *loaded, at_ms)
    transitions = [_ended(row, at_ms) for row in live]
    append(store, table, to_columns(transitions))
    return transitions


def _with_live_alerts(store: Store, models: Collection[str], table: str) -> list[str]:
    if not models:
        return []
    columns = ("model", "alert_id", "sequence", "state")
    newest = Query(table, {"model": sorted(models)}, descending=True, first_by=("model", "alert_id"), columns=columns)
    return sorted({row["model"] for row in rows_of(store.read(newest)) if row["state"] in ENDS})


def _forget_alerts(store: Store, model: str, stage: str, position: int, state: Mapping[str, Any], at_ms: int) -> None:
    """Write a checkpoint without alerts, from which a model goes on that comes back."""
    next_end_ms = state.get("next_end_ms", position)
    forgotten = {
        **state,
        "document": "",
        "next_end_ms": next_end_ms,
        "lifecycle": {**state["lifecycle"], "at_ms": at_ms, "live": []},
    }
    if stage == "evaluate" and next_end_ms <= at_ms:
        # What it had learned is of before the last windows: it is learned again.
        forgotten["config"] = ""
    # Of a row the store keeps the highest position.
    checkpoint.save(store, Checkpoint(stage, model, 0, position + 1, forgotten["config"], forgotten))


def _ended(row: Mapping[str, Any], at_ms: int) -> Transition:
    alert = Transition(**{**row, "labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])})
    last_ms = max((entry.get("last_ms", 0) for entry in alert.signals), default=0)
    return replace(
        alert,
        sequence=alert.sequence + 1,
        state=ENDS[alert.state],
        at_ms=at_ms,
        ends_ms=max(last_ms, alert.starts_ms) if last_ms else at_ms,
        title=f"{alert.title}; {UNWATCHED}",
        signals=[_quiet(entry) for entry in alert.signals],
    )


def _quiet(entry: Mapping[str, Any]) -> dict[str, Any]:
    status = {"status": "no_data"} if "status" in entry else {}
    return {**entry, "alarmed": False, "reason": UNWATCHED, **status}
