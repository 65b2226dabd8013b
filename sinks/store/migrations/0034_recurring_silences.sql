-- When a silence counts, if not all the time from its start to its end: a list of Alertmanager's time intervals, as JSON.
ALTER TABLE silences ADD COLUMN IF NOT EXISTS intervals String DEFAULT '';
