-- What the alarm rule `change` expects of a day, as it stands when the day begins: why a window alarmed or did not, and
-- the smallest shift that can be found, are told by it. `contrasts` is a JSON array.
--   Days of a series lie one after the other and are much alike: ZSTD(3) leaves a tenth of them.
CREATE TABLE IF NOT EXISTS expectations
(
    model LowCardinality(String),
    signal LowCardinality(String),
    segment LowCardinality(String),
    `version` LowCardinality(String),
    from_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    window_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    windows Int64 CODEC(T64, ZSTD(1)),
    windows_needed Int64 CODEC(T64, ZSTD(1)),
    days Int64 CODEC(T64, ZSTD(1)),
    days_needed Int64 CODEC(T64, ZSTD(1)),
    threshold Float64 CODEC(ZSTD(1)),
    day_threshold Float64 CODEC(ZSTD(1)),
    contrasts String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(from_ms))
ORDER BY (model, signal, segment, version, from_ms)
SETTINGS non_replicated_deduplication_window = 10000;
