"""What each series is compared with now: baselines of distances, what `change` has learned, and accepted levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from monitor.api.contract import ApiService
from monitor.api.detectable import OLDEST_MS, SERIES
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, check_seen_signal, models_in, question_of
from monitor.api.reading import Row, stored_models
from monitor.api.status import served
from monitor.evaluate.change import DETECTORS
from monitor.evaluate.mark_log import Mark, read_marks
from monitor.resources.baselines import Baselines, SeriesBaseline
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["models"])

OF_LATEST = (*SERIES, "detector", "window_end_ms", "baseline_n", "baseline_from_ms", "baseline_to_ms")
NOTHING = {"days": None, "expected_ms": None}
Key = tuple[str, ...]


@lists(router, Baselines)
def baselines(
    service: TheService, form: Whole, question: Annotated[Baselines, Depends(question_of(Baselines))]
) -> Response:
    chosen = models_in(service, question.model, question.namespace)
    models = sorted(chosen if chosen is not None else service.configuration.models or stored_models(service.store))
    if question.model is not None:
        check_seen_signal(service, "scores", question.model, question.signal)
    where = {"model": models} | ({} if question.signal is None else {"signal": question.signal})
    rows = list(_rows(service, where))
    return listed_whole(form, rows[: question.limit], SeriesBaseline, {})


def _rows(service: ApiService, where: dict[str, Any]) -> Iterator[Row]:
    newest = _by_series(served(rows_of(service.store.read(Query("latest", where, columns=OF_LATEST)))))
    days = _days(service.store, where, newest)
    levels = _levels(read_marks(service.store, where["model"]))
    for key, row in sorted(newest.items()):
        model, signal, segment, version = key
        about = [mark for mark in levels.get((model, signal, segment), ()) if mark.is_about((version, segment, signal))]
        configured = _configured(service.watches.get(model), signal)
        yield {
            **row,
            **(NOTHING if configured["alarms_by"] == "variation" else days.get(key, NOTHING)),
            **_accepted(about),
            **configured,
        }


def _by_series(newest: Iterable[Row]) -> dict[Key, Row]:
    """Return a row for each series, of its newest window; what charts say of it has no baseline of its own."""
    rows: dict[Key, Row] = {}
    # The newest last: a detector that is no longer configured has stopped at an older baseline.
    for row in sorted(newest, key=lambda row: row["window_end_ms"]):
        key = tuple(row[name] for name in SERIES)
        of_series = rows.setdefault(key, {**dict(zip(SERIES, key, strict=True)), "window_end_ms": 0, **_no_baseline()})
        of_series["window_end_ms"] = row["window_end_ms"]
        if row["detector"] not in DETECTORS and row["baseline_n"]:
            span = (row["baseline_from_ms"] or None, row["baseline_to_ms"] or None)
            of_series |= dict(zip(_no_baseline(), (row["baseline_n"], *span), strict=True))
    return rows


def _no_baseline() -> Row:
    return {"baseline_n": 0, "baseline_from_ms": None, "baseline_to_ms": None}


def _days(store: Store, where: dict[str, Any], newest: Mapping[Key, Row]) -> dict[Key, Row]:
    """Return what is stored of the newest day of each series, unless its model has gone on for long without one."""
    oldest_ms: dict[str, int] = {}
    for (model, *_), row in newest.items():
        oldest_ms[model] = max(oldest_ms.get(model, 0), row["window_end_ms"] - OLDEST_MS)
    if not oldest_ms:
        return {}
    query = Query(
        "expectations",
        where,
        order=("from_ms",),
        descending=True,
        first_by=SERIES,
        columns=(*SERIES, "from_ms", "days"),
        floors={"from_ms": oldest_ms},
    )
    return {
        tuple(row[name] for name in SERIES): {"days": row["days"], "expected_ms": row["from_ms"]}
        for row in rows_of(store.read(query))
    }


def _levels(marks: Iterable[Mark]) -> dict[Key, list[Mark]]:
    """Return the marks that made a level the new normal, by model, signal and segment, as they took effect."""
    levels: dict[Key, list[Mark]] = {}
    for mark in marks:
        if mark.says in ("accepted", "adopted") and mark.effective_ms:
            levels.setdefault((mark.model, mark.signal, mark.segment), []).append(mark)
    return levels


def _accepted(marks: Sequence[Mark]) -> Row:
    if not marks:
        return {"accepted_from_ms": None, "accepted_by": "", "accepted_reason": ""}
    newest = marks[-1]
    by = newest.created_by if newest.says == "accepted" else "detect.adopt_after"
    return {"accepted_from_ms": newest.from_ms, "accepted_by": by, "accepted_reason": newest.reason}


def _configured(watch: Watch | None, signal: str) -> Row:
    if watch is None:
        return {"alarms_by": None, "kind": None, "uri": "", "configuration": ""}
    baseline = watch.model.spec.baseline
    return {
        "alarms_by": "change" if watch.has_normal_levels(signal) else "variation",
        "kind": baseline.kind,
        "uri": baseline.uri or "",
        "configuration": watch.document_digest,
    }
