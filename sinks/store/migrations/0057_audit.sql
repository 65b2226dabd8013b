-- What was changed by whom, and what was refused.
CREATE TABLE IF NOT EXISTS audit
(
    at_ms Int64,
    id String,
    who String,
    role LowCardinality(String),
    address String,
    operation String,
    subject String,
    status Int64,
    reason String,
    unlisted Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (at_ms, id)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
