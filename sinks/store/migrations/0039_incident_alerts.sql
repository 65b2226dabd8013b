-- Under which incident an alert was told first, and so is as long as it lives: where routes group by incident.
CREATE TABLE IF NOT EXISTS incident_alerts
(
    alert_id String,
    incident String,
    fired_ms Int64
)
ENGINE = ReplacingMergeTree
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000;
