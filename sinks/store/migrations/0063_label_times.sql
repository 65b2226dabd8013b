-- What was known of an event by some time: when each label was known (its own time, or where the labels of its partition
-- stood if they were further), whether it takes back what was said, and 64 bits of its id (MurmurHash64A), by which
-- labels and predictions are joined without reading ids. Rows from before are known at their own time.
ALTER TABLE labels ADD COLUMN IF NOT EXISTS known_ms Int64 DEFAULT event_ms CODEC(Delta, ZSTD(1));
ALTER TABLE labels ADD COLUMN IF NOT EXISTS retracted Int64 DEFAULT 0 CODEC(T64, ZSTD(1));
ALTER TABLE labels ADD COLUMN IF NOT EXISTS id_digest Int64 DEFAULT reinterpretAsInt64(murmurHash2_64(id));

-- Up to where the labels of a partition are read. Not in `progress`: windows wait for what stands there.
CREATE TABLE IF NOT EXISTS label_progress
(
    model LowCardinality(String),
    topic LowCardinality(String),
    `partition` Int64,
    closed_ms Int64,
    newest_ms Int64,
    next_offset Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (model, topic, `partition`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- A label that was taken back is none.
CREATE OR REPLACE VIEW labelled_predictions AS
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
    HAVING argMax(retracted, (event_ms, topic, `partition`, `offset`)) = 0
) AS l ON p.model = l.model AND p.id = l.id;
