-- Who has been erased, and what is needed so that an erasure can be proved.

-- One row per erasure and its end. The subject is there only as a keyed hash; `fields` names the category signals in
-- which its name was replaced; `report` says as JSON how many rows of which table went.
CREATE TABLE IF NOT EXISTS erasures
(
    subject_hash String,
    model LowCardinality(String),
    at_ms Int64,
    until_ms Int64,
    state LowCardinality(String),
    fields Array(String),
    report String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (subject_hash, model, at_ms)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- The key of those hashes: made at the first erasure, never changed; of several the oldest holds.
CREATE TABLE IF NOT EXISTS erasure_keys
(
    at_ms Int64,
    `key` String
)
ENGINE = ReplacingMergeTree
ORDER BY (at_ms, `key`)
SETTINGS non_replicated_deduplication_window = 10000,
    cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;

-- After a mutation or a merge the old part stays on the disk until the table's cleaner comes by, which by default may
-- take five minutes. An erasure waits for it, and so does vacuum: it comes by every second or two.
ALTER TABLE panes MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE panes_5m MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE panes_1h MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores_1h MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE scores_1d MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE latest MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE findings MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE alerts MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE notifications MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE dead_letters MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE checkpoints MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE progress MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
ALTER TABLE touched MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 2;
