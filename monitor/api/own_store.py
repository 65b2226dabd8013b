"""A store of which only the rows of some models are there: nothing else can be read through it, or written.

Every read passes here. A table has a model in each row, or is known by the alerts that it is about, or says which
models it is about; any other cannot be read. What a route asks for by itself only makes it less.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor.alerts.alert_log import ALERT_TABLES
from monitor.api.problems import ProblemError
from monitor.configurations.taken import EVERY_MODEL
from monitor.routing.subscriptions import ADDRESSES
from sinks.store.contract import READABLE, Buckets, Columns, Drifting, Query, Store
from sinks.store.rows import row_count, rows_of

__all__ = ["OwnStore"]

NOBODY = "/"
"""No model and no alert is called so."""

BY_ALERT = frozenset({"notifications", "decisions", "acknowledgements"})
"""Tables whose rows are about an alert, and do not name its model."""

CHANGEABLE = frozenset({"acknowledgements", "marks", "set_clocks", "configurations", "rollouts"})
"""What routes for those who are bound write."""


class OwnStore:
    """The part of a store that is about some models.

    Parameters
    ----------
    store : Store
    models : collection of str

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> from monitor.evaluate.mark_log import Mark, log_mark
    >>> from monitor.clock import ManualClock
    >>> store = MemoryStore()
    >>> fields = {"signal": "volume", "segment": "", "version": "", "says": "false", "created_by": "ann", "reason": ""}
    >>> for model in ("fraud", "churn"):
    ...     _ = log_mark(store, ManualClock(5), Mark(model=model, from_ms=1, to_ms=2, updated_ms=0, **fields))
    >>> OwnStore(store, ["fraud"]).read(Query("marks"))["model"]
    ['fraud']
    """

    def __init__(self, store: Store, models: Collection[str]) -> None:
        self._store, self._models = store, frozenset(models)

    def read(self, query: Query) -> Columns:
        """Return the rows of these models that a query asks for.

        Raises
        ------
        ProblemError
            The table does not say what its rows are about.
        StoreError
        """
        if query.table == "deployments":
            return self._deployments(query)
        if query.table in BY_ALERT:
            columns = self._store.read(replace(query, where=self._own_alerts(query.where)))
            return _without_others(query.table, columns)
        if "model" not in {column.name for column in READABLE[query.table].columns}:
            raise _refused(query.table)
        shared = {EVERY_MODEL} if query.table == "configurations_taken" else set[str]()
        return self._store.read(replace(query, where=self._own(query.where, shared)))

    def totals(self, query: Query) -> Columns:
        """Return the panes of these models added up."""
        return self._store.totals(replace(query, where=self._own(query.where)))

    def buckets(self, buckets: Buckets) -> Columns:
        """Return the buckets of these models."""
        return self._store.buckets(replace(buckets, where=self._own(buckets.where)))

    def drifting(self, drifting: Drifting) -> Columns:
        """Return the series of these models that drifted."""
        return self._store.drifting(replace(drifting, where=self._own(drifting.where)))

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows about these models.

        Raises
        ------
        ProblemError
            They are about others, or may be.
        StoreError
        """
        if table not in CHANGEABLE:
            raise _refused(table)
        if table in BY_ALERT:
            names, own = columns["alert_id"], frozenset(self._owned(columns["alert_id"]))
        else:
            names, own = columns["model"], self._models
        if not own.issuperset(names):
            raise _refused(table)
        self._store.append(table, columns, token)

    def migrate(self) -> None:
        """Refuse: tables are of all."""
        raise _refused("tables")

    def is_current(self) -> bool:
        """Whether every table is there as this version wants it."""
        return self._store.is_current()

    def refresh(self, settle_ms: int = 600_000, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Refuse: roll-ups are of all."""
        raise _refused("roll-ups")

    def close(self) -> None:
        """Do nothing: others go on with the store."""

    def _own(self, where: Mapping[str, Any], shared: Collection[str] = ()) -> dict[str, Any]:
        """Return conditions that only rows of these models meet."""
        own = self._models.union(shared)
        chosen = own if where.get("model") is None else own.intersection(_listed(where["model"]))
        return {**where, "model": sorted(chosen) or [NOBODY]}

    def _own_alerts(self, where: Mapping[str, Any]) -> dict[str, Any]:
        return {**where, "alert_id": self._owned(_listed(where["alert_id"])) or [NOBODY]}

    def _owned(self, alert_ids: Iterable[str]) -> list[str]:
        """Return those of some alerts that are of these models, and of no other."""
        where = {"alert_id": sorted(set(alert_ids))}
        models: dict[str, set[str]] = {}
        for table in ALERT_TABLES:
            for row in rows_of(self._store.read(Query(table, where, columns=("alert_id", "model")))):
                models.setdefault(row["alert_id"], set()).add(row["model"])
        return sorted(alert_id for alert_id, of_alert in models.items() if of_alert <= self._models)

    def _deployments(self, query: Query) -> Columns:
        """Return those that name these models alone."""
        if query.limit is not None or query.columns:
            raise _refused(query.table)
        columns = self._store.read(query)
        is_own = [
            bool(models) and self._models.issuperset(models) and not topics and not json.loads(labels or "{}")
            for models, topics, labels in zip(columns["models"], columns["topics"], columns["labels"], strict=True)
        ]
        return _only(columns, is_own)


def _without_others(table: str, columns: Columns) -> Columns:
    """Leave out what somebody has subscribed to, and what may tell of other alerts or of silences."""
    if table == "acknowledgements":
        return columns
    kinds = tuple(f"{kind}:" for kind in ADDRESSES)
    routes = columns.get("route", [""] * row_count(columns))
    is_shown = [
        not receiver.startswith(kinds) and not route.startswith("subscription/")
        for receiver, route in zip(columns["receiver"], routes, strict=True)
    ]
    shown = _only(columns, is_shown)
    return {
        name: [""] * len(values) if name in ("reason", "detail", "silence") else values
        for name, values in shown.items()
    }


def _only(columns: Columns, is_shown: Sequence[bool]) -> Columns:
    indices = [index for index, is_one in enumerate(is_shown) if is_one]
    return {
        name: values[indices] if hasattr(values, "tolist") else [values[index] for index in indices]
        for name, values in columns.items()
    }


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _refused(table: str) -> ProblemError:
    return ProblemError("forbidden", f"this concerns {table} of the whole service: ask with a token that is for all")
