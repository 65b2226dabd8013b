"""Panes added up to longer ones in ClickHouse's SQL.

Counts and sums are integers, so that any order of adding gives the same. Names are added up name by name, without the
sample's limit: which names a sum keeps follows from the layout, which the store does not know; whoever adds summaries
cuts them to it. That is exact, since a name that the sum keeps is one that each part has kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sinks.store.contract import DERIVED, Query
from sinks.store.derived import EXACT, SUMS, TIERS
from sinks.store.spans import HOUR_MS, Span
from sinks.store.sql import Parameters, comparisons, quoted, select

__all__ = ["hours_of", "sums_of_panes", "tier_statement", "totals_statement"]

KEY = ("model", "signal", "segment", "version")

_BY_CELL = "length(cells) = length(counts)"
_BY_NAME = "length(cells) != length(counts) AND length(names) = length(counts)"

ADDED = f"""
    {", ".join(f"sum({name}) AS total_{name}" for name in SUMS)},
    sumMap(if({_BY_CELL}, cells, []), if({_BY_CELL}, counts, [])) AS by_cell,
    sumMap(if({_BY_NAME}, `names`, []), if({_BY_NAME}, counts, [])) AS by_name,
    min(`min`) + 0. AS least, max(`max`) + 0. AS most
"""


_SUMMED = (
    "total_n AS n, total_missing AS missing, total_invalid AS invalid, total_out_of_range AS out_of_range, "
    "by_cell.1 AS cells, if(notEmpty(by_name.1), by_name.2, by_cell.2) AS counts, by_name.1 AS `names`, "
    "total_other AS other"
)


def sums_of_panes(tier_ms: int, condition: str) -> str:
    """Return the statement for sums over ``tier_ms`` of the panes that meet ``condition``, which holds for whole keys.

    Its columns are those of the tiers, in their order.
    """
    key = f"{', '.join(KEY)}, start_ms, is_late, layout"
    return (
        f"SELECT {', '.join(KEY)}, start_ms AS pane_start_ms, is_late AS late, layout, toInt64({tier_ms}) AS pane_ms, "
        f"{_SUMMED}, total_sum_q AS sum_q, total_sum_q2 AS sum_q2, least AS `min`, most AS `max` "
        f"FROM (SELECT {', '.join(KEY)}, pane_start_ms - positiveModulo(pane_start_ms, {tier_ms}) AS start_ms, "
        f"toInt64(late_at_ms > 0) AS is_late, layout, {ADDED} FROM panes FINAL "
        f"PREWHERE {condition} WHERE pane_ms > 0 AND {tier_ms} % if(pane_ms > 0, pane_ms, 1) = 0 GROUP BY {key})"
    )


def totals_statement(rows: str) -> str:
    """Return the statement for the columns of ``TOTALS``, out of the statement ``rows`` for panes or sums of them."""
    exact = ", ".join(f"toString(sum(toInt128({name}))) AS exact_{name}" for name in EXACT)
    return (
        f"SELECT signal, layout, {_SUMMED}, {', '.join(f'exact_{name} AS {name}' for name in EXACT)}, "
        f"least AS `min`, most AS `max` FROM (SELECT signal, layout, {ADDED}, {exact} FROM ({rows}) "
        "GROUP BY signal, layout) ORDER BY signal, layout"
    )


def hours_of(query: Query) -> Span:
    """Return from which hour on up to before which hour ``query`` may want panes."""
    low, high = (bounds.get("pane_start_ms") for bounds in (query.low, query.high))
    return -(2**62) if low is None else int(low) - HOUR_MS, 2**62 if high is None else int(high)


def tier_statement(query: Query, changed: Sequence[Span], *, ordered: bool = True) -> tuple[str, dict[str, Any]]:
    """Return the statement for ``query``, which names a tier and is checked, and its values.

    Parameters
    ----------
    query : Query
    changed : sequence of tuple of int
        Whole hours that are not read from the tier but from the panes themselves.
    ordered : bool
        As of :func:`sinks.store.sql.select`.
    """
    if not changed:
        return select(query, ordered=ordered)  # the engine takes twice as long to make sense of what follows
    values = Parameters()
    narrow = [condition for name, condition in comparisons(query, values) if name in (*KEY, "pane_start_ms")]
    series = [condition for name, condition in comparisons(query, values) if name in KEY]
    columns = [column.name for column in DERIVED[query.table].columns]
    names = ", ".join(
        quoted(name)
        for name in columns
        if name in {*query.columns, *query.sort_columns(), *query.where, *query.low, *query.high}
    )
    inside = " OR ".join(f"(pane_start_ms >= {start} AND pane_start_ms < {end})" for start, end in changed)
    current_sums = f"SELECT {names} FROM {query.table} FINAL PREWHERE {' AND '.join([*narrow, f'NOT ({inside})'])}"
    # Of whole hours: hours are multiples of both tiers, so that no sum has panes on both sides.
    fresh = sums_of_panes(TIERS[query.table], " AND ".join([*series, f"({inside})"]))
    return select(query, f"{current_sums} UNION ALL SELECT {names} FROM ({fresh})", values, ordered=ordered)
