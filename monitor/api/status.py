"""What is watched, since when, and what is blind: each series and detector, and each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from monitor.alerts.alert_log import ALARM_TABLES, NO_ALARMS
from monitor.api.buckets import EARLIEST_MS, LATEST_MS
from monitor.api.choices import listed_names
from monitor.api.contract import ApiService
from monitor.api.detectable import SERIES, newest_days, smallest_shifts
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.label_values import other_values
from monitor.api.parameters import TheService, models_in, question_of
from monitor.api.problems import ProblemError
from monitor.api.reading import Row, stored_models
from monitor.api.standing_alerts import standing_alerts, started
from monitor.api.window_contrasts import outcome_of
from monitor.config.performance import is_judged
from monitor.estimators.estimator import ESTIMATED
from monitor.evaluate.change import DETECTORS
from monitor.evaluate.mark_log import OF_ALERTS, read_marks
from monitor.evaluate.muting import is_muted, mutings
from monitor.evaluate.realised import accepted
from monitor.evaluate.referred_contrasts import REFERENCE_EVENTS
from monitor.performance.alarms import learned_windows
from monitor.resources.status import STATES, ModelProtection, Protection, ProtectionSummary, SeriesProtection
from monitor.values import DAY_MS, format_duration
from monitor.watch import Watch
from sinks.receivers.times import utc
from sinks.store.contract import Buckets, Query, Store
from sinks.store.parallel import side_by_side
from sinks.store.rows import rows_of

__all__ = ["newest_end_ms", "read_protection", "router", "served"]

router = APIRouter(prefix="/v1", tags=["models"])

HOUR_MS = DAY_MS // 24
KEY = ("model", "signal", "segment", "version", "detector")
JUDGED = ("ok", "warning", "drift")
"""The statuses of a window that could have alarmed."""
OF_LATEST = (*KEY, "window_end_ms", "window_ms", "status", "surprise", "surprise_limit", "detail", "idle")
OF_BUCKETS = (*KEY, "bucket_end_ms", *JUDGED)
STATE_OF = {"drift": "firing", "warning": "protecting", "ok": "protecting", "learning": "learning", "no_data": "blind"}
CHANGE, SKEW = DETECTORS
"""The detectors that decide under ``detect.rule: change``; the second only where there is a data set."""

MOST_VERSIONS = 50

RETIRED_MS = 7 * DAY_MS
"""A version that has been gone for longer, while another one is served, is no longer missed."""

Detected = tuple[str, ...]
"""Model, signal, segment, version and detector."""


@lists(router, Protection)
def protection(
    service: TheService, form: Whole, question: Annotated[Protection, Depends(question_of(Protection))]
) -> Response:
    rows = read_protection(service, _models(service, question))
    if question.signal is not None:
        signals = sorted({row["signal"] for row in rows})
        if question.signal not in signals:
            choices = f"known are {listed_names(signals)}" if signals else "there are none yet"
            raise ProblemError("unknown-signal", f"nothing decides about a signal {question.signal!r}; {choices}")
        rows = [row for row in rows if row["signal"] == question.signal]
        rows = list(_with_shifts(service.store, question.signal, rows))
    shown = [row for row in rows if question.state in (None, row["state"])][: question.limit]
    return listed_whole(form, list(_with_alarms(service.store, shown)), SeriesProtection, {})


@lists(router, ProtectionSummary)
def protection_summary(
    service: TheService, form: Whole, question: Annotated[ProtectionSummary, Depends(question_of(ProtectionSummary))]
) -> Response:
    models = _models(service, question)
    rows, alerts = side_by_side(
        lambda: read_protection(service, models), lambda: standing_alerts(service.store, models, tables=ALARM_TABLES)
    )
    of_models, alerts_of_models = _by_model(models, rows), _by_model(models, alerts)
    summaries = [_summary(service, name, of_models[name], alerts_of_models[name]) for name in models]
    versions = _versions(service.store, question.model)
    rows = [row | {"versions": versions} for row in summaries]
    return listed_whole(form, rows, ModelProtection, {})


def _by_model(models: Sequence[str], rows: Iterable[Row]) -> dict[str, list[Row]]:
    by_model: dict[str, list[Row]] = {name: [] for name in models}
    for row in rows:
        by_model[row["model"]].append(row)
    return by_model


def _versions(store: Store, model: str | None) -> list[Row]:
    """Return the versions of a model that came last, the oldest first."""
    if model is None:
        return []
    rows = rows_of(store.read(Query("versions", {"model": model}, columns=("version", "first_ms"))))
    return sorted(rows, key=lambda row: (row["first_ms"], row["version"]))[-MOST_VERSIONS:]


def _with_alarms(store: Store, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows, those whose alarms stand with since when they do, as alerts that fire say."""
    models = sorted({row["model"] for row in rows if row["stands"]})
    alerts = standing_alerts(store, models, state="firing", tables=ALARM_TABLES) if models else []
    since_ms: dict[Detected, int] = {}
    for alert in alerts:
        for series in alert["signals"]:
            if series.get("alarmed"):
                key = tuple(({"model": alert["model"]} | series)[name] for name in KEY)
                since_ms[key] = min(series["since_ms"], since_ms.get(key, series["since_ms"]))
    for row in rows:
        yield row | {"stands_since_ms": since_ms.get(_detected(row))} if row["stands"] else row


def _with_shifts(store: Store, signal: str, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows with the smallest shifts that can be found of a signal."""
    days = newest_days(store, sorted({row["model"] for row in rows}), signal)
    shifts = smallest_shifts(days)
    for row in rows:
        is_judged = row["detector"] == CHANGE and row["status"] in JUDGED
        yield row | {"detectable": shifts.get(tuple(row[name] for name in SERIES), []) if is_judged else []}


def _models(service: ApiService, question: Protection | ProtectionSummary) -> list[str]:
    chosen = models_in(service, question.model, question.namespace)
    return sorted(chosen if chosen is not None else service.configuration.models or stored_models(service.store))


def read_protection(service: ApiService, models: Sequence[str]) -> list[Row]:
    """Return a row for each series and detector that decides, and for each that should and never saw a window.

    Parameters
    ----------
    service : ApiService
    models : sequence of str

    Returns
    -------
    list of dict
        As `monitor.resources.status.SeriesProtection` has it, and ``window_ms``.

    Raises
    ------
    StoreError
    """
    store, where = service.store, {"model": list(models)}
    newest, judged = side_by_side(
        lambda: rows_of(store.read(Query("latest", where, columns=OF_LATEST))),
        lambda: _judged(store, Buckets(EARLIEST_MS, LATEST_MS, DAY_MS, where, columns=OF_BUCKETS)),
    )
    decides = {name: _decides(name, service.watches.get(name), newest) for name in models}
    of_deciding = [row for row in newest if decides[row["model"]](row["signal"], row["detector"])]
    deciding = {_detected(row): row for row in served(of_deciding)}
    ends_ms: dict[tuple[str, bool], int] = {}
    for row in newest:
        # Hours wait for labels, and are no further behind than others of them.
        of_kind = row["model"], is_judged(row["signal"])
        ends_ms[of_kind] = max(ends_ms.get(of_kind, row["window_end_ms"]), row["window_end_ms"])
    unjudged = [key for key, row in deciding.items() if key in judged and row["status"] not in JUDGED]
    first_ms = _narrowed(store, {key: judged[key].first_ms for key in deciding if key in judged}, min)
    last_ms = _narrowed(store, {key: judged[key].last_ms for key in unjudged}, max)
    rows = [
        _row(row, judged.get(key, NEVER), first_ms.get(key), last_ms.get(key), _newest_of(row, ends_ms))
        for key, row in deciding.items()
    ]
    rows = list(_with_ends_of_learning(service, rows))
    seen = {(row["model"], row["signal"], row["detector"]) for row in deciding.values()}
    watches = [service.watches[name] for name in models if name in service.watches]
    unseen = [key for watch in watches for pair in _expected(watch) if (key := (watch.name, *pair)) not in seen]
    read_to_ms = _read_to(store, sorted({model for model, *_ in unseen}))
    rows += [_never_seen(*key, read_to_ms.get(key[0])) for key in unseen]
    return sorted(_with_label_values(service, _with_muted(service, rows)), key=_rank)


def _with_label_values(service: ApiService, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows, those of metrics that labels leave without a value with what labels say instead."""
    named: dict[tuple[str, int], str] = {}
    for row in rows:
        if not (row["state"] == "blind" and row["status"] == "no_data" and is_judged(row["signal"])):
            yield row
            continue
        span = row["model"], row["blind_since_ms"] or EARLIEST_MS
        if span not in named:
            named[span] = other_values(service, *span, LATEST_MS)
        yield row | {"reason": "; ".join(part for part in (row["reason"], named[span]) if part)}


def _with_muted(service: ApiService, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows, those blind whose estimator has lost its fidelity: whatever they say, nobody is notified."""
    spells = {
        name: mutings(read_marks(service.store, name))
        for name in {row["model"] for row in rows if row["signal"].startswith(ESTIMATED)}
        if name in service.watches
    }
    for row in rows:
        of_model = spells.get(row["model"], ()) if row["window_end_ms"] is not None else ()
        holding = [
            s for s in of_model if is_muted(service.watches[s.muted.model], [s], row["signal"], row["window_end_ms"])
        ]
        if not holding:
            yield row
            continue
        since_ms, reason = holding[-1].muted.effective_ms, holding[-1].muted.reason
        blind = {"state": "blind", "blind_since_ms": since_ms, "learns_until_ms": None}
        yield row | blind | {"reason": f"muted since {utc(since_ms)}: {reason}"}


def newest_end_ms(ends_ms: Iterable[tuple[str, int]]) -> int | None:
    """Return how far a model is judged, of the ends of windows by signal; None without any.

    Hours of labels say it only where there is nothing else: they may run ahead of windows that catch up.

    Examples
    --------
    >>> newest_end_ms([("performance:accuracy", 9), ("feature:amount", 5), ("volume", 6)])
    6
    """
    listed = list(ends_ms)
    of_events = [end_ms for signal, end_ms in listed if not is_judged(signal)]
    return max(of_events or [end_ms for _, end_ms in listed], default=None)


def _newest_of(row: Row, ends_ms: Mapping[tuple[str, bool], int]) -> int:
    return ends_ms[row["model"], is_judged(row["signal"])]


# -- which detectors decide ------------------------------------------------------------------------------------------


def _decides(model: str, watch: Watch | None, newest: Iterable[Row]) -> Callable[[str, str], bool]:
    """Return what says whether a detector decides about a signal; by the stored scores, without a configuration."""
    if watch is not None:
        expected = set(_expected(watch))
        # Skew decides wherever there is a reference to have scores against.
        return lambda signal, name: (signal, CHANGE if name == SKEW else name) in expected
    if not any(row["model"] == model and row["detector"] == CHANGE for row in newest):
        return lambda signal, name: True
    return lambda signal, name: name in (CHANGE, SKEW) or signal.startswith("vector:")


def _expected(watch: Watch) -> Iterator[tuple[str, str]]:
    """Yield the signals and the detectors that are to decide about them."""
    for signal in watch.judged_signals:
        yield signal, CHANGE
    for signal in dict.fromkeys((*watch.layouts, *watch.uses)):
        if watch.has_normal_levels(signal):
            yield signal, CHANGE
        if watch.is_charted(signal):
            continue
        for name in watch.uses.get(signal, {}):
            if name not in watch.detectors_for(signal):
                yield signal, name


def served(newest: Sequence[Row]) -> list[Row]:
    """Leave out the series of versions that are gone for good, where another version has the same."""
    ends_ms: dict[tuple[str, str], int] = {}
    for row in newest:
        version = row["model"], row["version"]
        ends_ms[version] = max(ends_ms.get(version, row["window_end_ms"]), row["window_end_ms"])
    last_ms: dict[str, int] = {}
    for (model, _), end_ms in ends_ms.items():
        last_ms[model] = max(last_ms.get(model, end_ms), end_ms)

    def is_served(row: Row) -> bool:
        return last_ms[row["model"]] - ends_ms[row["model"], row["version"]] <= RETIRED_MS

    served = {_across_versions(row) for row in newest if is_served(row)}
    return [row for row in newest if is_served(row) or _across_versions(row) not in served]


def _across_versions(row: Row) -> Detected:
    return tuple(row[name] for name in KEY if name != "version")


# -- since when --------------------------------------------------------------------------------------------------------


@dataclass
class _Judged:
    """What is known of the windows that a detector judged: ends of buckets, and counts."""

    first_ms: int = 0
    last_ms: int = 0
    windows: int = 0
    drifts: int = 0


NEVER = _Judged()


def _judged(store: Store, buckets: Buckets) -> dict[Detected, _Judged]:
    """Add up the windows that each detector judged; those that it did not judge at all are left out."""
    columns = store.buckets(buckets)
    counts = sum(columns[status] for status in JUDGED)
    by_key: dict[Detected, _Judged] = {}
    keys = zip(*(columns[name] for name in KEY), strict=True)
    ends_ms, drifts = columns["bucket_end_ms"].tolist(), columns["drift"].tolist()
    # They come in the order of time.
    for key, end_ms, count, in_drift in zip(keys, ends_ms, counts.tolist(), drifts, strict=True):
        if count:
            judged = by_key.setdefault(key, _Judged(first_ms=end_ms))
            judged.last_ms = end_ms
            judged.windows += count
            judged.drifts += in_drift
    return by_key


def _narrowed(
    store: Store, days_ms: Mapping[Detected, int], choose: Callable[[Iterable[int]], int]
) -> dict[Detected, int]:
    """Return ends of windows for ends of the days in which they are: by way of hours, since a day has many windows.

    Where hours or windows are gone, as a lifetime has it, the end of the day or of the hour stays.

    Parameters
    ----------
    store : Store
    days_ms : mapping
    choose : callable
        ``min`` for the first window of the day that was judged, ``max`` for the last.
    """
    ends_ms = dict(days_ms)
    for length_ms, step_ms in ((DAY_MS, HOUR_MS), (HOUR_MS, 1)):
        by_end: dict[int, list[Detected]] = {}
        for key, end_ms in ends_ms.items():
            by_end.setdefault(end_ms, []).append(key)
        for end_ms, keys in by_end.items():
            span = (end_ms - length_ms + 1, end_ms + 1)
            judged = _judged(store, Buckets(*span, step_ms, among=tuple(keys), columns=OF_BUCKETS))
            ends_ms |= {key: choose((of_key.first_ms, of_key.last_ms)) for key, of_key in judged.items()}
    return ends_ms


def _with_ends_of_learning(service: ApiService, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows, those that learn under the rule `change` with the end of the first window that may alarm."""
    learning = [_detected(row) for row in rows if row["state"] == "learning" and row["detector"] == CHANGE]
    learned: dict[Detected, tuple[int, int]] = {}
    if learning:
        counts = ("learning", "windows", "n")
        buckets = Buckets(EARLIEST_MS, LATEST_MS, DAY_MS, among=tuple(learning), columns=(*KEY, *counts))
        columns = service.store.buckets(buckets)
        for *key, windows, seen, events in zip(*(columns[name] for name in (*KEY, *counts)), strict=True):
            of_key = learned.get(tuple(key), (0, 0))
            # Before the first window that may alarm nearly all of them are learned from.
            of_learning = int(events) * int(windows) // max(int(seen), 1)
            learned[tuple(key)] = of_key[0] + int(windows), of_key[1] + of_learning
    for row in rows:
        watch = service.watches.get(row["model"])
        if watch is None or _detected(row) not in learned:
            yield row
            continue
        windows = _windows_to_come(watch, row, *learned[_detected(row)])
        yield row | {"learns_until_ms": None if windows is None else row["window_end_ms"] + windows * row["window_ms"]}


def _windows_to_come(watch: Watch, row: Row, windows: int, events: int) -> int | None:
    """Return how many windows there are up to the first that may alarm; None if its values may never be enough.

    Parameters
    ----------
    watch : Watch
    row : Row
    windows, events : int
        That were learned from.
    """
    of_hours = is_judged(row["signal"])
    learned = learned_windows(watch) if of_hours else watch.model.spec.detect.defaults.learn_windows
    needed = learned - windows
    if needed >= 0 or row["signal"] == "volume" or (row["segment"], row["signal"]) in watch.reference:
        return max(needed, 0) + 1
    # With so many events there would be coordinates, were all of them values.
    return None if events >= REFERENCE_EVENTS else -(-(REFERENCE_EVENTS - events) * windows // max(events, 1)) + 1


# -- rows --------------------------------------------------------------------------------------------------------------


def _row(newest: Row, judged: _Judged, first_ms: int | None, last_ms: int | None, model_ms: int) -> Row:
    age_ms = model_ms - newest["window_end_ms"]
    state = "blind" if age_ms else STATE_OF[newest["status"]]
    if newest["status"] in JUDGED:
        last_ms = newest["window_end_ms"]
    reason = newest["detail"] or "its newest window could not be judged"
    if age_ms:
        reason = f"no window since {utc(newest['window_end_ms'])}, for {format_duration(age_ms)}"
    return {
        **{name: newest[name] for name in (*KEY, "window_end_ms", "window_ms", "status", "detail", "idle")},
        "state": state,
        "protects_since_ms": first_ms,
        "blind_since_ms": last_ms if state == "blind" else None,
        "learns_until_ms": None,
        "reason": reason if state == "blind" else "",
        "age_ms": age_ms,
        "stands": state == "firing" and outcome_of(newest) == "stands",
        "stands_since_ms": None,
        "evidence": newest["surprise"],
        "threshold": newest["surprise_limit"],
        "windows": judged.windows,
        "drift_windows": judged.drifts,
        "detectable": [],
    }


def _read_to(store: Store, models: Sequence[str]) -> dict[str, int]:
    """Return up to which time the events of models have come, when panes were last closed."""
    read_to_ms: dict[str, int] = {}
    if models:
        for row in rows_of(store.read(Query("progress", {"model": models}, columns=("model", "newest_ms")))):
            read_to_ms[row["model"]] = max(read_to_ms.get(row["model"], row["newest_ms"]), row["newest_ms"])
    return read_to_ms


def _never_seen(model: str, signal: str, detector: str, read_to_ms: int | None) -> Row:
    come = "" if read_to_ms is None else f"; the newest event of its model is of {utc(read_to_ms)}"
    nothing = dict.fromkeys(
        (
            "protects_since_ms",
            "blind_since_ms",
            "learns_until_ms",
            "window_end_ms",
            "window_ms",
            "status",
            "age_ms",
            "stands_since_ms",
            "evidence",
            "threshold",
        )
    )
    return {
        **nothing,
        **dict(zip(KEY, (model, signal, "", "", detector), strict=True)),
        "state": "blind",
        "reason": f"it has had no window yet{come}",
        "stands": False,
        "windows": 0,
        "drift_windows": 0,
        "detail": "",
        "idle": "",
        "detectable": [],
    }


def _rank(row: Row) -> tuple[Any, ...]:
    """What fires first; of what is blind, what was lost last; then by name."""
    return STATES.index(row["state"]), -(row["blind_since_ms"] or 0), _detected(row)


def _detected(row: Row) -> Detected:
    return tuple(row[name] for name in KEY)


def _summary(service: ApiService, model: str, rows: Sequence[Row], alerts: Sequence[Row]) -> Row:
    states = Counter(row["state"] for row in rows)
    # The start of the first window that was judged: no alert can have started before.
    starts = [row["protects_since_ms"] - row["window_ms"] for row in rows if row["protects_since_ms"] is not None]
    ends_ms = [(row["signal"], row["window_end_ms"]) for row in rows if row["window_end_ms"] is not None]
    end_ms = newest_end_ms(ends_ms)
    covered_ms = end_ms - min(starts) if starts and end_ms is not None else 0
    alarms = [alert for alert in alerts if alert["labels"].get("alertname") not in NO_ALARMS]
    fired = [alert["alert_id"] for alert in started(alarms, (min(starts), None))] if starts else []
    marks = [mark for mark in read_marks(service.store, model) if mark.says in OF_ALERTS] if fired else []
    # Of an alert the newest counts.
    says = {mark.alert_id: mark.says for mark in sorted(marks, key=lambda mark: mark.order)}
    watch = service.watches.get(model)
    budget = watch.model.spec.detect.false_alarms if watch is not None else None
    stated = accepted(budget, covered_ms) if budget is not None else None
    plan = watch.model.spec.performance_plan if watch is not None else None
    return {
        "model": model,
        **{state: states[state] for state in STATES},
        "protects_since_ms": min(
            (row["protects_since_ms"] for row in rows if row["protects_since_ms"] is not None), default=None
        ),
        "window_end_ms": end_ms,
        "days": covered_ms / DAY_MS,
        "alerts": len(fired),
        "marked_false": sum(says.get(alert_id) == "false" for alert_id in fired),
        "false_alarms": budget.count if budget is not None else None,
        "per_ms": budget.per_ms if budget is not None else None,
        "accepted": stated,
        "alerts_per_accepted": len(fired) / stated if stated else None,
        "metrics": [] if plan is None else list(plan.metrics),
    }
