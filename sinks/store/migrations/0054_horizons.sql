-- With which panes windows were evaluated: up to where those of each partition counted. A partition that is silent holds no
-- window back, and when it falls silent depends on the clock, so this is an input: whoever evaluates a window again takes
-- it from here. Windows in a row that agree share a row, which grows at its end until the day is over.
CREATE TABLE IF NOT EXISTS horizons
(
    model LowCardinality(String),
    from_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    to_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    partitions Array(LowCardinality(String)) CODEC(ZSTD(1)),
    counted_ms Array(Int64) CODEC(ZSTD(1)),
    is_first Int64
)
ENGINE = ReplacingMergeTree(to_ms)
ORDER BY (model, from_ms)
SETTINGS non_replicated_deduplication_window = 10000;
