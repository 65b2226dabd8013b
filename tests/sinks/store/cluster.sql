CREATE TABLE IF NOT EXISTS `findings_local` ON CLUSTER `prod`
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (model, signal, version, detector, topic, partition, `offset`)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2592000;

CREATE TABLE IF NOT EXISTS `findings` ON CLUSTER `prod` AS `findings_local`
ENGINE = Distributed(`prod`, `leeway`, `findings_local`, cityHash64(`model`, `signal`, `version`, `detector`, `topic`));

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

CREATE MATERIALIZED VIEW IF NOT EXISTS `touched_by_panes` ON CLUSTER `prod` TO `touched_local` AS
SELECT DISTINCT 'panes' AS source, model, pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM `panes_local`;
