"""The subject's name in checkpoints: open panes, baselines, alerts that are firing, and what digests have collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from monitor import checkpoint
from monitor.alerts.alert_log import ESTIMATOR, PERFORMANCE, ROLLOUT
from monitor.alerts.lifecycle import ALERT_NAME
from monitor.checkpoint import Checkpoint
from monitor.config.model import Model, SourceSpec
from monitor.erasure.subject import ASKING, Condition, Subject, Trace
from monitor.erasure.summaries import is_segment_of, renamed_segment
from monitor.erasure.texts import Voice, each_text, rewritten
from monitor.routing.digests import DIGEST
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import merge

__all__ = ["states", "without_subject"]


def states(store: SqlStore, subject: Subject) -> list[Trace]:
    """Find checkpoints that hold the subject's name, those included that newer ones have replaced.

    A state is written again at its own position, over the old one. Nothing may write checkpoints meanwhile.
    """
    holding = [saved for saved in _saved(store) if _changed(saved, subject) is not None]
    newest = {(saved.stage, saved.name, saved.partition): saved for saved in _saved(store, newest=True)}

    def remove() -> list[str]:
        for saved in newest.values():
            state = _changed(saved, subject)
            if state is not None:
                checkpoint.save(store, replace(saved, state=state))
        merge(store, "checkpoints")
        return []

    return [Trace("checkpoints", len(holding), remove, tuple(map(_at, holding)))]


def _at(saved: Checkpoint) -> Condition:
    where = "stage = {stage:String} AND name = {name:String} AND `partition` = {of:Int64} AND position = {at:Int64}"
    return where, {"stage": saved.stage, "name": saved.name, "of": saved.partition, "at": saved.position}


def _saved(store: SqlStore, *, newest: bool = False) -> Iterator[Checkpoint]:
    import pyarrow

    sql = "SELECT stage, name, `partition`, position, config, state FROM checkpoints"
    table = store.arrow(sql if newest else f"{sql} {ASKING}")
    states = table["state"].cast(pyarrow.binary()).to_pylist()
    plain = [table[name].to_pylist() for name in ("stage", "name", "partition", "position", "config")]
    for values in zip(*plain, states, strict=True):
        yield Checkpoint(*values)


def _changed(saved: Checkpoint, subject: Subject) -> Any:
    """The state, which is still packed, without the subject; None if it is not in there."""
    if not saved.state:
        return None
    state = checkpoint.decode_state(saved.state)
    new = without_subject(saved.stage, saved.name, state, subject)
    # The packed forms are compared, since arrays have no equality of their own.
    return None if checkpoint.encode_state(new) == checkpoint.encode_state(state) else new


def without_subject(stage: str, name: str, state: Mapping[str, Any], subject: Subject) -> Any:
    """Return a checkpoint's state with the subject's name replaced.

    Parameters
    ----------
    stage : str
        ``ingest``, ``evaluate``, ``performance``, ``digest``; what others keep is hashes and ids.
    name : str
        The topic, or the model.
    state : mapping
    subject : Subject
    """
    if stage in ("evaluate", "performance"):
        return _evaluation(state, subject, name) if name in subject.models else state
    if stage == DIGEST:
        alerts = {of: {**item, "alert": _alert(item["alert"], subject)} for of, item in state["alerts"].items()}
        return {**state, "alerts": alerts}
    if stage != "ingest":
        return each_text(state, subject.mentions.replaced)
    folds = {model: _fold(fold, subject, model, name) for model, fold in state["folds"].items()}
    return {**state, "folds": folds}


def _evaluation(state: Mapping[str, Any], subject: Subject, model: str) -> Any:
    fields = subject.fields[model]
    new = _without_people(rewritten(dict(state), subject, fields), subject)
    # States of what labels say have none of these.
    for series in ("series", "volumes", "pinned"):
        if series in new:
            new[series] = [item for item in new[series] if not is_segment_of(_segment(item), subject.key, fields)]
    # What charts have learned stands in arrays, by the places of their series.
    return each_text(new, lambda text: renamed_segment(text, subject, fields))


def _without_people(value: Any, subject: Subject) -> Any:
    """What was said of new normals, and by whom, without the name."""
    if isinstance(value, dict):
        return {name: _said(name, item, subject) for name, item in value.items()}
    return [_without_people(item, subject) for item in value] if isinstance(value, (list, tuple)) else value


def _said(name: str, value: Any, subject: Subject) -> Any:
    if name == "new_normal":
        return each_text(value, subject.mentions.replaced)
    if name == "unsaid":
        return [[series, each_text(normal, subject.mentions.replaced)] for series, normal in value]
    return _without_people(value, subject)


def _alert(alert: Mapping[str, Any], subject: Subject) -> Mapping[str, Any]:
    """An alert that a digest has collected, as its next summary would name it."""
    labels, others = alert["labels"], Voice(subject)
    is_own = labels.get("alertname") in (ALERT_NAME, PERFORMANCE, ROLLOUT, ESTIMATOR)
    fields = subject.fields.get(labels.get("model", ""), frozenset())
    voice = Voice(subject, "leeway", "it says itself", fields) if is_own else others
    return {**each_text(alert, others.text), "annotations": each_text(alert["annotations"], voice.text)}


def _segment(series: Mapping[str, Any]) -> str:
    return str(series["segment"] if "segment" in series else series["key"][1])


def _fold(fold: Mapping[str, Any], subject: Subject, model: str, topic: str) -> Mapping[str, Any]:
    if model not in subject.models or "names" not in fold:
        return fold
    signals = _category_signals(subject.models[model], topic)
    return {**fold, "names": _snapshot(fold["names"], signals, subject, subject.fields[model])}


def _category_signals(model: Model, topic: str) -> list[str]:
    """Category signals of the source that is ``topic``, in the order of the fold's columns."""
    source: SourceSpec | None = model.spec.source_of(topic)
    kinds = {"event": ("feature:", "prediction:"), "features": ("feature:",), "prediction": ("prediction:",)}
    carried = kinds.get(source.kind, ()) if source is not None else ()
    fields = model.spec.schema_.signals().items()
    return [name for name, spec in fields if spec.type == "category" and name.startswith(carried)]


def _snapshot(names: Mapping[str, Any], signals: list[str], subject: Subject, fields: frozenset[str]) -> Any:
    """What :meth:`detectors.sketch.CategoryFold.snapshot` gave, with the name replaced in the columns of ``fields``.

    A state of another configuration has other columns; it will not be used, and the name is replaced in all of them.
    """
    rows, columns = names["sums"].shape[:2]
    is_current = len(signals) == columns
    texts = _split(names["text"].tobytes(), names["lengths"].tolist())
    counts = names["counts"].tolist()
    sums = names["sums"].copy()
    out: list[tuple[bytes, int]] = []
    first = 0
    for row in range(rows):
        for column in range(columns):
            size = int(sums[row, column, 3])
            chunk = dict(zip(texts[first : first + size], counts[first : first + size], strict=True))
            first += size
            if not is_current or signals[column] in fields:
                _rename(chunk, subject)
            sums[row, column, 3] = len(chunk)
            out += chunk.items()
    return {
        "sums": sums,
        "counts": np.array([count for _, count in out], dtype=np.int64),
        "text": np.frombuffer(b"".join(text for text, _ in out), dtype=np.uint8).copy(),
        "lengths": np.array([len(text) for text, _ in out], dtype=np.int64),
    }


def _rename(counts: dict[bytes, int], subject: Subject) -> None:
    key, marker = subject.key.encode("utf-8", "surrogatepass"), subject.marker.encode()
    if key in counts:
        counts[marker] = counts.get(marker, 0) + counts.pop(key)


def _split(text: bytes, lengths: list[int]) -> list[bytes]:
    texts = []
    start = 0
    for length in lengths:
        texts.append(text[start : start + length])
        start += length
    return texts
