-- Like which template a model has registered itself.
ALTER TABLE configurations ADD COLUMN IF NOT EXISTS template LowCardinality(String);

-- Names that messages give models, and that are no models, as far as a partition is read.
CREATE TABLE IF NOT EXISTS unregistered_models
(
    model LowCardinality(String),
    topic LowCardinality(String),
    partition Int64,
    name String,
    reason LowCardinality(String),
    messages Int64,
    first_offset Int64,
    last_offset Int64,
    first_ms Int64,
    last_ms Int64
)
ENGINE = ReplacingMergeTree(last_offset)
ORDER BY (model, topic, partition, name)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
