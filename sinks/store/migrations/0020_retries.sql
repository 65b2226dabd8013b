-- Rejected messages that were put back on their streams: which, which time it was, when, and where they now stand.
CREATE TABLE IF NOT EXISTS retries
(
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    attempt Int64,
    at_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    to_partition Int64 CODEC(T64, ZSTD(1)),
    to_offset Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, `offset`, attempt)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
