-- Views for people who ask in SQL: times as times, effects in units of what matters, and each key once without the
-- reader's writing FINAL. They hold nothing, so that a later version may put others in their place. Conditions on
-- window_end_ms, event_ms and pane_start_ms use the tables' order, those on the times made of them do not.

-- What each detector said about each window.
CREATE OR REPLACE VIEW drift_history AS
SELECT model, signal, segment, version, detector, fromUnixTimestamp64Milli(window_end_ms, 'UTC') AS window_end,
    window_end_ms, window_ms / 1000 AS window_s, status, effect / min_effect AS strength, effect, min_effect, statistic,
    p_value, surprise, surprise_limit, n, baseline_n, detail
FROM scores FINAL;

-- The same of the newest window of each series and detector.
CREATE OR REPLACE VIEW drift_now AS
SELECT model, signal, segment, version, detector, fromUnixTimestamp64Milli(window_end_ms, 'UTC') AS window_end,
    window_end_ms, window_ms / 1000 AS window_s, status, effect / min_effect AS strength, effect, min_effect, statistic,
    p_value, surprise, surprise_limit, n, baseline_n, detail
FROM latest FINAL;

-- A day (UTC) of a series and detector: how many windows ended in it, how many of them in drift, and the furthest one.
CREATE OR REPLACE VIEW drift_by_day AS
SELECT model, signal, segment, version, detector, toDate(fromUnixTimestamp64Milli(window_end_ms - 1, 'UTC')) AS day,
    count() AS windows, countIf(status = 'drift') AS drift_windows, drift_windows / windows AS drift_share,
    maxIf(effect / min_effect, status = 'drift') AS strength
FROM scores FINAL
GROUP BY model, signal, segment, version, detector, day;

-- Alerts as they stand. An alert that was updated is firing; `ended` is NULL while it lives.
CREATE OR REPLACE VIEW alert_states AS
SELECT model, alert_id, if(state = 'updated', 'firing', state) AS standing, severity,
    fromUnixTimestamp64Milli(starts_ms, 'UTC') AS started,
    if(ends_ms = 0, NULL, fromUnixTimestamp64Milli(ends_ms, 'UTC')) AS ended,
    if(ends_ms = 0, NULL, (ends_ms - starts_ms) / 1000) AS lasted_s, version, segment, title, labels, signals
FROM alerts FINAL
ORDER BY model, alert_id, sequence DESC
LIMIT 1 BY model, alert_id;

-- Single observations at which a per-event detector fired.
CREATE OR REPLACE VIEW finding_history AS
SELECT model, signal, version, detector, fromUnixTimestamp64Milli(event_ms, 'UTC') AS event_time, event_ms, status, value,
    score, topic, `partition`, `offset`
FROM findings FINAL;

-- How many events came, pane by pane, and what was wrong with them; late ones count where they belong.
CREATE OR REPLACE VIEW traffic AS
SELECT model, signal, segment, version, fromUnixTimestamp64Milli(pane_start_ms, 'UTC') AS pane_start, pane_start_ms,
    sum(n) AS present, sum(missing) AS absent, sum(invalid) AS unreadable, sum(out_of_range) AS outside,
    absent / (present + absent + unreadable) AS missing_rate
FROM panes FINAL
GROUP BY model, signal, segment, version, pane_start_ms;
