"""What the rule `change` expected of a signal over time, from what was stored when each day began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from monitor.api.buckets import chosen_step_ms, span_of_scores
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, check_model, check_seen_signal, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Row
from monitor.api.window_contrasts import CHANGE, contrast_row, measured_along, outcome_of
from monitor.errors import nearest_hint
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.expected_windows import alarms_over, contrasts_along, expected_days
from monitor.events import SeriesKey
from monitor.resources.expected import Expected, ExpectedWindow
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["history"])

MOST_WINDOWS = 10_000
"""Windows of all versions that are looked at: five weeks of windows of five minutes."""

SCORES = ("window_end_ms", "window_ms", "version", "n", "detector", "status", "surprise", "surprise_limit")


@lists(router, Expected)
def expected_windows(
    service: TheService, form: Whole, question: Annotated[Expected, Depends(question_of(Expected))]
) -> Response:
    check_model(service, question.model)
    check_seen_signal(service, "scores", question.model, question.signal)
    where = {name: getattr(question, name) for name in ("model", "signal", "segment", "version")}
    open_span = span_of(service, question)
    ends = span_of_scores(service.store, where, open_span)
    watch = service.watches.get(question.model)
    if ends is None or watch is None:
        return listed_whole(form, [], ExpectedWindow, open_span._asdict())
    to_ms = ends[1] + 1 if open_span.to_ms is None else open_span.to_ms
    from_ms = to_ms - 7 * DAY_MS if open_span.from_ms is None else open_span.from_ms
    scores = _scores(service.store, where, (from_ms, to_ms))
    rows = _windows(service.store, watch, question, scores)
    if not rows and question.contrast is not None:
        _check_contrast(question, _windows(service.store, watch, replace(question, contrast=None), scores))
    return listed_whole(form, _thinned(rows, question.points), ExpectedWindow, {"from_ms": from_ms, "to_ms": to_ms})


def _check_contrast(question: Expected, rows: Sequence[Row]) -> None:
    """Raise a problem that names the nearest contrast, if others were expected of these windows."""
    names = list(dict.fromkeys(row["contrast"] for row in rows))
    if names:
        hint = nearest_hint(str(question.contrast), names)
        detail = f"nothing was expected of a contrast {question.contrast!r} in this time; {hint}known are "
        raise bad_parameter("contrast", detail + ", ".join(map(repr, names)))


def _scores(store: Store, where: Mapping[str, str | None], span: tuple[int, int]) -> list[Row]:
    """Return the windows of a span in order, each of the version with most events; those of the newest length."""
    conditions = {name: value for name, value in where.items() if value is not None} | {"detector": CHANGE}
    between = {"window_end_ms": span[0]}, {"window_end_ms": span[1]}
    rows = rows_of(store.read(Query("scores", conditions, *between, limit=MOST_WINDOWS + 1, columns=SCORES)))
    if len(rows) > MOST_WINDOWS:
        raise bad_parameter("from", f"the span has more than {MOST_WINDOWS:,} windows: ask for a shorter one")
    rows.sort(key=lambda row: (row["window_end_ms"], row["n"], row["version"]))
    most = {row["window_end_ms"]: row for row in rows}
    return [row for row in most.values() if row["window_ms"] == rows[-1]["window_ms"]]


def _windows(store: Store, watch: Watch, question: Expected, scores: Sequence[Row]) -> list[Row]:
    """Return what was expected of some windows, in their order."""
    rows: list[Row] = []
    for version in sorted({row["version"] for row in scores}):
        of_version = {row["window_end_ms"]: row for row in scores if row["version"] == version}
        rows += _of_version(store, watch, (version, question.segment, question.signal), of_version, question.contrast)
    return sorted(rows, key=lambda row: int(row["window_end_ms"]))


def _of_version(
    store: Store, watch: Watch, series: SeriesKey, scores: Mapping[int, Row], contrast: str | None
) -> Iterator[Row]:
    window_ms = next(iter(scores.values()))["window_ms"]
    first_ms, last_ms = min(scores), max(scores)
    days = expected_days(store, watch.name, series, range(first_ms, last_ms + 1, window_ms))
    # What alarms depends on all windows of the day before: where the first lies within its day, on some not asked for.
    earlier = 0 if days[0] is None else (first_ms - window_ms - days[0].from_ms) // window_ms
    days, ends_ms = [days[0]] * earlier + days, range(first_ms - earlier * window_ms, last_ms + 1, window_ms)
    if not any(days):
        return
    detect = watch.model.spec.detect
    calendar = Calendar(detect.time_zone, detect.holidays, window_ms)
    measured = measured_along(store, watch, series, days, ends_ms)
    over_ms = alarms_over(store, watch.name, series, ends_ms)
    windows = zip(days, ends_ms, measured, strict=True)
    for _, of_day in groupby(windows, key=lambda window: window[0] and window[0].from_ms):
        [day, *_], ends_of_day_ms, measured_of_day = zip(*of_day, strict=True)
        if day is None or day.window_ms != window_ms:
            continue
        for end_ms, contrasts in contrasts_along(day, ends_of_day_ms, measured_of_day, calendar, first_ms, over_ms):
            row = scores.get(end_ms)
            if row is None or row["status"] == "learning":
                continue
            window = {
                "window_start_ms": end_ms - window_ms, "window_end_ms": end_ms, "version": series[0], "n": row["n"],
                "outcome": outcome_of(row),
            }  # fmt: skip
            for each in contrasts:
                if each.contrast.name == (contrast or each.contrast.name) and each.expected == each.expected:
                    yield window | contrast_row(each, window["outcome"])


# -- fewer of them -----------------------------------------------------------------------------------------------------


def _thinned(rows: Sequence[Row], points: int) -> list[Row]:
    """Return of each contrast at most about so many windows: of each step the one that is furthest towards an alarm."""
    ends_ms = sorted({row["window_end_ms"] for row in rows})
    if len(ends_ms) <= points:
        return list(rows)
    window_ms = rows[0]["window_end_ms"] - rows[0]["window_start_ms"]
    step_ms = chosen_step_ms(ends_ms[-1] - ends_ms[0], max(1, points - 1), window_ms)
    furthest: dict[tuple[str, int], Row] = {}
    for row in rows:
        key = row["contrast"], -(-row["window_end_ms"] // step_ms)
        if key not in furthest or reach(row) >= reach(furthest[key]):
            furthest[key] = row
    return sorted(furthest.values(), key=lambda row: int(row["window_end_ms"]))


def reach(row: Mapping[str, Any]) -> float:
    """Return which part of the way to an alarm a contrast has gone: 1 is as far as what alarms by itself."""
    expected, actual = row["expected"], row["actual"]
    if actual is None:
        return -1.0
    edge = row["alarms_below"] if actual < expected else row["alarms_above"]
    return 0.0 if edge is None or edge == expected else float((actual - expected) / (edge - expected))
