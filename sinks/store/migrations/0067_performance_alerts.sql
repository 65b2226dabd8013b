-- The alerts about what labels say, which have the columns of those about windows, and a table of their own: they are
-- dated by hours of predictions, and written when these are judged.
CREATE TABLE IF NOT EXISTS performance_alerts
(
    model LowCardinality(String),
    alert_id String,
    `sequence` Int64,
    state LowCardinality(String),
    at_ms Int64,
    starts_ms Int64,
    ends_ms Int64,
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    severity LowCardinality(String),
    title String CODEC(ZSTD(1)),
    labels String CODEC(ZSTD(1)),
    signals String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
