-- Why each receiver was told, or was not, about an alert: a row when that changes, not one a look. `route` is empty without
-- routes, and `receiver` then a receiver's name instead of NAME/NUMBER.
CREATE TABLE IF NOT EXISTS decisions
(
    alert_id String,
    sequence Int64,
    receiver LowCardinality(String),
    route String CODEC(ZSTD(1)),
    at_ms Int64,
    why LowCardinality(String),
    detail String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_id, sequence, receiver, route, at_ms)
SETTINGS non_replicated_deduplication_window = 10000;
