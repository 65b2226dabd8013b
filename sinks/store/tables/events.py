"""Single events, messages that could not be used, and who was erased."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

_PLACE = "topic:name partition:count offset:even"

DECLARED = (
    # By log position, with the time first: a question about some days of a model reads those days.
    table(
        "events",
        f"model:name event_ms:uneven {_PLACE} record_ms:uneven version:name id:text:rows subject:text:rows "
        "fields:document:rows",
        "model event_ms topic partition offset",
        row="an event of the sample that a model keeps; see [retention](retention.md)",
        time="event_ms",
        part="week",
        page_rows=50_000,
    ),
    table(
        "predictions",
        f"model:name signal:name event_ms:uneven {_PLACE} version:name segments:names:rows id:text:rows "
        "subject:text:rows value:float label:name:rows",
        "model signal event_ms topic partition offset",
        row="a part of a prediction that a model keeps",
        time="event_ms",
        part="week",
    ),
    table(
        "labels",
        f"model:name signal:name event_ms:uneven {_PLACE} id:text:rows subject:text:rows value:float label:name:rows "
        "known_ms:uneven retracted:count id_digest:int",
        "model signal event_ms topic partition offset",
        row="what turned out to be true of an event, where a model keeps it, or (`retracted` 1) that nothing is known "
        "of it any more; `known_ms` is its own time, or that of the partition's labels if they were further",
        time="event_ms",
        part="week",
    ),
    table(
        "dead_letters",
        f"{_PLACE} model:name field:name action:name reason:name detail:text:rows record_ms:even "
        "payload:bytes:rows payload_bytes:count",
        "topic partition offset model field",
        row="an event, or a field, that could not be read",
        time="record_ms",
        page_rows=2_000,
    ),
    table(
        "retries",
        f"{_PLACE} attempt:int at_ms:even to_partition:count to_offset:even",
        "topic partition offset attempt",
        row="a rejected message that was put back on its stream",
    ),
    table(
        "erasures",
        "subject_hash:str:own model:name at_ms:int until_ms:int state:name fields:strs:own report:text:own",
        "subject_hash model at_ms",
        row="that somebody was erased, by a keyed hash",
    ),
    table(
        "erasure_keys",
        "at_ms:int key:str:own",
        "at_ms key",
        row="the key of those hashes",
    ),
)
