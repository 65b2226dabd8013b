"""The log of what becomes of alerts: tables of the same columns, each in an order of its own.

Windows, hours that labels judge, and silences are followed apart, each by its own time: hours that labels judge come
later than windows, and whoever follows a table would miss what is dated before what it has read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sinks.store.batch import joined
from sinks.store.contract import Columns, Query, Store
from sinks.store.rows import row_count

__all__ = [
    "ALARM_TABLES",
    "ALERTS",
    "ALERT_TABLES",
    "ESTIMATOR",
    "FRESHNESS",
    "FRESHNESS_ALERTS",
    "NO_ALARMS",
    "PERFORMANCE",
    "PERFORMANCE_ALERTS",
    "ROLLOUT",
    "is_no_alarm",
    "read_alert_log",
    "table_of",
]

ALERTS, FRESHNESS_ALERTS, PERFORMANCE_ALERTS = "alerts", "freshness_alerts", "performance_alerts"
ALERT_TABLES = (ALERTS, FRESHNESS_ALERTS, PERFORMANCE_ALERTS)
"""What stands in the second is of the clock; the others are of event time, and a replay writes them."""

ALARM_TABLES = (ALERTS, PERFORMANCE_ALERTS)
"""The alarms for which a model has a budget, and of which people say whether they were false."""

FRESHNESS = "LeewayFreshness"
"""The `alertname` of alerts about silences, which stand in the second."""

PERFORMANCE = "LeewayPerformance"
"""The `alertname` of alerts about what labels say, which stand in the third."""

_TABLE_OF = {FRESHNESS: FRESHNESS_ALERTS, PERFORMANCE: PERFORMANCE_ALERTS}

ROLLOUT = "LeewayRollout"
"""The `alertname` of verdicts on rollouts."""

ESTIMATOR = "LeewayEstimator"
"""The `alertname` of what is said of estimators that are muted."""

NO_ALARMS = frozenset({ROLLOUT, ESTIMATOR})
"""They stand in the first table, and no budget has them."""


def is_no_alarm(labels: str) -> bool:
    """Whether an alert with these labels, as JSON, is about a verdict on a rollout, or an estimator that is muted.

    Examples
    --------
    >>> is_no_alarm('{"alertname": "LeewayRollout"}'), is_no_alarm('{"alertname": "LeewayDrift"}')
    (True, False)
    """
    return any(name in labels for name in NO_ALARMS) and json.loads(labels).get("alertname") in NO_ALARMS


def table_of(labels: Mapping[str, str]) -> str:
    """Return in which table an alert with these labels stands.

    Examples
    --------
    >>> table_of({"alertname": "LeewayFreshness"}), table_of({})
    ('freshness_alerts', 'alerts')
    """
    return _TABLE_OF.get(labels.get("alertname", ""), ALERTS)


def read_alert_log(store: Store, query: Query, tables: Sequence[str] = ALERT_TABLES) -> Columns:
    """Return the rows of tables that a query of one of them asks for, in its order.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> list(read_alert_log(MemoryStore(), Query("alerts", columns=("model", "at_ms"))))
    ['model', 'at_ms']
    """
    # What settles the order must be there to merge by.
    order = query.sort_columns()
    complete = replace(query, columns=tuple(dict.fromkeys((*query.columns, *order))) if query.columns else ())
    parts = [store.read(replace(complete, table=table)) for table in tables]
    filled = [part for part in parts if row_count(part)]
    merged = _sorted(joined(filled), order, query) if len(filled) > 1 else [*filled, *parts][0]
    return {name: merged[name] for name in query.columns or merged}


def _sorted(columns: Columns, order: tuple[str, ...], query: Query) -> Columns:
    keys = list(zip(*(_plain(columns[name]) for name in order), strict=True))
    ranks = sorted(range(len(keys)), key=keys.__getitem__, reverse=query.descending)[: query.limit]
    return {name: _at(values, ranks) for name, values in columns.items()}


def _plain(values: Any) -> list[Any]:
    plain: list[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    return plain


def _at(values: Any, indices: list[int]) -> Any:
    return values[indices] if isinstance(values, np.ndarray) else [values[i] for i in indices]
