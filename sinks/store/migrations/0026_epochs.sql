-- From which offset on which configuration of a model was in force, and how the partition's clock stood there: whoever
-- goes on from an older checkpoint begins the new configuration at the same message. Numbers count over the whole store, and
-- of two rows for one offset the later decision stays.
CREATE TABLE IF NOT EXISTS epochs
(
    topic LowCardinality(String),
    `partition` Int64,
    model LowCardinality(String),
    from_offset Int64,
    config String,
    newest_ms Int64,
    closed_ms Int64,
    number Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (topic, partition, model, from_offset)
SETTINGS non_replicated_deduplication_window = 10000;
