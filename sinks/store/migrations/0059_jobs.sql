-- What became of each run of a job, in each process, and who asked for runs.
CREATE TABLE IF NOT EXISTS job_runs
(
    started_ms Int64 CODEC(Delta(8), ZSTD(1)),
    job LowCardinality(String),
    instance LowCardinality(String),
    ended_ms Int64 CODEC(Delta(8), ZSTD(1)),
    outcome LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    missed Int64 CODEC(T64, ZSTD(1)),
    failures Int64 CODEC(T64, ZSTD(1)),
    asked_ms Int64 CODEC(T64, ZSTD(1)),
    asked_by String
)
ENGINE = ReplacingMergeTree(ended_ms)
ORDER BY (started_ms, job, instance)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- Which jobs do not run, and who wants it so. Of several rows of a job the one changed last counts.
CREATE TABLE IF NOT EXISTS job_pauses
(
    job LowCardinality(String),
    updated_ms Int64,
    is_paused Int64,
    since_ms Int64,
    created_by String,
    reason String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY job
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
