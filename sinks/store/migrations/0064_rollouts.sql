-- A candidate version beside a champion. Of several rows of a rollout the one changed last counts.
CREATE TABLE IF NOT EXISTS rollouts
(
    id String,
    updated_ms Int64,
    created_ms Int64,
    model LowCardinality(String),
    candidate LowCardinality(String),
    champion LowCardinality(String),
    metrics String CODEC(ZSTD(1)),
    level Float64 CODEC(ZSTD(1)),
    lasts_ms Int64,
    from_ms Int64,
    stratum_ms Int64,
    created_by String,
    reason String,
    stopped_ms Int64,
    ends_ms Int64,
    stopped_by String,
    stop_reason String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- What both did in the same spans of event time. A span that is compared again is the same row.
CREATE TABLE IF NOT EXISTS rollout_strata
(
    model LowCardinality(String),
    rollout String,
    end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    signal LowCardinality(String),
    candidate_n Int64 CODEC(T64, ZSTD(1)),
    candidate_mean Float64 CODEC(ZSTD(1)),
    candidate_squares Float64 CODEC(ZSTD(1)),
    champion_n Int64 CODEC(T64, ZSTD(1)),
    champion_mean Float64 CODEC(ZSTD(1)),
    champion_squares Float64 CODEC(ZSTD(1)),
    verdict LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (model, rollout, end_ms, signal)
SETTINGS non_replicated_deduplication_window = 10000;
