-- The newest score of each series and detector: "how is my model now" reads a few thousand rows instead of all scores,
-- of which the newest would have to be searched (argMax over ten million takes 0.6 s). A replay that comes with older
-- windows loses against the newer row, one that comes with the same window replaces it.
CREATE TABLE IF NOT EXISTS latest
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    detector LowCardinality(String),
    window_end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    window_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    statistic Float64 CODEC(ZSTD(1)),
    effect Float64 CODEC(ZSTD(1)),
    min_effect Float64 CODEC(ZSTD(1)),
    p_value Float64 CODEC(ZSTD(1)),
    surprise Float64 CODEC(ZSTD(1)),
    surprise_limit Float64 CODEC(ZSTD(1)),
    status LowCardinality(String),
    n Int64 CODEC(T64, ZSTD(1)),
    baseline_n Int64 CODEC(T64, ZSTD(1)),
    baseline_from_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    baseline_to_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    idle String CODEC(ZSTD(1)),
    detail String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(window_end_ms)
ORDER BY (model, signal, segment, version, detector)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824, non_replicated_deduplication_window = 10000;

-- Filled by the insert itself, in the same statement. A repeated token is a repetition here too (the engine's setting
-- deduplicate_blocks_in_dependent_materialized_views, on by default): should the first insert have been cut off
-- between the two tables, its repetition fills what is missing.
CREATE MATERIALIZED VIEW IF NOT EXISTS latest_from_scores TO latest AS
SELECT model, signal, segment, version, detector, window_end_ms, window_ms, statistic, effect, min_effect, p_value,
    surprise, surprise_limit, status, n, baseline_n, baseline_from_ms, baseline_to_ms, idle, detail
FROM scores;

-- What the store held before. After the view, so that nothing falls between; a row twice is a row.
INSERT INTO latest
SELECT model, signal, segment, version, detector, window_end_ms, window_ms, statistic, effect, min_effect, p_value,
    surprise, surprise_limit, status, n, baseline_n, baseline_from_ms, baseline_to_ms, idle, detail
FROM scores FINAL
ORDER BY model, signal, segment, version, detector, window_end_ms DESC
LIMIT 1 BY model, signal, segment, version, detector;
