-- Which kinds of stages have done a round of their work: whoever pings those who expect it looks here.
CREATE TABLE IF NOT EXISTS pulses
(
    stage LowCardinality(String),
    number Int64
)
ENGINE = ReplacingMergeTree(number)
ORDER BY stage
SETTINGS non_replicated_deduplication_window = 10000;
