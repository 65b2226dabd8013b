-- Who wants to be told about which alerts, beside the routes of the configuration: matchers as a list with commas, labels to
-- group by as JSON (null is all of them). Of several rows of a subscription the one changed last counts.
CREATE TABLE IF NOT EXISTS subscriptions
(
    id String,
    updated_ms Int64,
    created_ms Int64,
    ended Int64,
    matchers String,
    receiver String,
    address String,
    group_by String,
    group_wait_ms Int64,
    group_interval_ms Int64,
    repeat_interval_ms Int64,
    created_by String,
    comment String
)
ENGINE = ReplacingMergeTree(updated_ms)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000;
