"""Where summaries and their judgements name the subject: the name is replaced, and what was counted stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from monitor.erasure.subject import ASKING, Seal, Subject, Trace, count, deleting, parts
from sinks.store.drifting import ARRAYS as DRIFT_ARRAYS
from sinks.store.drifting import TABLE as DRIFTS
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import mutate

__all__ = ["is_segment_of", "names_elsewhere", "rewritten", "summaries"]

_PANES = ("panes", "panes_5m", "panes_1h")
_TEXTS = (("scores", "detail"), ("latest", "detail"), ("scores_1h", "worst_detail"), ("scores_1d", "worst_detail"))
_DOCUMENTS = (("alerts", "signals"), ("expectations", "contrasts"))
_SEGMENTED = (*_PANES, "scores", "latest", "scores_1h", "scores_1d", "alerts", "expectations")
_SEGMENTS = {**dict.fromkeys(_SEGMENTED, "`segment`"), DRIFTS: "arrayJoin(segments)"}
"""Where each table has the names of segments."""


def summaries(store: SqlStore, subject: Subject, seal: Seal) -> list[Trace]:
    """Find the subject's name in what is counted and said, and segments of the traffic that are the subject's alone."""
    return [
        *_names(store, subject, seal),
        *_texts(store, subject, seal),
        *_documents(store, subject, seal),
        *_segments(store, subject, seal),
    ]


def names_elsewhere(store: SqlStore, subject: Subject) -> dict[str, int]:
    """Return category signals beyond ``subject.fields`` that hold the subject's key as a name, with their panes.

    A short key may be a name of something else, such as an hour: they are left alone unless they are named.
    """
    rows_of: dict[str, int] = {}
    for model, fields in subject.fields.items():
        where = "model = {model:String} AND signal NOT IN {fields:Array(String)} AND has(`names`, {key:String})"
        parameters = {"model": model, "fields": sorted(fields), "key": subject.key}
        for table in _PANES:
            sql = f"SELECT signal, count() AS n FROM {table} WHERE {where} GROUP BY signal {ASKING}"
            rows = store.query(sql, parameters)
            for signal, n in zip(rows["signal"], rows["n"], strict=True):
                name = f"{model}/{signal}"
                rows_of[name] = rows_of.get(name, 0) + int(n)
    return rows_of


def _names(store: SqlStore, subject: Subject, seal: Seal) -> Iterator[Trace]:
    """Panes that count the subject by name."""
    for table in _PANES:
        for model, fields in sorted(subject.fields.items()):
            where = "model = {model:String} AND signal IN {fields:Array(String)} AND has(`names`, {key:String})"
            of_model = {"model": model, "fields": sorted(fields)}
            sql = f"SELECT count() AS n, min(pane_start_ms) AS a, max(pane_start_ms) AS b FROM {table} WHERE {where} "
            rows = store.query(sql + ASKING, of_model | {"key": subject.key})
            if rows["n"][0]:
                span = {"low": int(rows["a"][0]), "high": int(rows["b"][0])}
                yield Trace(table, int(rows["n"][0]), _renaming(store, table, subject, seal, of_model | span))


def _renaming(
    store: SqlStore, table: str, subject: Subject, seal: Seal, parameters: Mapping[str, Any]
) -> Callable[[], list[str]]:
    # sumMap sorts names as panes do, and adds up where the replacement is there already.
    is_key = f"{seal.over('x')} = {{sealed:String}}"
    renamed = f"arrayReduce('sumMap', [arrayMap(x -> if({is_key}, {{marker:String}}, x), `names`)], [counts])"
    where = (
        "model = {model:String} AND signal IN {fields:Array(String)} AND pane_start_ms >= {low:Int64} "
        f"AND pane_start_ms <= {{high:Int64}} AND arrayExists(x -> {is_key}, `names`)"
    )

    def remove() -> list[str]:
        action = f"UPDATE `names` = tupleElement({renamed}, 1), counts = tupleElement({renamed}, 2) WHERE {where}"
        bound = {**parameters, "sealed": seal.of([subject.key])[0], "marker": subject.marker}
        return [mutate(store, table, action, bound)]

    return remove


def _texts(store: SqlStore, subject: Subject, seal: Seal) -> Iterator[Trace]:
    """What scores say in words of new names."""
    for table, column in _TEXTS:
        for model, fields in sorted(subject.fields.items()):
            where = "model = {model:String} AND signal IN {fields:Array(String)}"
            parameters = {"model": model, "fields": sorted(fields)}
            says = f"{where} AND position({column}, {{shown:String}}) > 0"
            sql = f"SELECT {column} AS words, count() AS n FROM {table} WHERE {says} GROUP BY words {ASKING}"
            stored = store.query(sql, parameters | {"shown": subject.shown})
            texts = {old: old.replace(subject.shown, subject.marker_shown) for old in stored["words"]}
            rows = int(sum(stored["n"]))
            yield Trace(table, rows, _rewording(store, (table, column), (where, parameters), texts, seal))


def _rewording(
    store: SqlStore,
    columns: tuple[str, str],
    condition: tuple[str, Mapping[str, Any]],
    texts: Mapping[str, str],
    seal: Seal,
) -> Callable[[], list[str]]:
    table, column = columns
    where, parameters = condition
    sealed = f"{seal.over(column)} IN {{old:Array(String)}}"
    action = f"UPDATE {column} = transform({seal.over(column)}, {{old:Array(String)}}, {{new:Array(String)}}, {column})"

    def remove() -> list[str]:
        done = []
        for part in parts(sorted(texts)):
            bound = {**parameters, "old": seal.of(part), "new": [texts[old] for old in part]}
            done.append(mutate(store, table, f"{action} WHERE {where} AND {sealed}", bound))
        return done

    return remove


def _documents(store: SqlStore, subject: Subject, seal: Seal) -> Iterator[Trace]:
    """What alerts say in words, and what contrasts of expectations are called: both are JSON."""
    shown = {"shown": _in_json(subject.shown)}
    for table, column in _DOCUMENTS:
        for model, fields in sorted(subject.fields.items()):
            where, parameters = "model = {model:String}", {"model": model}
            says = f"{where} AND position({column}, {{shown:String}}) > 0"
            sql = f"SELECT {column} AS document, count() AS n FROM {table} WHERE {says} GROUP BY document {ASKING}"
            stored = store.query(sql, parameters | shown)
            texts, rows = {}, 0
            for old, n in zip(stored["document"], stored["n"], strict=True):
                document = json.loads(old)
                new = rewritten(document, subject, fields)
                if new != document:
                    texts[old] = json.dumps(new, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                    rows += int(n)
            yield Trace(table, rows, _rewording(store, (table, column), (where, parameters), texts, seal))


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def rewritten(value: Any, subject: Subject, fields: frozenset[str]) -> Any:
    """Return ``value`` with the subject's name replaced: in texts that quote it, and in packed summaries.

    What belongs to a signal (a mapping with a ``signal``, or with a ``key`` that ends with one) is left as it is unless
    the signal is one of ``fields``.
    """
    if isinstance(value, str):
        return value.replace(subject.shown, subject.marker_shown)
    if isinstance(value, dict):
        signal = _signal_of(value)
        if signal is not None and signal not in fields:
            return value
        changed = {name: rewritten(item, subject, fields) for name, item in value.items()}
        return _renamed(changed, subject) if {"names", "counts"} <= set(value) else changed
    return [rewritten(item, subject, fields) for item in value] if isinstance(value, (list, tuple)) else value


def _signal_of(value: Mapping[str, Any]) -> str | None:
    key = value.get("key")
    if isinstance(key, (list, tuple)) and key and isinstance(key[-1], str):
        return key[-1]
    signal = value.get("signal")
    return signal if isinstance(signal, str) else None


def _renamed(summary: dict[str, Any], subject: Subject) -> dict[str, Any]:
    """A packed summary of categories, its names in order."""
    if subject.key not in summary["names"]:
        return summary
    counts: dict[str, int] = {}
    for old, events in zip(summary["names"], summary["counts"], strict=True):
        name = subject.marker if old == subject.key else old
        counts[name] = counts.get(name, 0) + int(events)
    names = sorted(counts)
    renamed: Any = [counts[name] for name in names]
    if isinstance(summary["counts"], np.ndarray):
        renamed = np.array(renamed, dtype=summary["counts"].dtype)
    return {**summary, "names": names, "counts": renamed}


def _segments(store: SqlStore, subject: Subject, seal: Seal) -> Iterator[Trace]:
    """Rows of a segment that is the subject alone: they go."""
    for table, segments in _SEGMENTS.items():
        for model, fields in sorted(subject.fields.items()):
            parameters: dict[str, Any] = {"model": model}
            sql = (
                f"SELECT DISTINCT name FROM (SELECT {segments} AS name FROM {table} WHERE model = {{model:String}}) "
                f"WHERE position(name, {{key:String}}) > 0 {ASKING}"
            )
            names = store.query(sql, parameters | {"key": subject.key})["name"]
            doomed = [name for name in names if is_segment_of(name, subject.key, fields)]
            if not doomed:
                continue
            bound = parameters | {"sealed": seal.of(doomed)}
            yield _hours(store, seal, bound) if table == DRIFTS else _rows(store, table, seal, bound)


def _rows(store: SqlStore, table: str, seal: Seal, bound: Mapping[str, Any]) -> Trace:
    where = f"model = {{model:String}} AND {seal.over('`segment`')} IN {{sealed:Array(String)}}"
    return Trace(table, count(store, table, where, bound), deleting(store, table, where, bound))


def _hours(store: SqlStore, seal: Seal, bound: Mapping[str, Any]) -> Trace:
    """Hours that hold windows of such a segment beside others: the windows go out of each array."""
    doomed = f"{seal.over('x')} IN {{sealed:Array(String)}}"
    where = f"model = {{model:String}} AND arrayExists(x -> {doomed}, segments)"
    remaining = ", ".join(f"{name} = arrayFilter((y, x) -> NOT ({doomed}), {name}, segments)" for name in DRIFT_ARRAYS)
    return Trace(
        DRIFTS,
        count(store, DRIFTS, where, bound),
        lambda: [mutate(store, DRIFTS, f"UPDATE {remaining} WHERE {where}", bound)],
    )


def is_segment_of(segment: str, key: str, fields: Iterable[str]) -> bool:
    """Whether a segment is made by one of ``fields`` with the value ``key``.

    Examples
    --------
    >>> is_segment_of("tier=1,user=7", "7", ["feature:user"]), is_segment_of("user=77", "7", ["feature:user"])
    (True, False)
    """
    return any(f",{field.partition(':')[2]}={key}," in f",{segment}," for field in fields)
