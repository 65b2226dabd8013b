-- How an anomaly's score compares with those that its series had before; NaN for a change, which has no level.
ALTER TABLE findings ADD COLUMN IF NOT EXISTS level Float64 DEFAULT nan CODEC(ZSTD(1));

-- Single observations at which a per-event detector fired: a change from here on, or this one an anomaly.
CREATE OR REPLACE VIEW finding_history AS
SELECT model, signal, version, detector, fromUnixTimestamp64Milli(event_ms, 'UTC') AS event_time, event_ms, status, value,
    score, level, topic, `partition`, `offset`
FROM findings FINAL;
