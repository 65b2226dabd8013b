CREATE TABLE IF NOT EXISTS `scores_local` ON CLUSTER `prod`
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(window_end_ms))
ORDER BY (model, intDiv(window_end_ms, 86400000), signal, segment, version, detector, window_end_ms)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2592000;

CREATE TABLE IF NOT EXISTS `scores` ON CLUSTER `prod` AS `scores_local`
ENGINE = Distributed(`prod`, `leeway`, `scores_local`, cityHash64(`model`, `signal`, `segment`, `version`, `detector`));

CREATE TABLE IF NOT EXISTS `checkpoints_local` ON CLUSTER `prod`
(
    stage LowCardinality(String),
    name String,
    `partition` Int64,
    `position` Int64,
    config String,
    state String CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', position)
ORDER BY (stage, name, partition)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2592000;

CREATE TABLE IF NOT EXISTS `checkpoints` ON CLUSTER `prod` AS `checkpoints_local`
ENGINE = Distributed(`prod`, `leeway`, `checkpoints_local`, cityHash64(`stage`, `name`, `partition`));

CREATE MATERIALIZED VIEW IF NOT EXISTS `latest_from_scores` ON CLUSTER `prod` TO `latest_local` AS
SELECT model, signal, segment, version, detector, window_end_ms, window_ms, statistic, effect, min_effect, p_value,
    surprise, surprise_limit, status, n, baseline_n, baseline_from_ms, baseline_to_ms, idle, detail
FROM `scores_local`;

CREATE MATERIALIZED VIEW IF NOT EXISTS `touched_by_panes` ON CLUSTER `prod` TO `touched` AS
SELECT DISTINCT 'panes' AS source, model, pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM `panes_local`;
