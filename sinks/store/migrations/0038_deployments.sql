-- What people and programs announced that they changed, and when: what may be why models behave differently. Of several
-- rows of a deployment the one changed last counts.
CREATE TABLE IF NOT EXISTS deployments
(
    id String,
    updated_ms Int64,
    at_ms Int64,
    name String,
    `version` String,
    models Array(String),
    topics Array(String),
    labels String,
    link String,
    created_by String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
