"""How far stages and partitions are, and what they found there."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "checkpoints",
        "stage:name name:str:own partition:int position:int config:str:own state:bytes:packed",
        "stage name partition",
        newest_by="position",
        row="how far a stage is, with its state; the furthest row stays. Also what receivers know about groups of "
        "alerts, and how often alerts fire and resolve where a route holds what flaps, which goes after 30 days "
        "without news, and what digests have collected",
        page_rows=20,
    ),
    # Written after the rows it speaks of.
    table(
        "progress",
        "model:name topic:name partition:int closed_ms:int newest_ms:int next_offset:int",
        "model topic partition",
        newest_by="next_offset",
        row="how far a partition has closed its panes; the furthest row stays",
    ),
    table(
        "label_progress",
        "model:name topic:name partition:int closed_ms:int newest_ms:int next_offset:int",
        "model topic partition",
        newest_by="next_offset",
        row="up to which time, by their own times, the labels of a partition are read, and to which offset; the "
        "furthest row stays. No window waits for labels",
    ),
    table(
        "partitions",
        "topic:name partition:int idle:int next_offset:int",
        "topic partition",
        newest_by="next_offset",
        row="that a partition is there, and whether it is silent; the furthest row stays",
    ),
    table(
        "epochs",
        "topic:name partition:int model:name from_offset:int config:str:own newest_ms:int closed_ms:int number:int "
        "reads:text:own",
        "topic partition model from_offset",
        newest_by="number",
        row="that a model's configuration came into force at an offset of a partition, and how the partition's clock "
        "stood there; `reads` says what it read, and as what",
    ),
    table(
        "set_clocks",
        "id:str:own updated_ms:int model:name topic:name partition:int to_ms:int created_by:str:free reason:str:free "
        "from_offset:int newest_ms:int",
        "id",
        newest_by="updated_ms",
        row="a partition's clock that somebody set back: from which offset on, and where it stood there; the row "
        "changed last stays",
    ),
    table(
        "horizons",
        "model:name from_ms:even to_ms:even partitions:names:own counted_ms:ints is_first:int",
        "model from_ms",
        newest_by="to_ms",
        row="with which panes the windows of a model were evaluated that end from `from_ms` to `to_ms`: those of "
        "`partitions` that start before their `counted_ms`, which is 2<sup>62</sup> where all were there, and as much "
        "below 0 where there were none; `is_first` is 1 where there was no window before",
        time="from_ms",
        keep="scores",
    ),
    table(
        "versions",
        "model:name version:str:own first_ms:int",
        "model version",
        row="when events of a version were first seen, in event time: the start of the first pane that has one",
    ),
    table(
        "gaps",
        "model:name topic:name partition:int first_offset:int next_offset:int from_ms:int to_ms:int",
        "model topic partition first_offset",
        row="messages of a partition that were gone before they were read, or a log that was made anew or cut short "
        "(`next_offset` is then of its [next life](sources.md#a-topic-that-is-made-anew-or-cut-short)), and the event "
        "times that may lack them",
    ),
    table(
        "arrivals",
        "model:name signal:name topic:name partition:int since_ms:int events:int last_ms:int standing:int number:int",
        "model signal topic partition",
        newest_by="number",
        row="how many events of a model have come from a partition since its reader began, by the clock, and when the "
        "last came; `standing` is 0 if there is more than was read, 1 if all was, 2 if there is no such partition now, "
        "3 if no broker answers for it",
    ),
    table(
        "freshness",
        "model:name kind:name topic:name partition:int signal:name last_ms:int silent_ms:int allowed_ms:int "
        "standing:name number:int state:bytes:own",
        "model kind topic partition signal",
        newest_by="number",
        row="how long a stream (a model, its labels, a source, a partition, a signal) has been silent by the clock, "
        "how long it may be, and what was learned of its gaps",
        page_rows=20,
    ),
    table(
        "pulses",
        "stage:name number:int",
        "stage",
        newest_by="number",
        row="that every stage of a kind has done a round of its work in some process, or that a process about which "
        "alerts fire lives (`instance NAME`); the number grows",
    ),
    table(
        "identity",
        "id:str:own",
        "id",
        row="the store's own name, which no backup holds: a restored store is another one",
    ),
    table(
        "fillings",
        "origin:str:own number:int is_done:int",
        "origin",
        newest_by="number",
        row="from what the store is being filled, a backup or another store, and whether all of it is there",
        readable=False,
    ),
    table(
        "schema_migrations",
        "version:int name:str:own",
        "version",
        row="a migration that has run",
        readable=False,
    ),
)
