-- Which hours of which model have rows that the roll-ups may not hold yet: an hour is current where refreshed_ms has
-- reached touched_ms, both times of the server. Reads take any other hour from the rows themselves, so that an answer
-- is never stale; a job brings hours up to date once they have been left alone for some minutes. Times rather than
-- numbers of inserts, since an insert marks the hour a moment before or after its rows can be seen.
CREATE TABLE IF NOT EXISTS touched
(
    source LowCardinality(String),
    model LowCardinality(String),
    hour_ms Int64 CODEC(DoubleDelta, ZSTD(1)),
    touched_ms SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    refreshed_ms SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (source, model, hour_ms)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- A window belongs to the hour in which it ends: hour_ms < window_end_ms <= hour_ms + 1 h.
CREATE MATERIALIZED VIEW IF NOT EXISTS touched_by_scores TO touched AS
SELECT DISTINCT 'scores' AS source, model, window_end_ms - 1 - positiveModulo(window_end_ms - 1, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM scores;

-- A pane belongs to the hour in which it starts.
CREATE MATERIALIZED VIEW IF NOT EXISTS touched_by_panes TO touched AS
SELECT DISTINCT 'panes' AS source, model, pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM panes;

-- The hours that the store held before.
INSERT INTO touched
SELECT DISTINCT 'scores' AS source, model, window_end_ms - 1 - positiveModulo(window_end_ms - 1, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM scores;

-- The same of panes.
INSERT INTO touched
SELECT DISTINCT 'panes' AS source, model, pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms,
    toUnixTimestamp64Milli(now64(3)) AS touched_ms, toInt64(0) AS refreshed_ms
FROM panes;
