-- When events of each version of a model were first seen on time, in event time: what a new version may be the cause of
-- is told by it.
CREATE TABLE IF NOT EXISTS versions
(
    model LowCardinality(String),
    version String,
    first_ms Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (model, version)
SETTINGS non_replicated_deduplication_window = 10000;
