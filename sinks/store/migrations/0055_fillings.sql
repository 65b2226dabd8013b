-- From what a store is being filled, a backup or another store, and whether all of it is there: what was cut off goes on,
-- and no service takes a part for the whole. Of the rows of an origin the one with the highest number counts.
CREATE TABLE IF NOT EXISTS fillings
(
    origin String,
    number Int64,
    is_done Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY origin
SETTINGS non_replicated_deduplication_window = 10000;
