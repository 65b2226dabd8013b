-- Every version of a model's configuration that was accepted, from a file or through the API. The last one is in force.
CREATE TABLE IF NOT EXISTS configurations
(
    model LowCardinality(String),
    version Int64,
    at_ms Int64,
    digest String,
    owner LowCardinality(String),
    file String,
    author String,
    reason String,
    document String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(at_ms)
ORDER BY (model, version)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- Which version each process goes by, and why it does not go by the last one.
CREATE TABLE IF NOT EXISTS configurations_taken
(
    model LowCardinality(String),
    instance LowCardinality(String),
    at_ms Int64,
    version Int64,
    trouble String
)
ENGINE = ReplacingMergeTree(at_ms)
ORDER BY (model, instance)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- From which window on a configuration is evaluated: what `epochs` says of partitions.
CREATE TABLE IF NOT EXISTS configured_windows
(
    model LowCardinality(String),
    from_ms Int64,
    digest String
)
ENGINE = ReplacingMergeTree
ORDER BY (model, from_ms)
SETTINGS non_replicated_deduplication_window = 10000;
