-- Single events, kept only for models whose `spec.keep` says so.
--   The key is the event's place in the log, with its time before it: a replay writes the same keys, and a question
--   about some days of a model reads those days. An event's time is a function of its place as long as the model's
--   configuration reads it in the same way.
--   A week as partition: most of what retention deletes goes as whole parts, which costs nothing.
--   cleanup_delay_period: what an erasure or a merge leaves behind on the disk goes within seconds; see 0011.
--   Measured on a million predictions: 19 bytes of a random id (128 bits have no redundancy; ZSTD(3) gains nothing),
--   7 of a score of six digits (Gorilla and FPC gain nothing), 4 of a subject of which there are 200,000
--   (LowCardinality takes more), 1.4 of an offset, 0.5 of a time, 0.5 of segments.

-- A sample of events with the fields that the schema names, as a JSON object by signal.
CREATE TABLE IF NOT EXISTS events
(
    model LowCardinality(String),
    event_ms Int64 CODEC(Delta, ZSTD(1)),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    record_ms Int64 CODEC(Delta, ZSTD(1)),
    `version` LowCardinality(String),
    id String CODEC(ZSTD(1)),
    subject String CODEC(ZSTD(1)),
    fields String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, event_ms, topic, partition, `offset`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- One row for each part of a prediction that could be read: a number, or the name of a class. The filter on ids costs
-- 1.2 bytes a row and finds a prediction among a million in 4 ms instead of 90.
CREATE TABLE IF NOT EXISTS predictions
(
    model LowCardinality(String),
    signal LowCardinality(String),
    event_ms Int64 CODEC(Delta, ZSTD(1)),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    `version` LowCardinality(String),
    segments Array(LowCardinality(String)) CODEC(ZSTD(1)),
    id String CODEC(ZSTD(1)),
    subject String CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    label LowCardinality(String),
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, signal, event_ms, topic, partition, `offset`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- What turned out to be true of an event, by its id; event_ms is when that was said.
CREATE TABLE IF NOT EXISTS labels
(
    model LowCardinality(String),
    signal LowCardinality(String),
    event_ms Int64 CODEC(Delta, ZSTD(1)),
    topic LowCardinality(String),
    `partition` Int64 CODEC(T64, ZSTD(1)),
    `offset` Int64 CODEC(DoubleDelta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    subject String CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    label LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(fromUnixTimestamp64Milli(event_ms))
ORDER BY (model, signal, event_ms, topic, partition, `offset`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- Predictions with what turned out to be true: the newest label of each id. Conditions on `model` reach both tables.
CREATE VIEW IF NOT EXISTS labelled_predictions AS
SELECT
    p.model AS model,
    p.signal AS signal,
    p.`version` AS `version`,
    p.segments AS segments,
    p.id AS id,
    p.event_ms AS predicted_ms,
    p.value AS predicted_value,
    p.label AS predicted_label,
    l.signal AS label_signal,
    l.labelled_ms AS labelled_ms,
    l.newest_value AS value,
    l.newest_label AS label
FROM predictions AS p FINAL
INNER JOIN
(
    SELECT
        model,
        signal,
        id,
        max(event_ms) AS labelled_ms,
        argMax(value, (event_ms, topic, `partition`, `offset`)) AS newest_value,
        argMax(label, (event_ms, topic, `partition`, `offset`)) AS newest_label
    FROM labels FINAL
    WHERE id != ''
    GROUP BY model, signal, id
) AS l ON p.model = l.model AND p.id = l.id;
