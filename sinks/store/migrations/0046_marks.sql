-- What people say of signals: that a level is the new normal, that an alert was false, harmless or real; and from which
-- window on that has effect. Of several rows of a mark the one changed last counts.
CREATE TABLE IF NOT EXISTS marks
(
    id String,
    updated_ms Int64,
    model LowCardinality(String),
    signal LowCardinality(String),
    segment LowCardinality(String),
    `version` LowCardinality(String),
    says LowCardinality(String),
    from_ms Int64,
    to_ms Int64,
    effective_ms Int64,
    alert_id String,
    reason String,
    created_by String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
