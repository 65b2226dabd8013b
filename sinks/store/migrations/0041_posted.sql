-- Alerts that somebody else posted, as they stand; labels and annotations are JSON. Of several rows of an alert the one with the
-- highest position counts, the time of its post.
CREATE TABLE IF NOT EXISTS posted
(
    fingerprint String,
    position Int64,
    labels String,
    annotations String,
    starts_ms Int64,
    ends_ms Int64,
    updated_ms Int64,
    has_timeout Int64,
    link String
)
ENGINE = ReplacingMergeTree(position)
ORDER BY fingerprint
SETTINGS non_replicated_deduplication_window = 10000;
