-- Scores by the hour in which their windows end. Always worked out anew from all scores of an hour, never added to, so
-- that a replay counts nothing twice. Of two refreshes at once the row of the one that began later stays, since it
-- has read all that the other has. `places` and `digits` are the exact sum of the statistics, which floats would not
-- give in any order (see sinks/store/pieces.py). A week as stretch and granules of 512 rows, measured with 836,000 rows of
-- 4,000 series: a signal's 30 days 12 ms (20 with 1,024 rows), 101 bytes a row (97). At 30 days of 1,000 series a week's
-- stretch is read in 23 ms, three days' in 57, a day's in 103.
CREATE TABLE IF NOT EXISTS scores_1h
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    detector LowCardinality(String),
    bucket_end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    windows Int64 CODEC(T64, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1)),
    ok Int64 CODEC(T64, ZSTD(1)),
    warning Int64 CODEC(T64, ZSTD(1)),
    drift Int64 CODEC(T64, ZSTD(1)),
    no_data Int64 CODEC(T64, ZSTD(1)),
    learning Int64 CODEC(T64, ZSTD(1)),
    measured Int64 CODEC(T64, ZSTD(1)),
    statistic_min Float64 CODEC(ZSTD(1)),
    statistic_max Float64 CODEC(ZSTD(1)),
    places Array(Int64) CODEC(T64, ZSTD(1)),
    digits Array(Int64) CODEC(ZSTD(1)),
    severity Float64 CODEC(ZSTD(1)),
    worst_window_end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_window_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_statistic Float64 CODEC(ZSTD(1)),
    worst_effect Float64 CODEC(ZSTD(1)),
    worst_min_effect Float64 CODEC(ZSTD(1)),
    worst_p_value Float64 CODEC(ZSTD(1)),
    worst_surprise Float64 CODEC(ZSTD(1)),
    worst_surprise_limit Float64 CODEC(ZSTD(1)),
    worst_status LowCardinality(String),
    worst_n Int64 CODEC(T64, ZSTD(1)),
    worst_baseline_n Int64 CODEC(T64, ZSTD(1)),
    worst_baseline_from_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_baseline_to_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_idle String CODEC(ZSTD(1)),
    worst_detail String CODEC(ZSTD(1)),
    refreshed_ms Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(bucket_end_ms))
ORDER BY (model, intDiv(bucket_end_ms, 604800000), signal, segment, version, detector, bucket_end_ms)
SETTINGS index_granularity = 512, min_bytes_for_wide_part = 1073741824;

-- The same by the day (UTC), worked out from the scores too: days are asked for where a span is long.
CREATE TABLE IF NOT EXISTS scores_1d
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    detector LowCardinality(String),
    bucket_end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    windows Int64 CODEC(T64, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1)),
    ok Int64 CODEC(T64, ZSTD(1)),
    warning Int64 CODEC(T64, ZSTD(1)),
    drift Int64 CODEC(T64, ZSTD(1)),
    no_data Int64 CODEC(T64, ZSTD(1)),
    learning Int64 CODEC(T64, ZSTD(1)),
    measured Int64 CODEC(T64, ZSTD(1)),
    statistic_min Float64 CODEC(ZSTD(1)),
    statistic_max Float64 CODEC(ZSTD(1)),
    places Array(Int64) CODEC(T64, ZSTD(1)),
    digits Array(Int64) CODEC(ZSTD(1)),
    severity Float64 CODEC(ZSTD(1)),
    worst_window_end_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_window_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_statistic Float64 CODEC(ZSTD(1)),
    worst_effect Float64 CODEC(ZSTD(1)),
    worst_min_effect Float64 CODEC(ZSTD(1)),
    worst_p_value Float64 CODEC(ZSTD(1)),
    worst_surprise Float64 CODEC(ZSTD(1)),
    worst_surprise_limit Float64 CODEC(ZSTD(1)),
    worst_status LowCardinality(String),
    worst_n Int64 CODEC(T64, ZSTD(1)),
    worst_baseline_n Int64 CODEC(T64, ZSTD(1)),
    worst_baseline_from_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_baseline_to_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    worst_idle String CODEC(ZSTD(1)),
    worst_detail String CODEC(ZSTD(1)),
    refreshed_ms Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYear(fromUnixTimestamp64Milli(bucket_end_ms))
ORDER BY (model, signal, segment, version, detector, bucket_end_ms)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824;

-- Panes added up to 5 minutes, over topics and partitions, for windows of months. Integer sums: exact in any order.
CREATE TABLE IF NOT EXISTS panes_5m
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    pane_start_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    late Int64 CODEC(T64, ZSTD(1)),
    layout LowCardinality(String),
    pane_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    n Int64 CODEC(T64, ZSTD(1)),
    missing Int64 CODEC(T64, ZSTD(1)),
    invalid Int64 CODEC(T64, ZSTD(1)),
    out_of_range Int64 CODEC(T64, ZSTD(1)),
    cells Array(Int64) CODEC(T64, ZSTD(1)),
    counts Array(Int64) CODEC(T64, ZSTD(1)),
    `names` Array(String) CODEC(ZSTD(1)),
    other Int64 CODEC(T64, ZSTD(1)),
    sum_q Int64 CODEC(T64, ZSTD(1)),
    sum_q2 Int64 CODEC(T64, ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    refreshed_ms Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 86400000), signal, segment, version, pane_start_ms, late, layout)
SETTINGS index_granularity = 256;

-- The same by the hour, for windows of years.
CREATE TABLE IF NOT EXISTS panes_1h
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    pane_start_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    late Int64 CODEC(T64, ZSTD(1)),
    layout LowCardinality(String),
    pane_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    n Int64 CODEC(T64, ZSTD(1)),
    missing Int64 CODEC(T64, ZSTD(1)),
    invalid Int64 CODEC(T64, ZSTD(1)),
    out_of_range Int64 CODEC(T64, ZSTD(1)),
    cells Array(Int64) CODEC(T64, ZSTD(1)),
    counts Array(Int64) CODEC(T64, ZSTD(1)),
    `names` Array(String) CODEC(ZSTD(1)),
    other Int64 CODEC(T64, ZSTD(1)),
    sum_q Int64 CODEC(T64, ZSTD(1)),
    sum_q2 Int64 CODEC(T64, ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    refreshed_ms Int64 CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(refreshed_ms)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 604800000), signal, segment, version, pane_start_ms, late, layout)
SETTINGS index_granularity = 256;
