-- Findings on the errors of predictions are of a segment, too; all others are of all traffic, which has no name.
ALTER TABLE findings ADD COLUMN IF NOT EXISTS `segment` LowCardinality(String),
    MODIFY ORDER BY (model, signal, version, detector, topic, partition, `offset`, segment);

-- For people: a finding with the segment it is of.
CREATE OR REPLACE VIEW finding_history AS
SELECT model, signal, version, segment, detector, fromUnixTimestamp64Milli(event_ms, 'UTC') AS event_time, event_ms,
    status, value, score, level, topic, `partition`, `offset`
FROM findings FINAL;

-- How often per-event detectors fired, by hours in which first labels came.
CREATE TABLE IF NOT EXISTS performance_findings
(
    model LowCardinality(String),
    hour_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    layout LowCardinality(String),
    n Int64 CODEC(T64, ZSTD(1)),
    `names` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    counts Array(Int64) CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(hour_ms))
ORDER BY (model, hour_ms, `version`, `segment`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
