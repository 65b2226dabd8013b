"""The subject's own events, and what is known only by their log position: all of it goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from monitor.config.model import Model
from monitor.decoders.document import Refused, parse, value_at
from monitor.decoders.values import text
from monitor.erasure.subject import ASKING, Seal, Subject, Trace, count, parts
from monitor.messages import LogPosition
from sinks.store.sql import quoted_text
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import mutate

__all__ = ["events", "is_of"]

_KEPT = ("events", "predictions", "predicted")
_WITH_IDS = ("events", "predictions")


def events(store: SqlStore, subject: Subject, seal: Seal) -> list[Trace]:
    """Find the subject's events.

    Returns
    -------
    list of Trace
        To be removed in this order: first what is found by means of other rows, so that a removal that was cut off
        can be begun again.
    """
    letters = _letters(store, subject)
    positions = {model: _positions(store, subject, model) | set(letters.get(model, ())) for model in subject.models}
    return [
        _at(store, "findings", positions),
        _labels(store, subject, seal),
        _at(store, "dead_letters", letters, of_nobody=True),
        *(_of_subject(store, table, subject, seal) for table in _KEPT),
    ]


def _models(subject: Subject) -> dict[str, Any]:
    return {"models": sorted(subject.models)}


def _of_subject(store: SqlStore, table: str, subject: Subject, seal: Seal) -> Trace:
    where = "model IN {models:Array(String)} AND subject = {key:String}"
    condition = (where, _models(subject) | {"key": subject.key})
    rows = count(store, table, *condition)

    def remove() -> list[str]:
        sealed = f"model IN {{models:Array(String)}} AND {seal.over('subject')} = {{sealed:String}}"
        parameters = _models(subject) | {"sealed": seal.of([subject.key])[0]}
        return [mutate(store, table, f"DELETE WHERE {sealed}", parameters)]

    return Trace(table, rows, remove, (condition,))


def _labels(store: SqlStore, subject: Subject, seal: Seal) -> Trace:
    """Labels of the subject, and those of the subject's events."""
    queries = [
        f"SELECT id FROM {table} WHERE model IN {{models:Array(String)}} AND subject = {{key:String}}"
        for table in _WITH_IDS
    ]
    sql = f"SELECT DISTINCT id FROM ({' UNION ALL '.join(queries)}) WHERE id != '' {ASKING}"
    ids = store.query(sql, _models(subject) | {"key": subject.key})["id"]
    sealed = seal.of([subject.key, *ids, *_digests(store, subject)])
    parameters: dict[str, Any] = _models(subject) | {"sealed": sealed}
    columns = ("subject", "id", "toString(id_digest)")
    is_of_subject = " OR ".join(f"{seal.over(column)} IN {{sealed:Array(String)}}" for column in columns)
    where = f"model IN {{models:Array(String)}} AND ({is_of_subject})"

    def remove() -> list[str]:
        return [mutate(store, "labels", f"DELETE WHERE {where}", parameters)]

    return Trace("labels", count(store, "labels", where, parameters), remove, ((where, parameters),))


def _digests(store: SqlStore, subject: Subject) -> list[str]:
    """The ids of the subject's predictions, of which only digests are kept."""
    where = "model IN {models:Array(String)} AND subject = {key:String} AND id_digest != 0"
    sql = f"SELECT DISTINCT toString(id_digest) AS digest FROM predicted WHERE {where} {ASKING}"
    return list(store.query(sql, _models(subject) | {"key": subject.key})["digest"])


def _positions(store: SqlStore, subject: Subject, model: str) -> set[LogPosition]:
    """Where in the log the subject's kept events came from."""
    positions: set[LogPosition] = set()
    for table in (*_KEPT, "labels"):
        sql = (
            f"SELECT topic, partition, offset FROM {table} WHERE model = {{model:String}} AND subject = {{key:String}}"
        )
        rows = store.query(f"{sql} {ASKING}", {"model": model, "key": subject.key})
        positions |= set(zip(rows["topic"], rows["partition"].tolist(), rows["offset"].tolist(), strict=True))
    return positions


def _letters(store: SqlStore, subject: Subject) -> dict[str, list[LogPosition]]:
    """Log positions of the subject's dead letters by model; those of no model stand under each reader of the topic."""
    import pyarrow

    # A text may be escaped in many ways, and encoded in others: such payloads are looked at one by one.
    where = (
        "model IN {models:Array(String)} AND (position(payload, {key:String}) > 0 OR position(payload, '\\\\') > 0 "
        "OR NOT isValidUTF8(payload) OR position(payload, '\\0') > 0 OR position(detail, {key:String}) > 0)"
    )
    columns = "topic, partition, offset, model, payload, payload_bytes, detail"
    sql = f"SELECT {columns} FROM dead_letters WHERE {where} {ASKING}"
    parameters = {"models": [*sorted(subject.models), ""], "key": subject.key}
    positions: dict[str, list[LogPosition]] = {}
    table = store.arrow(sql, parameters)
    payloads = table["payload"].cast(pyarrow.binary()).to_pylist()
    plain = [table[name].to_pylist() for name in ("topic", "partition", "offset", "model", "payload_bytes", "detail")]
    for topic, partition, offset, model, size, detail, payload in zip(*plain, payloads, strict=True):
        readers = [name for name in ([model] if model else subject.models) if _reads(subject.models[name], topic)]
        of_each = [(subject.models[name], _is_json(subject.models[name], topic)) for name in readers]
        if any(is_of(subject, reader, payload, size, readable=readable, detail=detail) for reader, readable in of_each):
            for name in readers:
                positions.setdefault(name, []).append((topic, partition, offset))
    return positions


def _reads(model: Model, topic: str) -> bool:
    return model.spec.source_of(topic) is not None


def _is_json(model: Model, topic: str) -> bool:
    """Whether the topic's messages can be read without a registry and without their headers."""
    source = model.spec.source_of(topic)
    return source is not None and source.format.kind in {"json", "parquet"}


def is_of(
    subject: Subject, model: Model, payload: bytes, size: int, *, readable: bool = True, detail: str = ""
) -> bool:
    """Whether a message is the subject's: by its field, or, where that is no text, by holding the key at all.

    Parameters
    ----------
    subject : Subject
    model : Model
    payload : bytes
        Its beginning.
    size : int
        Bytes of all of it.
    readable : bool
        Whether it is JSON.
    detail : str
        What is said about it.
    """
    path = model.spec.keep.subject
    if readable and path is not None and len(payload) == size:
        try:
            value = value_at(parse(payload), path)
        except Refused:
            pass  # not to be read: its bytes decide
        else:
            name, unusable = text(value)
            return _stands_in(value, subject.key) if unusable else name == subject.key
    return subject.key in detail or any(form in payload for form in _encoded(subject.key))


def _stands_in(value: object, key: str) -> bool:
    """Whether a list, an object or a text that is no Unicode holds the key."""
    if isinstance(value, dict):
        return any(_stands_in(item, key) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(_stands_in(item, key) for item in value)
    if isinstance(value, float):
        return value.is_integer() and str(int(value)) == key
    return key in value if isinstance(value, str) else str(value) == key


def _encoded(key: str) -> Iterator[bytes]:
    """The key in the encodings of messages: JSON's escapes, and what is no UTF-8."""
    for form in {key, json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]}:
        for encoding in ("utf-8", "cp1252", "utf-16-le", "utf-16-be"):
            with suppress(UnicodeEncodeError):
                yield form.encode(encoding)


def _at(
    store: SqlStore, table: str, positions: Mapping[str, Iterable[LogPosition]], *, of_nobody: bool = False
) -> Trace:
    """Rows at log positions; with ``of_nobody`` those of no model too."""
    conditions = [
        f"model IN ({', '.join(map(quoted_text, [model, *([''] if of_nobody else [])]))}) AND "
        f"(topic, partition, offset) IN ({', '.join(map(_quoted, part))})"
        for model, of_model in sorted(positions.items())
        for part in parts(sorted(set(of_model)))
    ]
    rows = sum(count(store, table, condition, {}) for condition in conditions)
    return Trace(
        table,
        rows,
        lambda: [mutate(store, table, f"DELETE WHERE {condition}") for condition in conditions],
        tuple((condition, {}) for condition in conditions),
    )


def _quoted(position: LogPosition) -> str:
    return f"({quoted_text(position[0])}, {position[1]:d}, {position[2]:d})"
