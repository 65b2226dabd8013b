-- The store's own name: processes that share the store are told from others by it. There is one row.
CREATE TABLE IF NOT EXISTS identity
(
    id String
)
ENGINE = ReplacingMergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
