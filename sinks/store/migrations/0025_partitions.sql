-- Which partitions there are and which are silent: what evaluate, perhaps in another process than ingest, waits for. A
-- row a partition, of which the one of who has read furthest wins: what a stalled owner says later changes nothing.
CREATE TABLE IF NOT EXISTS partitions
(
    topic LowCardinality(String),
    `partition` Int64,
    idle Int64,
    next_offset Int64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic, partition)
SETTINGS non_replicated_deduplication_window = 10000;
