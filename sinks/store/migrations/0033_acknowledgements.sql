-- Who has taken an alert on, as it stood at a transition: it is not repeated until it changes. The row changed last counts.
CREATE TABLE IF NOT EXISTS acknowledgements
(
    alert_id String,
    updated_ms Int64,
    sequence Int64,
    taken_back Int64,
    created_by String,
    comment String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000;
