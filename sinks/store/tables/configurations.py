"""What models are watched with, who decided that, and from when on it holds."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "configurations",
        "model:name version:int at_ms:int digest:str:own owner:name file:str:own author:str:free reason:str:free "
        "document:document:left template:name",
        "model version",
        newest_by="at_ms",
        row="a version of a model's configuration that was accepted; the last one is in force. `owner` is `file` or "
        "`api`, or `nobody` from where on the model is given up, without a document; `template` is what a model that "
        "has registered itself is like",
    ),
    table(
        "configurations_taken",
        "model:name instance:name at_ms:int version:int trouble:str:free",
        "model instance",
        newest_by="at_ms",
        row="by which version of a model's configuration a process goes, and why it does not go by the last one; "
        "it goes after 30 days without news",
    ),
    table(
        "configured_windows",
        "model:name from_ms:int digest:str:own",
        "model from_ms",
        row="that windows of a model that end from here on are evaluated under another configuration, or with an empty "
        "`digest` under none, since nobody watches the model; what `epochs` says of partitions",
    ),
    table(
        "unregistered_models",
        "model:name topic:name partition:int name:str:left reason:name messages:int first_offset:int last_offset:int "
        "first_ms:int last_ms:int",
        "model topic partition name",
        newest_by="last_offset",
        row="a name that messages of a partition give a model, and why there is no such model; `model` is the template "
        "whose source it is, an empty `name` stands for messages without one and for names that are too many to be "
        "counted apart, and times are those of the records",
    ),
)
