"""Pictures of alerts: what moved, from window to window and beside what is usual or its baseline, and silences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import structlog

from monitor.alerts.alert_log import ALERT_TABLES, FRESHNESS_ALERTS, NO_ALARMS, PERFORMANCE_ALERTS, table_of
from monitor.evaluate.change import DETECTORS
from monitor.panes.differences import cells_of
from monitor.panes.distributions import Part, summaries
from monitor.pictures.arrived import arrived
from monitor.pictures.drawing import Bar, draw
from monitor.pictures.expected import Drawn, Series, drawn
from monitor.pictures.plot import plot
from monitor.threads import in_words
from monitor.values import format_duration
from monitor.watch import Watch
from sinks.receivers.contract import Alert, Notification, Picture
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["PictureOf", "Pictures"]

ALERTS_AT_MOST = 3
"""Alerts of a notification that are drawn: the page behind the link shows all."""

WINDOWS, CELLS = 48, 24

USUAL = "; the thin line is what is usual at that hour, and on grey ground no window alarms by itself"

AFTER_ONSET = 36
"""So many windows after the onset are shown at most."""

log = structlog.get_logger("leeway.notify")


class PictureOf(NamedTuple):
    """One picture of an alert, as it stood at one of its transitions."""

    model: str
    alert_id: str
    sequence: int
    number: int


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
        return [picture for _, picture in self.named(notification)]

    def named(self, notification: Notification) -> list[tuple[PictureOf, Picture]]:
        """Draw a notification, and say by what each picture can be drawn again."""
        try:
            return [named for alert in notification.alerts[:ALERTS_AT_MOST] for named in self._of(alert)]
        except Exception as error:  # noqa: BLE001 -- nobody goes without a notification because of a picture
            reason = in_words(error)
            log.warning("a notification goes out without pictures", group_key=notification.group_key, reason=reason)
            return []

    def of(self, shown: PictureOf) -> Picture | None:
        """Draw one picture again; None if the store has no more of it.

        Raises
        ------
        StoreError
        """
        if shown.model not in self._watches:
            return None
        where = {"model": shown.model, "alert_id": shown.alert_id, "sequence": shown.sequence}
        for table in ALERT_TABLES:
            for row in self._transitions(table, where):
                pictures = self._drawn(table, shown.model, row)
                return next(islice(pictures, shown.number, None), None)
        return None

    def _of(self, alert: Alert) -> Iterator[tuple[PictureOf, Picture]]:
        where = {"model": alert.labels.get("model", ""), "alert_id": alert.labels.get("alert_id", "")}
        if where["model"] not in self._watches or alert.labels.get("alertname") in NO_ALARMS:
            return
        table = table_of(alert.labels)
        for row in self._transitions(table, where):
            for number, picture in enumerate(self._drawn(table, where["model"], row)):
                yield PictureOf(**where, sequence=row["sequence"], number=number), picture

    def _transitions(self, table: str, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the newest of some transitions."""
        columns = ("at_ms", "sequence", "state", "signals")
        newest = Query(table, where, columns=columns, order=("sequence",), descending=True, limit=1)
        return rows_of(self._store.read(newest))

    def _drawn(self, table: str, model: str, row: Mapping[str, Any]) -> Iterator[Picture]:
        """Draw the strongest signal of an alert as a transition has it."""
        for moved in json.loads(row["signals"])[:1]:
            if table == PERFORMANCE_ALERTS:
                # Nothing is drawn of panes: hours of labels have none.
                yield from self._history(model, moved, row["at_ms"])
            elif table == FRESHNESS_ALERTS:
                yield from self._silence(self._watches[model], moved, row["at_ms"])
            else:
                yield from self._moved(self._watches[model], moved, row)

    def _silence(self, watch: Watch, silence: Mapping[str, Any], at_ms: int) -> Iterator[Picture]:
        """How many events came before it, and in it."""
        points, span_ms = arrived(self._store, watch, silence, at_ms)
        if points:
            of_topic = f" from {silence['topic']}" if silence["topic"] else ""
            of_topic += f"/{silence['partition']}" if silence["kind"] == "partition" else ""
            yield Picture(
                f"Events of {watch.name}{of_topic} in {format_duration(span_ms)} each, by their own times, until"
                f" {utc(points[-1].end_ms)}: the upright line stands where the last came, at"
                f" {utc(silence['since_ms'])}, red is the silence",
                plot(points, span_ms, silence["since_ms"]),
            )

    def _moved(self, watch: Watch, moved: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Picture]:
        if moved["detector"] not in DETECTORS:
            yield from self._history(watch.name, moved, row["at_ms"])
            # What a signal of an alert that is over says, it says of its strongest window.
            shown = "peak_at_ms" if row["state"] in ("resolved", "cancelled") else "last_ms"
            yield from self._shares(watch, moved, moved[shown])
        elif moved.get("contrast"):
            # Alerts of earlier versions do not say what moved.
            yield from self._change(watch, moved, row["at_ms"])

    def _change(self, watch: Watch, moved: Mapping[str, Any], at_ms: int) -> Iterator[Picture]:
        """What the signal was, beside what is usual, in its own units."""
        step_ms, onset_ms = watch.model.spec.detect.defaults.step_ms, moved["onset_ms"]
        # However long it lasts: the onset is in the picture.
        to_ms = at_ms - max(0, (at_ms - onset_ms) // step_ms - AFTER_ONSET) * step_ms
        ends_ms = range(to_ms - (WINDOWS - 1) * step_ms, to_ms + 1, step_ms)
        windows = self._windows(watch, moved, ends_ms)
        if windows is not None:
            drifting = self._drifting(watch.name, moved, ends_ms)
            points = [replace(point, loud=point.end_ms in drifting) for point in windows.points]
            picture = plot(points, step_ms, onset_ms, share=windows.is_share)
            yield Picture(
                _caption(moved, windows, f"windows of {format_duration(step_ms)} until {utc(to_ms)}"), picture
            )

    def _windows(self, watch: Watch, moved: Mapping[str, Any], ends_ms: range) -> Drawn | None:
        """The windows of what moved; where that began with a new version, behind those of the version before."""
        # A window that repeats the one before it shows in its values.
        contrast = "typical value" if moved["contrast"] == "repeats" else moved["contrast"]
        series = Series(moved["signal"], moved["segment"], moved["version"], contrast)
        windows, former = drawn(self._store, watch, series, ends_ms), moved.get("former_version")
        if windows is None or former is None:
            return windows
        return windows.after(drawn(self._store, watch, replace(series, version=former), ends_ms))

    def _drifting(self, model: str, moved: Mapping[str, Any], ends_ms: range) -> set[int]:
        where = {"model": model, "status": "drift"} | {
            name: moved[name] for name in ("signal", "segment", "version", "detector")
        }
        span = {"window_end_ms": ends_ms[0]}, {"window_end_ms": ends_ms[-1] + 1}
        return set(
            self._store.read(Query("scores", where, *span, columns=("window_end_ms",)))["window_end_ms"].tolist()
        )

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


def _name(moved: Mapping[str, Any]) -> str:
    return f"{moved['signal']} [{moved['segment']}]" if moved["segment"] else str(moved["signal"])


def _caption(moved: Mapping[str, Any], windows: Drawn, until: str) -> str:
    unit = f" in {windows.unit}" if windows.unit else ""
    former = moved.get("former_version")
    under = "" if former is None else f", before that under version {former or 'none'}"
    usual = USUAL if any(math.isfinite(point.expected) for point in windows.points) else ""
    return (
        f"{moved['contrast']} of {_name(moved)}{unit}, {len(windows.points)} {until}: red is drift, the upright line"
        f" stands where it most likely began, at {utc(moved['onset_ms'])}{under}{usual}"
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else []


def _together(baseline: Sequence[float], current: Sequence[float]) -> tuple[list[float], list[float]]:
    """Add neighbours up until no more than :data:`CELLS` are left."""
    step = math.ceil(len(baseline) / CELLS)
    starts = np.arange(0, len(baseline), step)
    current = current or [0.0] * len(baseline)
    return np.add.reduceat(baseline, starts).tolist(), np.add.reduceat(current, starts).tolist()
