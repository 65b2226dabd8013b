"""Pictures of what moved: how large the change was from window to window, and the window beside its baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import structlog

from monitor.errors import InputError
from monitor.panes.differences import cells_of
from monitor.panes.distributions import Part, summaries
from monitor.pictures.drawing import Bar, draw
from monitor.watch import Watch
from sinks.receivers.contract import Alert, Notification, Picture
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["Pictures"]

ALERTS_AT_MOST = 3
"""Alerts of a notification that are drawn: the page behind the link shows all."""

WINDOWS, CELLS = 48, 24

log = structlog.get_logger("leeway.notify")


class Pictures:
    """Draws the strongest signal of each alert, as it stood at the alert's newest transition.

    Parameters
    ----------
    store : Store
    watches : mapping of str to Watch
        By model.
    """

    def __init__(self, store: Store, watches: Mapping[str, Watch]) -> None:
        self._store, self._watches = store, watches

    def __call__(self, notification: Notification) -> list[Picture]:
        """Draw a notification; what the store does not give is left out."""
        try:
            return [picture for alert in notification.alerts[:ALERTS_AT_MOST] for picture in self._of(alert)]
        except (InputError, StoreError) as error:
            log.warning("a notification goes out without pictures", group_key=notification.group_key, error=str(error))
            return []

    def _of(self, alert: Alert) -> Iterator[Picture]:
        where = {"model": alert.labels.get("model", ""), "alert_id": alert.labels.get("alert_id", "")}
        if where["model"] not in self._watches:
            return
        newest = Query(
            "alerts", where, columns=("at_ms", "state", "signals"), order=("sequence",), descending=True, limit=1
        )
        for row in rows_of(self._store.read(newest)):
            for moved in json.loads(row["signals"])[:1]:
                yield from self._history(where["model"], moved, row["at_ms"])
                # What a signal of an alert that is over says, it says of its strongest window.
                shown = "peak_at_ms" if row["state"] in ("resolved", "cancelled") else "last_ms"
                yield from self._shares(self._watches[where["model"]], moved, moved[shown])

    def _history(self, model: str, moved: Mapping[str, Any], at_ms: int) -> Iterator[Picture]:
        """The effects of the last windows."""
        where = {"model": model} | {name: moved[name] for name in ("signal", "segment", "version", "detector")}
        columns = ("window_end_ms", "effect", "status")
        high = {"window_end_ms": at_ms + 1}
        newest = Query(
            "scores", where, high=high, columns=columns, order=("window_end_ms",), descending=True, limit=WINDOWS
        )
        rows = rows_of(self._store.read(newest))[::-1]
        if not rows:
            return
        # A window belongs to the alert if it ends after the first alarmed one began.
        bars = [Bar(row["effect"], row["status"] == "drift", row["window_end_ms"] > moved["since_ms"]) for row in rows]
        line = moved["min_effect"]
        until = utc(rows[-1]["window_end_ms"])
        caption = f"{moved['signal']} by {moved['detector']}, {len(rows)} windows until {until}"
        threshold = "" if line is None else f"; a change counts from the line on, at {line:.3g}"
        yield Picture(f"{caption}: red is drift, shaded since {utc(moved['since_ms'])}{threshold}", draw(bars, line))

    def _shares(self, watch: Watch, moved: Mapping[str, Any], to_ms: int) -> Iterator[Picture]:
        """The window up to `to_ms` beside its baseline, if that is no data set: both are panes of a span of time."""
        signal = moved["signal"]
        if signal not in watch.layouts or not moved["baseline_from_ms"]:
            return
        of = {"version": moved["version"] or None, "segment": moved["segment"]}
        window_ms = self._window_ms(watch.name, moved, to_ms)
        spans = ((moved["baseline_from_ms"], moved["baseline_to_ms"]), (to_ms - window_ms, to_ms))
        parts = [summaries(self._store, watch, Part(*span, **of), [signal]).summaries for span in spans]
        if not all(signal in part for part in parts):
            return
        cells = cells_of(watch.layouts[signal], *(part[signal] for part in parts))
        baseline, current = (_shares(cells[side]) for side in ("baseline", "current"))
        if not baseline:
            return
        bars = [bar for a, b in zip(*_together(baseline, current), strict=True) for bar in (Bar(a), Bar(b, loud=True))]
        caption = f"{signal}: shares in the baseline (grey, {utc(spans[0][0])} to {utc(spans[0][1])})"
        yield Picture(f"{caption} and in the window until {utc(to_ms)} (red)", draw(bars))

    def _window_ms(self, model: str, moved: Mapping[str, Any], to_ms: int) -> int:
        where = {"model": model} | {name: moved[name] for name in ("signal", "segment", "version", "detector")}
        query = Query("scores", where | {"window_end_ms": to_ms}, columns=("window_ms",), limit=1)
        windows = self._store.read(query)["window_ms"]
        return int(windows[0]) if len(windows) else 0


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else []


def _together(baseline: Sequence[float], current: Sequence[float]) -> tuple[list[float], list[float]]:
    """Add neighbours up until no more than :data:`CELLS` are left."""
    step = math.ceil(len(baseline) / CELLS)
    starts = np.arange(0, len(baseline), step)
    current = current or [0.0] * len(baseline)
    return np.add.reduceat(baseline, starts).tolist(), np.add.reduceat(current, starts).tolist()
