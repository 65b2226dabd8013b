"""Labelled events that are stored, as estimators are fitted on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.performance import Multiclass, Regression
from monitor.config.schema import FieldSpec
from monitor.errors import InputError
from monitor.estimators.artefact import Kind, StoredEvents
from monitor.estimators.labelled import LabelledEvents, outcomes, unfit
from monitor.panes.distributions import Part
from monitor.slices.fields import Fields, fields_of
from monitor.slices.sample import Sample, read_any_sample
from monitor.watch import Watch
from sinks.store.contract import Query, Store

__all__ = ["MOST_FITTED", "MOST_IDS", "stored_events", "stored_span"]

MOST_FITTED = 100_000
"""On so many stored events an estimator is fitted at most."""

MOST_IDS = 1_000_000
"""Of so many ids labels are looked for at most."""

STORE = "the store"

Integers = NDArray[np.int64]
Columns = dict[str, Any]


def stored_span(store: Store, model: str) -> tuple[int, int]:
    """Return from when to when predictions are stored that labels are joined with, half-open; (0, 0) without any.

    Raises
    ------
    StoreError
    """
    query = Query("predicted", {"model": model}, order=("event_ms",), limit=1, columns=("event_ms",))
    earliest, latest = (store.read(replace(query, descending=side))["event_ms"] for side in (False, True))
    return (int(earliest[0]), int(latest[0]) + 1) if len(earliest) else (0, 0)


def stored_events(store: Store, watch: Watch, part: Part, kind: Kind) -> LabelledEvents:
    """Return the labelled events of a part of a model's traffic, in the order in which they came.

    Of each the newest label counts. Of more than :data:`MOST_FITTED` those are taken whose ids have the smallest
    digests. Private fields are left out.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    part : Part
        Of the time, version and segment of predictions.
    kind : str
        ``cbpe`` of a probability needs predictions and labels alone; others need events of which fields are stored.

    Raises
    ------
    InputError
        If nothing is stored that this needs, with the key of the configuration that would have it stored; or some ids
        stand in for too many events.
    StoreError
    """
    _check_keep(watch, kind)
    table: Literal["events", "predicted"] = "events" if _looks_at_fields(watch, kind) else "predicted"
    sample = read_any_sample(store, watch, part, table, (MOST_FITTED, MOST_IDS))
    if not len(sample):
        raise InputError(_nothing(watch, part, sample, table))
    columns = sample.columns
    order = np.lexsort((columns["offset"], columns["partition"], _codes(columns["topic"]), columns["event_ms"]))
    signals, left_out = _signals(watch, kind)
    values = _values(store, watch, part, sample, order, signals)
    numeric = {signal: values[signal] for signal, spec in signals.items() if spec.type == "numeric"}
    category = {signal: values[signal] for signal in signals if signal not in numeric}
    of_stored = StoredEvents(part.from_ms, part.to_ms, int(np.max(columns["labelled_ms"])), sample.is_all)
    is_named = isinstance(watch.judged_plan.scheme, Multiclass)
    truth = [columns["label"][row] for row in order.tolist()] if is_named else ()
    return LabelledEvents(STORE, _outcome(watch, sample, order), numeric, category, left_out, of_stored, truth)


def _looks_at_fields(watch: Watch, kind: Kind) -> bool:
    """Whether it needs more of an event than what is compared with the label."""
    return kind != "cbpe" or bool(watch.judged_plan.probabilities)


def _check_keep(watch: Watch, kind: Kind) -> None:
    if _looks_at_fields(watch, kind) and not watch.model.spec.keep.events:
        fields = "the probabilities of classes" if kind == "cbpe" else "features"
        detail = f"{watch.name}: {kind} looks at {fields}, and no events are stored: set `spec.keep.events`"
        raise InputError(f"{detail} to a share of them, such as `5%`; it holds for events from then on")


def _nothing(watch: Watch, part: Part, sample: Sample, table: str) -> str:
    if sample.counts.stored and part.version is not None:
        return f"{watch.name}: no event of this time is of version {part.version!r} and has a label that fits"
    if sample.counts.stored:
        detail = f"{sample.counts.looked_at:,} events are stored of this time, and none has a label that fits"
        return f"{watch.name}: {detail}: labels come from a source of `kind: labels` in `spec.sources`"
    if table == "events":
        return f"{watch.name}: no events of this time are stored: `spec.keep.events` says how many, `keep.for` how long"
    detail = "no predictions of this time are stored with an id: they are from when `spec.performance` is set on"
    return f"{watch.name}: {detail}, and not under `keep: none`"


def _codes(texts: list[str]) -> Integers:
    return np.unique(np.array(texts, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def _signals(watch: Watch, kind: Kind) -> tuple[dict[str, FieldSpec], dict[str, str]]:
    """Return what is looked at, and what is not, with the reason."""
    spec, prediction = watch.model.spec, watch.judged_plan.prediction
    calibrated = {prediction, *watch.judged_plan.probabilities.values()}
    signals, left_out = dict[str, FieldSpec](), dict[str, str]()
    for signal, field in spec.schema_.signals().items():
        # What is compared with labels is known of every prediction.
        is_without = signal in spec.keep.without and signal != prediction
        if reason := unfit(field) or ("keep.without" if is_without else ""):
            left_out[signal] = reason
        elif kind != "cbpe" or signal in calibrated:
            signals[signal] = field
    return signals, left_out


def _values(
    store: Store, watch: Watch, part: Part, sample: Sample, order: Integers, signals: Mapping[str, FieldSpec]
) -> Columns:
    """Return what is known of signals: numbers of numeric ones, texts of others."""
    prediction = watch.judged_plan.prediction
    read = [signal for signal in signals if signal != prediction]
    values: dict[str, list[Any]] = {signal: [] for signal in read}
    for _, events in fields_of(store, watch, part, sample, order) if read else ():
        for signal in read:
            is_number = signals[signal].type == "numeric"
            values[signal] += [_number(fields.get(signal)) if is_number else _text(fields, signal) for fields in events]
    columns: Columns = {s: np.array(v) if signals[s].type == "numeric" else v for s, v in values.items()}
    if prediction in signals:
        columns[prediction] = _predicted(watch, sample, order)
    return {signal: columns[signal] for signal in signals}


def _number(value: float | str | None) -> float:
    """A number; what was stored when the field was something else is none."""
    return np.nan if value is None or isinstance(value, str) or not np.isfinite(value) else float(value)


def _text(fields: Fields, signal: str) -> str | None:
    value = fields.get(signal)
    return value if isinstance(value, str) else None


def _predicted(watch: Watch, sample: Sample, order: Integers) -> Any:
    if isinstance(watch.judged_plan.scheme, Multiclass):
        return [sample.columns["predicted_label"][row] for row in order.tolist()]
    return np.asarray(sample.columns["predicted_value"], dtype=np.float64)[order]


def _outcome(watch: Watch, sample: Sample, order: Integers) -> NDArray[np.float64]:
    plan, columns = watch.judged_plan, sample.columns
    if isinstance(plan.scheme, Regression):
        return outcomes(plan, _predicted(watch, sample, order), np.asarray(columns["value"])[order])
    return outcomes(plan, _predicted(watch, sample, order), [columns["label"][row] for row in order.tolist()])
