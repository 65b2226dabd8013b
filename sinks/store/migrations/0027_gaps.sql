-- Messages that were gone before they were read, and the stretch of event time that may lack them: windows that reach
-- into it say so. Written before anything behind the gap is, and again once its end is known.
CREATE TABLE IF NOT EXISTS gaps
(
    model LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    first_offset Int64,
    next_offset Int64,
    from_ms Int64,
    to_ms Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (model, topic, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 10000;
