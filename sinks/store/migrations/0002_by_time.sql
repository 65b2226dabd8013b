-- Panes and scores sorted by a stretch of time before the series: a narrow time of all signals, which is what a model's
-- evaluation and a comparison of two windows read, no longer touches the rows of every series.
--
-- Measured by `python -m bench.schema` in chDB 26.9 on two shared, busy cores, medians. Panes, a million rows of 400 series
-- of 10 s, 64 cells: five minutes of a model's 200 signals in the middle take 107 ms without a stretch, 72 ms with an
-- hour's and 16 ms with five minutes'; a signal's seven hours 26, 55 and 120 ms, which the sums of 5 minutes and of an
-- hour answer instead (0005). Scores, 5 million rows over 30 days of 600 series: an hour of a model takes 35 ms with a
-- day's stretch, 21 ms with six hours', 10 ms with two hours', and 94 ms without (8.6 million rows of 1,000 series); a
-- signal's 30 days, 17,000 rows, 63, 114 and 277 ms, a day of it 13, 15 and 20 ms. Six hours, since roll-ups answer for
-- what is long, and every answer from them reads the hours at its edges from the scores.
--
-- Granules of 1,024 rows rather than 8,192: less is read beside what was asked for. Scores are read whole rows at a time:
-- parts below 1 GiB are compact, all columns of a granule side by side (a day of a signal 15 ms instead of 21, a size of
-- 32.5 instead of 30.8 bytes a row). A pane of 64 cells takes 67 bytes, 52 of them for counts; T64 makes them smaller than
-- ZSTD alone (67) or Delta (96).
--
-- The stretch is a function of the time, so that the sorting key is still the natural key. Begun anew, a copy that was
-- cut off is dropped; the table of the old order stays complete until the new one has taken its name.
DROP TABLE IF EXISTS panes_by_time;

-- The summaries of 10 s, or what the configuration says, of a series.
CREATE TABLE IF NOT EXISTS panes_by_time
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `segment` LowCardinality(String),
    `version` LowCardinality(String),
    pane_start_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    late_at_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    pane_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    layout LowCardinality(String),
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
    `max` Float64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_start_ms))
ORDER BY (model, intDiv(pane_start_ms, 300000), signal, segment, version, pane_start_ms, late_at_ms, topic, partition)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- What the store held before.
INSERT INTO panes_by_time (model, signal, `segment`, `version`, pane_start_ms, late_at_ms, topic, `partition`, pane_ms, layout, n, missing, invalid, out_of_range, cells, counts, `names`, other, sum_q, sum_q2, `min`, `max`)
SELECT model, signal, `segment`, `version`, pane_start_ms, late_at_ms, topic, `partition`, pane_ms, layout, n, missing, invalid, out_of_range, cells, counts, `names`, other, sum_q, sum_q2, `min`, `max`
FROM panes FINAL;

-- Both names at once, so that there is no moment without the table.
EXCHANGE TABLES panes AND panes_by_time;

-- The old order.
DROP TABLE IF EXISTS panes_by_time;

-- As above.
DROP TABLE IF EXISTS scores_by_time;

-- What each detector said about each window.
CREATE TABLE IF NOT EXISTS scores_by_time
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(window_end_ms))
ORDER BY (model, intDiv(window_end_ms, 21600000), signal, segment, version, detector, window_end_ms)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 1073741824, non_replicated_deduplication_window = 10000;

-- What the store held before.
INSERT INTO scores_by_time (model, signal, `segment`, `version`, detector, window_end_ms, window_ms, statistic, effect, min_effect, p_value, surprise, surprise_limit, status, n, baseline_n, baseline_from_ms, baseline_to_ms, idle, detail)
SELECT model, signal, `segment`, `version`, detector, window_end_ms, window_ms, statistic, effect, min_effect, p_value, surprise, surprise_limit, status, n, baseline_n, baseline_from_ms, baseline_to_ms, idle, detail
FROM scores FINAL;

-- Both names at once, so that there is no moment without the table.
EXCHANGE TABLES scores AND scores_by_time;

-- The old order.
DROP TABLE IF EXISTS scores_by_time;
