-- Predictions that labels are joined with. By time, so that an hour of them lies together; the filter finds the few that
-- a batch of labels touches (of many labels all granules are read, which is the digests and times of a model).
CREATE TABLE IF NOT EXISTS predicted
(
    model LowCardinality(String),
    event_ms Int64 CODEC(Delta(8), ZSTD(1)),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    known_ms Int64 CODEC(Delta(8), ZSTD(1)),
    id_digest Int64,
    `version` LowCardinality(String),
    segments Array(LowCardinality(String)) CODEC(ZSTD(1)),
    subject String CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    label LowCardinality(String),
    INDEX by_digest id_digest TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, event_ms, topic, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- What came of the join, an hour of predictions at a time. A row is replaced whole.
CREATE TABLE IF NOT EXISTS performance
(
    model LowCardinality(String),
    hour_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    age_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    scheme LowCardinality(String),
    predictions Int64 CODEC(T64, ZSTD(1)),
    labelled Int64 CODEC(T64, ZSTD(1)),
    classes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    class_predictions Array(Int64) CODEC(T64, ZSTD(1)),
    class_labelled Array(Int64) CODEC(T64, ZSTD(1)),
    delay_hours Array(Int64) CODEC(T64, ZSTD(1)),
    delay_labels Array(Int64) CODEC(T64, ZSTD(1)),
    `keys` Array(Int64) CODEC(T64, ZSTD(1)),
    sums Array(Int64) CODEC(ZSTD(1)),
    true_classes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    predicted_classes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    class_weights Array(Int64) CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms, age_ms, `version`, `segment`)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- Which partitions were not waited for when hours were judged: what the clock decided.
CREATE TABLE IF NOT EXISTS performance_horizons
(
    model LowCardinality(String),
    at_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    partitions Array(LowCardinality(String)) CODEC(ZSTD(1)),
    counted_ms Array(Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, at_ms)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- How far that is.
CREATE TABLE IF NOT EXISTS performance_progress
(
    model LowCardinality(String),
    number Int64,
    config String,
    judged_ms Int64,
    partitions Array(LowCardinality(String)) CODEC(ZSTD(1)),
    offsets Array(Int64) CODEC(ZSTD(1)),
    hours_ms Array(Int64) CODEC(ZSTD(1)),
    since_ms Array(Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY model
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- For people: an hour of predictions with what is known of them. Outcomes are of binary models, and weighted.
CREATE OR REPLACE VIEW performance_history AS
SELECT model, version, segment, fromUnixTimestamp64Milli(hour_ms, 'UTC') AS hour, hour_ms, age_ms,
    if(age_ms = 0, 'now', concat(toString(age_ms / 3600000), ' h')) AS known_after, predictions, labelled,
    labelled / predictions AS labelled_share, sums[indexOf(`keys`, 8192)] / 1048576 AS weight,
    sums[indexOf(`keys`, 98304)] / 1048576 AS tp, sums[indexOf(`keys`, 98305)] / 1048576 AS fp,
    sums[indexOf(`keys`, 98306)] / 1048576 AS fn, sums[indexOf(`keys`, 98307)] / 1048576 AS tn,
    multiIf(startsWith(scheme, 'binary'), (tp + tn) / weight,
        startsWith(scheme, 'multiclass'), sums[indexOf(`keys`, 49152)] / 1048576 / weight, NULL) AS accuracy
FROM performance FINAL;
