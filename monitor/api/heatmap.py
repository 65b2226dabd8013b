"""How strongly every signal of a model has moved, cell by cell of time: one question to the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Response

from monitor.api.buckets import LADDER_MS, chosen_step_ms, span_of_scores
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import Span, TheService, check_model, question_of, span_of
from monitor.resources.heatmap import MOST_STRENGTH, Heatmap, HeatRow
from sinks.store.contract import Buckets, Columns, Query, Store
from sinks.store.rows import row_count

__all__ = ["read_heatmap", "router"]

router = APIRouter(prefix="/v1", tags=["history"])

MOST_ROWS = 200_000
"""Buckets that are read at once; more come in pages."""

JUDGED = ("ok", "warning", "drift")
WORST = ("effect", "min_effect", "surprise", "surprise_limit")
COLUMNS = ("signal", "windows", *JUDGED, "severity", *(f"worst_{name}" for name in WORST))


@lists(router, Heatmap)
def heatmap(service: TheService, form: Whole, question: Annotated[Heatmap, Depends(question_of(Heatmap))]) -> Response:
    check_model(service, question.model)
    span = span_of(service, question)
    where = {name: getattr(question, name) for name in ("model", "segment", "version")}
    ends = span_of_scores(service.store, where, span)
    rows: list[dict[str, Any]] = []
    if ends is not None:
        watch = service.watches.get(question.model)
        window_ms = watch.model.spec.detect.defaults.step_ms if watch is not None else LADDER_MS[0]
        # Cells begin at multiples of their length, and so one more than fit may be cut by the span.
        cell_ms = chosen_step_ms(ends[1] - ends[0], max(1, question.cells - 1), window_ms)
        # The end of an open span is that of a window, which belongs to it.
        closed = Span(ends[0], ends[1] + 1 if span.to_ms is None else ends[1])
        rows = read_heatmap(service.store, where, closed, cell_ms)
    return listed_whole(form, rows[: question.limit], HeatRow, span._asdict())


def read_heatmap(store: Store, where: Mapping[str, str | None], span: Span, cell_ms: int) -> list[dict[str, Any]]:
    """Return a row for each signal, the strongest first.

    Parameters
    ----------
    store : Store
    where : mapping of str to str or None
        Columns of the series; None is no condition.
    span : Span
        In which windows end, ``[from_ms, to_ms)``; both ends are known.
    cell_ms : int

    Raises
    ------
    StoreError
    """
    assert span.from_ms is not None
    assert span.to_ms is not None
    # A window belongs to the bucket in which it ends, so that one at a multiple of the length is the last of its cell.
    first_ms = -(-span.from_ms // cell_ms) * cell_ms - cell_ms
    cells = max(1, -(-(span.to_ms - 1 - first_ms) // cell_ms))
    conditions = {name: value for name, value in where.items() if value is not None}
    query = Buckets(span.from_ms, span.to_ms, cell_ms, conditions, limit=_page_limit(store, conditions, cells))
    signals: dict[str, _Cells] = {}
    for buckets in _pages(store, query):
        _add(signals, buckets, first_ms, cells, cell_ms)
    rows = [
        {"signal": signal, "first_cell_ms": first_ms, "cell_ms": cell_ms, **of.row()} for signal, of in signals.items()
    ]
    return sorted(rows, key=lambda row: (-(row["strength"] or 0.0), -row["drift_windows"], row["signal"]))


def _page_limit(store: Store, conditions: Mapping[str, str], cells: int) -> int | None:
    """Return how many buckets a page has; None where all fit on one: to find out where a page ends takes as long."""
    most_series = MOST_ROWS // cells
    latest = store.read(Query("latest", conditions, limit=most_series + 1, columns=("signal",)))
    return None if row_count(latest) <= most_series else MOST_ROWS


def _pages(store: Store, query: Buckets) -> Iterator[Columns]:
    columns = tuple(dict.fromkeys((*COLUMNS, *query.sort_columns())))
    query = replace(query, columns=columns)
    while True:
        buckets = store.buckets(query)
        yield buckets
        if query.limit is None or row_count(buckets) < query.limit:
            return
        query = replace(query, after=query.cursor(buckets))


class _Cells:
    """What the cells of one signal hold."""

    def __init__(self, cells: int) -> None:
        self.strengths = np.full(cells, np.nan)
        self.drift = np.zeros(cells, np.int64)
        self.windows = 0

    def row(self) -> dict[str, Any]:
        judged = self.strengths[~np.isnan(self.strengths)]
        return {
            "strength": float(judged.max()) if len(judged) else None,
            "windows": self.windows,
            "drift_windows": int(self.drift.sum()),
            "strengths": [None if np.isnan(value) else value for value in self.strengths.tolist()],
            "drift_cells": np.flatnonzero(self.drift).tolist(),
        }


def _add(signals: dict[str, _Cells], buckets: Columns, first_ms: int, cells: int, cell_ms: int) -> None:
    names: Sequence[str] = buckets["signal"]
    strengths = _strengths(buckets)
    at = (np.asarray(buckets["bucket_end_ms"], np.int64) - first_ms) // cell_ms - 1
    order, inverse = np.unique(np.asarray(names, object).astype(str), return_inverse=True) if names else ((), ())
    for index, signal in enumerate(order):
        chosen = np.flatnonzero(np.asarray(inverse) == index)
        of_signal = signals.setdefault(str(signal), _Cells(cells))
        np.fmax.at(of_signal.strengths, at[chosen], strengths[chosen])
        np.add.at(of_signal.drift, at[chosen], np.asarray(buckets["drift"], np.int64)[chosen])
        of_signal.windows += int(np.asarray(buckets["windows"])[chosen].sum())


def _strengths(buckets: Columns) -> npt.NDArray[np.float64]:
    """Return how near buckets were to an alarm, or how large a drift was, to four digits; NaN where nothing was judged.

    An alarm needs an effect that matters, and evidence that neither chance nor usual variation explains.
    """
    effect, least, evidence, limit = (np.asarray(buckets[f"worst_{name}"], np.float64) for name in WORST)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        strength = np.where(least > 0, effect / least, np.nan)
        # Where nothing is large enough to be measured there is no effect, but evidence that it is quiet.
        strength = np.where(limit > 0, np.fmin(strength, np.maximum(evidence, 0) / limit), strength)
    strength[~np.isfinite(strength)] = np.nan
    drifted = np.fmin(np.fmax(buckets["severity"], 1.0), MOST_STRENGTH)
    strength = np.where(np.asarray(buckets["drift"]) > 0, drifted, strength)
    judged = np.sum([np.asarray(buckets[status], np.int64) for status in JUDGED], axis=0)
    strength[judged == 0] = np.nan
    rounded: npt.NDArray[np.float64] = strength.round(4)
    return rounded
