-- Every table of sinks/store/contract.py. The same choices hold for all of them:
--   ReplacingMergeTree on the natural key: a replay writes the same keys and so overwrites itself. Read with FINAL.
--   A month of the row's own time as partition: old months are dropped whole. The time is part of the key, so that
--   rows with one key never lie in two partitions and FINAL need not compare partitions.
--   non_replicated_deduplication_window: an insert whose token is among the last 10,000 is a repetition. Must exceed
--   the number of inserts since the oldest checkpoint that may be loaded.
--   LowCardinality for names: they repeat, and are stored once per part. DoubleDelta for times and offsets, which grow
--   in even steps; T64 for counts, which use few of their 64 bits; ZSTD on top of each.

-- Which migrations have run. Asked before anything else, so that an older program never writes into newer tables.
CREATE TABLE IF NOT EXISTS schema_migrations
(
    `version` Int64,
    name String
)
ENGINE = ReplacingMergeTree
ORDER BY version;

-- The summaries of 10 s, 5 min and 1 h of a series. The largest table: additions over months read it in key order.
CREATE TABLE IF NOT EXISTS panes
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
ORDER BY (model, signal, segment, version, pane_start_ms, late_at_ms, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000;

-- What each detector said about each window. History reads one series over time: hence time last in the key.
CREATE TABLE IF NOT EXISTS scores
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
ORDER BY (model, signal, segment, version, detector, window_end_ms)
SETTINGS non_replicated_deduplication_window = 10000;

-- Single observations at which a per-event detector fired: keyed by their place in the log. No partition by month,
-- since event_ms is not in the key.
CREATE TABLE IF NOT EXISTS findings
(
    model LowCardinality(String),
    signal LowCardinality(String),
    `version` LowCardinality(String),
    detector LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    event_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    score Float64 CODEC(ZSTD(1)),
    status LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (model, signal, version, detector, topic, partition, `offset`)
SETTINGS non_replicated_deduplication_window = 10000;

-- Every transition of every alert, kept for ever: the history of incidents is small.
CREATE TABLE IF NOT EXISTS alerts
(
    model LowCardinality(String),
    alert_id String,
    `sequence` Int64,
    state LowCardinality(String),
    at_ms Int64,
    starts_ms Int64,
    ends_ms Int64,
    `version` LowCardinality(String),
    `segment` LowCardinality(String),
    severity LowCardinality(String),
    title String CODEC(ZSTD(1)),
    labels String CODEC(ZSTD(1)),
    signals String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (model, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000;

-- What was sent to whom about which transition: read before sending, so that a restart does not send again.
CREATE TABLE IF NOT EXISTS notifications
(
    alert_id String,
    `sequence` Int64,
    receiver LowCardinality(String),
    outcome LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    attempts Int64,
    at_ms Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_id, sequence, receiver)
SETTINGS non_replicated_deduplication_window = 10000;

-- State and next offset in one row. The largest position wins, so that a stalled owner who writes an old checkpoint
-- late cannot turn its partition back.
CREATE TABLE IF NOT EXISTS checkpoints
(
    stage LowCardinality(String),
    name String,
    `partition` Int64,
    `position` Int64,
    config String,
    state String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (stage, name, partition)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far each partition has closed its panes; a row per partition, of which the furthest wins.
CREATE TABLE IF NOT EXISTS progress
(
    model LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    closed_ms Int64,
    newest_ms Int64,
    next_offset Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (model, topic, partition)
SETTINGS non_replicated_deduplication_window = 10000;

-- What could not be decoded, by its place in the log, with its bytes. `kept` marks events of which only a field was bad.
CREATE TABLE IF NOT EXISTS dead_letters
(
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    model LowCardinality(String),
    field LowCardinality(String),
    action LowCardinality(String),
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    record_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    payload String CODEC(ZSTD(1)),
    payload_bytes Int64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, `offset`, model, field)
SETTINGS non_replicated_deduplication_window = 10000;
