"""All that is held about a data subject: the rows that an erasure would remove or change, as records.

Both look with :func:`monitor.erasure.erase.traces_of`, so what one finds the other finds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from monitor.config import Configuration
from monitor.erasure.erase import MessageLog, Request, messages_of, subjects_of, traces_of
from monitor.erasure.erased import ErasureList
from monitor.erasure.subject import ASKING, Condition, Subject, Trace
from monitor.erasure.texts import naming
from monitor.errors import InputError
from sinks.store.contract import Store
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import EVERY_TABLE
from sinks.store.tables.table import Column

__all__ = ["INGEST_LOG", "Record", "exported", "line_of"]

INGEST_LOG = "ingest_log"
"""In place of a table: the log of HTTP events."""

Record = dict[str, Any]

_ENDS_LINES = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
"""What readers of lines take for the end of one, or of UTF-8 for no character."""


def line_of(record: Record) -> bytes:
    r"""Return a record as one line of JSON, whatever people have written.

    Examples
    --------
    >>> print(line_of({"table": "labels", "row": {"label": "\u2028"}}).decode(), end="")
    {"table": "labels", "row": {"label": "\u2028"}}
    """
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return _ENDS_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode() + b"\n"


def exported(
    store: Store,
    configuration: Configuration,
    request: Request,
    http_log: MessageLog | None = None,
    on_begun: Callable[[ErasureList], None] = lambda erasures: None,
) -> Iterator[Record]:
    """Find every row that holds a data subject, and return an iterator over them: table, key in it, and the row.

    Of a row that counts everybody by name only the subject's count is in it, and of a checkpoint only which one it is:
    the rest is about others. A row that an erasure would leave as it is, though it has such a name, `stays`.

    Parameters
    ----------
    store : Store
    configuration : Configuration
    request : Request
    http_log : MessageLog or None
    on_begun : callable
        Called with what knows the subject's hash, before anything is looked for.

    Raises
    ------
    InputError
        The request or the configuration is wrong, or the store keeps nothing.
    StoreError, SourceError
        Also later, while rows are read.
    """
    if not isinstance(store, SqlStore):
        raise InputError("a store in memory exports nothing: it forgets everything when its process ends")
    erasures = ErasureList(store)
    on_begun(erasures)
    subjects = subjects_of(configuration, request, erasures)
    return _records(store, subjects, traces_of(store, subjects), http_log)


def _records(
    store: SqlStore, subjects: list[Subject], traces: list[Trace], http_log: MessageLog | None
) -> Iterator[Record]:
    staying = [(table, (condition,)) for each in subjects for (table, _), condition in naming(each).items()]
    erased = [(trace.table, trace.conditions) for trace in traces]
    seen: set[bytes] = set()
    for (table, conditions), stays in (*((each, False) for each in erased), *((each, True) for each in staying)):
        for row in _rows(store, table, conditions, subjects):
            record = {"table": table, "key": {name: row[name] for name in EVERY_TABLE[table].key}, "row": row}
            digest = hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                yield record | ({"stays": True} if stays else {})
    for stream, offset, payload in http_log.select(messages_of(subjects[0])) if http_log is not None else ():
        yield {"table": INGEST_LOG, "key": {"stream": stream, "offset": offset}, "row": {"payload": _text(payload)}}


def _rows(store: SqlStore, name: str, conditions: Sequence[Condition], subjects: list[Subject]) -> Iterator[Record]:
    import pyarrow

    declared = EVERY_TABLE[name].columns
    selected, own = ", ".join(map(_selected, declared)), {"own": [subject.key for subject in subjects]}
    for where, parameters in conditions:
        table = store.arrow(f"SELECT {selected} FROM {name} WHERE {where} {ASKING}", {**parameters, **own})
        table = table.rename_columns([column.name for column in declared])
        for index, column in enumerate(declared):
            # Bytes are kept as texts, which they need not be.
            if column.kind == "bytes":
                table = table.set_column(index, column.name, table[column.name].cast(pyarrow.binary()))
        for row in table.to_pylist():
            yield {key: _plain(value) for key, value in row.items()}


def _selected(column: Column) -> str:
    """What is selected of a column: nothing that it says of others, where they are counted beside the subject."""
    if column.erasure == "names":
        return f"arrayFilter(x -> has({{own:Array(String)}}, x), `{column.name}`) AS own_names"
    if column.name == "counts":
        return "arrayFilter((n, x) -> has({own:Array(String)}, x), counts, `names`) AS own_counts"
    return "'a state in which the name stands' AS own_state" if column.erasure == "packed" else f"`{column.name}`"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _text(payload: bytes) -> str:
    """Bytes as a text; what is none, in base64."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(payload).decode()
