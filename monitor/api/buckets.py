"""Scores in buckets of time: the worst window of each, and how the windows were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, get_args

from monitor.api.reading import CursorError, Page, decode_cursor, encode_cursor, query_for
from monitor.api.tables import nested
from monitor.errors import InputError
from monitor.resources.history import Score, Status
from monitor.values import DAY_MS
from sinks.store.contract import Buckets, Query, Store

__all__ = [
    "EARLIEST_MS",
    "LADDER_MS",
    "LATEST_MS",
    "STATUSES",
    "bucket_rows",
    "chosen_step_ms",
    "cursor_step_ms",
    "read_buckets",
    "span_of_scores",
]

Where = Mapping[str, "str | list[str] | None"]
Span = tuple["int | None", "int | None"]

STATUSES: tuple[Status, ...] = get_args(Status)
KIND = "buckets"
EARLIEST_MS, LATEST_MS = -(2**62), 2**62
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
LADDER_MS = (
    *(minutes * _MINUTE_MS for minutes in (1, 5, 15)),
    *(hours * _HOUR_MS for hours in (1, 6, 24, 7 * 24, 28 * 24)),
)
"""Steps that ``auto`` chooses from: lengths that people read clocks and calendars by."""

_SCORE = tuple(each.name for each in fields(Score))
_RENAMED: dict[str, str] = {status: f"statuses_{status}" for status in STATUSES}


def read_buckets(
    store: Store,
    where: Where,
    span: Span,
    step_ms: int,
    *,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Read scores in buckets of ``step_ms``, ascending in time.

    A window belongs to the bucket in which it ends: ``bucket_start_ms < window_end_ms <= bucket_end_ms``. ``span``
    chooses windows, so that the first and the last bucket may be cut.

    Parameters
    ----------
    store : Store
    where : mapping
        Columns of the series; None is no condition.
    span : (int or None, int or None)
    step_ms : int
        > 0.
    limit : int
        Most buckets.
    cursor : str or None

    Raises
    ------
    InputError
        If ``step_ms`` is not above 0, or the cursor is not one of these buckets.
    StoreError
    """
    if step_ms <= 0:
        raise InputError(f"a step is longer than 0, not {step_ms} ms")
    after: tuple[Any, ...] = ()
    if cursor:
        of_step, *after_place = decode_cursor(KIND, cursor, (int, int, str, str, str, str, str))
        if of_step != step_ms:
            raise CursorError(f"{cursor!r} is a cursor of another step")
        after = tuple(after_place)
    query = Buckets(
        EARLIEST_MS if span[0] is None else span[0],
        LATEST_MS if span[1] is None else span[1],
        step_ms,
        _conditions(where),
        after=after,
        limit=limit + 1,
    )
    stored = store.buckets(query)
    columns = {_RENAMED.get(name, name): values for name, values in stored.items()}
    if len(stored["windows"]) <= limit:
        return Page(columns, None)
    page = {name: values[:limit] for name, values in columns.items()}
    last_place = [value if isinstance(value, str) else int(value) for value in query.cursor(page)]
    return Page(page, encode_cursor(KIND, [step_ms, *last_place]))


def bucket_rows(page: Page) -> list[dict[str, Any]]:
    """Return buckets as the JSON answer shows them: the counts of each status, and the worst window, as objects."""
    columns = {name: values for name, values in page.columns.items() if name != "severity"}
    return nested(columns, {"statuses": STATUSES, "worst": _SCORE})


def chosen_step_ms(span_ms: int, points: int, window_ms: int) -> int:
    """Return the step with which a span takes at most ``points`` buckets of each series.

    Parameters
    ----------
    span_ms : int
    points : int
        >= 1.
    window_ms : int
        The step from one window to the next: nothing finer is worth asking for.

    Returns
    -------
    int
        ``window_ms``, or the first of :data:`LADDER_MS` beyond it that suffices, or whole weeks.

    Examples
    --------
    >>> [chosen_step_ms(days * 86_400_000, 500, 300_000) // 60_000 for days in (1, 5, 30, 365, 30_000)]
    [5, 15, 360, 1440, 90720]
    """
    for step_ms in (window_ms, *(step for step in LADDER_MS if step > window_ms)):
        if span_ms <= step_ms * points:
            return step_ms
    weeks = -(-span_ms // (points * 7 * 24 * _HOUR_MS))
    return weeks * 7 * 24 * _HOUR_MS


def span_of_scores(store: Store, where: Where, span: Span) -> tuple[int, int] | None:
    """Return ``span`` with its open ends where the scores end; None if there are none.

    Raises
    ------
    StoreError
    """
    start = _first_ms(store, where, span) if span[0] is None else span[0]
    end = _last_ms(store, where, span) if span[1] is None else span[1]
    if start is None or end is None or start > end:
        return None
    return start, end


def _first_ms(store: Store, where: Where, span: Span) -> int | None:
    """When the first window ended: its day by way of the buckets, since all scores would take long."""
    to_ms = LATEST_MS if span[1] is None else span[1]
    day = store.buckets(Buckets(EARLIEST_MS, to_ms, DAY_MS, _conditions(where), limit=1))
    if not len(day["bucket_end_ms"]):
        return None
    day_end_ms = int(day["bucket_end_ms"][0])
    query = query_for("scores", where, from_ms=day_end_ms - DAY_MS, to_ms=day_end_ms + 1, limit=1)
    return int(store.read(replace(query, columns=("window_end_ms",)))["window_end_ms"][0])


def _last_ms(store: Store, where: Where, span: Span) -> int | None:
    """When the last window ended."""
    ends = store.read(Query("latest", _conditions(where), columns=("window_end_ms",)))["window_end_ms"]
    return int(ends.max()) if len(ends) else None


def _conditions(where: Where) -> dict[str, Any]:
    return {name: value for name, value in where.items() if value is not None}


def cursor_step_ms(cursor: str) -> int:
    """Return the step of the buckets that gave ``cursor``.

    Raises
    ------
    CursorError
    """
    step_ms: int = decode_cursor(KIND, cursor, (int, int, str, str, str, str, str))[0]
    return step_ms
