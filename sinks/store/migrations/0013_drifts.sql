-- The windows in drift, hour by hour: "what drifted most" reads these few instead of every hour of every series. One row
-- holds all of an hour of a model and is worked out anew from the scores, like scores_1h: what was in drift and is so no
-- longer goes with the row that it stood in, without a deletion. An hour is (hour_ms, hour_ms + 1 h], by the windows' ends.
--
-- Measured in chDB 26.9 on two shared cores with 10 million scores of 4,000 series, one in 500 in drift: a model's day
-- takes 3 ms, a week of five models 5 ms; by way of scores_1h and scores_1d, which hold every series, 15 and 29 ms.
-- Numbers lie in arrays of one length, sorted by series and time.
CREATE TABLE IF NOT EXISTS drifts_1h
(
    model LowCardinality(String),
    hour_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    signals Array(LowCardinality(String)) CODEC(ZSTD(1)),
    segments Array(LowCardinality(String)) CODEC(ZSTD(1)),
    versions Array(LowCardinality(String)) CODEC(ZSTD(1)),
    detectors Array(LowCardinality(String)) CODEC(ZSTD(1)),
    window_ends_ms Array(Int64) CODEC(ZSTD(1)),
    effects Array(Float64) CODEC(ZSTD(1)),
    min_effects Array(Float64) CODEC(ZSTD(1)),
    refreshed_ms Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYear(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms)
SETTINGS index_granularity = 256, min_bytes_for_wide_part = 1073741824,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- What the store held before. Hours that change from now on are marked and worked out later, and then prevail.
INSERT INTO drifts_1h (model, hour_ms, signals, segments, versions, detectors, window_ends_ms, effects, min_effects, refreshed_ms)
SELECT model, hour_ms, drifts.1, drifts.2, drifts.3, drifts.4, drifts.5, drifts.6, drifts.7, toInt64(0)
FROM (
    SELECT model, window_end_ms - 1 - positiveModulo(window_end_ms - 1, 3600000) AS hour_ms,
        arraySort(groupArray((signal, `segment`, `version`, detector, window_end_ms, effect, min_effect))) AS drifts
    FROM scores FINAL
    WHERE status = 'drift'
    GROUP BY model, hour_ms
);
