-- What came of each model, by the clock, as those who read state it. Numbers are those of statements, for clocks go
-- back. The clock has no place in tables that a replay writes.
CREATE TABLE IF NOT EXISTS arrivals
(
    model LowCardinality(String),
    `signal` LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    since_ms Int64,
    events Int64,
    last_ms Int64,
    standing Int64,
    number Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (model, signal, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000;

-- How long each stream has been silent, and what was learned of its gaps.
CREATE TABLE IF NOT EXISTS freshness
(
    model LowCardinality(String),
    kind LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    `signal` LowCardinality(String),
    last_ms Int64,
    silent_ms Int64,
    allowed_ms Int64,
    standing LowCardinality(String),
    number Int64,
    state String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (model, kind, topic, partition, signal)
SETTINGS non_replicated_deduplication_window = 10000;

-- The alerts about silences, which have the columns of those about windows, and a table of their own.
CREATE TABLE IF NOT EXISTS freshness_alerts
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
SETTINGS non_replicated_deduplication_window = 10000;
