"""Where summaries name the subject: the name is replaced, and what was counted stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from monitor.erasure.subject import ASKING, Seal, Subject, Trace, count, deleting
from sinks.store.drifting import ARRAYS as DRIFT_ARRAYS
from sinks.store.drifting import TABLE as DRIFTS
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import erased_by
from sinks.store.upkeep import mutate

__all__ = ["is_segment_of", "names_elsewhere", "renamed_segment", "summaries"]

_PANES = tuple(table.name for table, _ in erased_by("names"))
_SEGMENTS = {
    table.name: f"arrayJoin({column})" if table.column(column).kind == "strs" else f"`{column}`"
    for table, column in erased_by("segment")
}
"""Where each table has the names of segments."""


def summaries(store: SqlStore, subject: Subject, seal: Seal) -> list[Trace]:
    """Find the subject's name in what is counted, and segments of the traffic that are the subject's alone."""
    return [
        *_names(store, subject, seal),
        *_segments(store, subject, seal),
    ]


def names_elsewhere(store: SqlStore, subject: Subject) -> dict[str, int]:
    """Return category signals with names that are left alone though they hold the subject's key, with their panes.

    Beyond ``subject.fields`` a name that is the key may be one of something else, such as an hour: they are left alone
    unless they are named. Names in which it is one word of several, such as a note, are left alone in all signals.
    """
    rows_of: dict[str, int] = {}
    stays = (
        "(x != {key:String} OR NOT has({fields:Array(String)}, toString(signal))) "
        "AND multiSearchAny(x, {forms:Array(String)}) AND match(x, {pattern:String})"
    )
    where = f"model = {{model:String}} AND arrayExists(x -> {stays}, `names`)"
    mentions = subject.mentions
    for model, fields in subject.fields.items():
        of_model = {"model": model, "fields": sorted(fields)}
        parameters = {**of_model, "key": subject.key, "forms": mentions.forms, "pattern": mentions.pattern()}
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
            condition = (where, of_model | {"key": subject.key})
            rows = store.query(sql + ASKING, condition[1])
            if rows["n"][0]:
                span = {"low": int(rows["a"][0]), "high": int(rows["b"][0])}
                renaming = _renaming(store, table, subject, seal, of_model | span)
                yield Trace(table, int(rows["n"][0]), renaming, (condition,))


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
    return Trace(table, count(store, table, where, bound), deleting(store, table, where, bound), ((where, bound),))


def _hours(store: SqlStore, seal: Seal, bound: Mapping[str, Any]) -> Trace:
    """Hours that hold windows of such a segment beside others: the windows go out of each array."""
    doomed = f"{seal.over('x')} IN {{sealed:Array(String)}}"
    where = f"model = {{model:String}} AND arrayExists(x -> {doomed}, segments)"
    remaining = ", ".join(f"{name} = arrayFilter((y, x) -> NOT ({doomed}), {name}, segments)" for name in DRIFT_ARRAYS)
    return Trace(
        DRIFTS,
        count(store, DRIFTS, where, bound),
        lambda: [mutate(store, DRIFTS, f"UPDATE {remaining} WHERE {where}", bound)],
        ((where, bound),),
    )


def is_segment_of(segment: str, key: str, fields: Iterable[str]) -> bool:
    """Whether a segment is made by one of ``fields`` with the value ``key``.

    Examples
    --------
    >>> is_segment_of("tier=1,user=7", "7", ["feature:user"]), is_segment_of("user=77", "7", ["feature:user"])
    (True, False)
    """
    return any(f",{field.partition(':')[2]}={key}," in f",{segment}," for field in fields)


def renamed_segment(segment: str, subject: Subject, fields: Iterable[str]) -> str:
    """Return a segment with the subject's name replaced where one of ``fields`` has it; any other text as it is."""
    text = f",{segment},"
    for name in (field.partition(":")[2] for field in fields):
        text = text.replace(f",{name}={subject.key},", f",{name}={subject.marker},")
    return text[1:-1]
