-- Clocks of partitions that somebody has set back: to which event time, from which offset on, and where the clock stood
-- there. Until whoever reads the partition has taken it up, the offset is -1.
CREATE TABLE IF NOT EXISTS set_clocks
(
    id String,
    updated_ms Int64,
    model LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    to_ms Int64,
    created_by String,
    reason String,
    from_offset Int64,
    newest_ms Int64
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
