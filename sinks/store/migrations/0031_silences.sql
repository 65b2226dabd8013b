-- What people do not want to be told about for a while: matchers as a list with commas, as they are written. Of several
-- rows of a silence the one changed last counts.
CREATE TABLE IF NOT EXISTS silences
(
    id String,
    updated_ms Int64,
    starts_ms Int64,
    ends_ms Int64,
    matchers String,
    created_by String,
    comment String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
